"""What a figure was measured on, and where it is kept. Every benchmark states its conditions with its figures.

Results are raw JSON under bench/results/, one file per benchmark, written by the run that printed them.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
FLUSH_ROUNDS = 200
FLUSH_BYTES = 8192


def flush_microseconds(folder: Path) -> int:
    """The median time of one 8 kB write with fdatasync in `folder`: what a commit costs at least."""
    path = folder / "flush-probe"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        times = []
        for _ in range(FLUSH_ROUNDS):
            start = time.perf_counter()
            os.pwrite(descriptor, bytes(FLUSH_BYTES), 0)
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()
    return int(statistics.median(times) * 1_000_000)


def machine() -> dict[str, Any]:
    """The machine as far as figures depend on it."""
    return {
        "measuredAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "loadBefore": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def keep(name: str, result: Mapping[str, Any]) -> Path:
    """Write one benchmark's result and answer where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path

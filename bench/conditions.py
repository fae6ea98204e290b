"""What a figure was measured on, and where it is kept. Every benchmark states its conditions with its figures.

Results are raw JSON under bench/results/, one file per benchmark, written by the run that printed them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

Rounds = dict[str, list[dict[str, float]]]
"""Every round's figures by case."""

KEEP = "TONGDUI_BENCH_KEEP"
"""Set in the environment of benchmarks whose results are to stand in the repository."""
RESULTS = Path(__file__).parent / "results"
FLUSH_ROUNDS = 200
FLUSH_BYTES = 8192
SETTINGS = (
    *("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "wal_compression"),
    *("shared_buffers", "wal_buffers", "max_wal_size", "checkpoint_timeout"),
)


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


def server_settings(dsn: str) -> dict[str, str]:
    """What the server was told, as far as figures depend on it."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name", [[*SETTINGS]])
        return dict(rows)


def arguments(about: str | None) -> argparse.ArgumentParser:
    """A command line that says what its benchmark measures."""
    return argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)


def rounds_arguments(about: str | None) -> argparse.ArgumentParser:
    """The same for a benchmark of several cases in rounds."""
    parser = arguments(about)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each case runs in a round")
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def medians(rounds: Rounds) -> dict[str, dict[str, float]]:
    """The median of each figure over the rounds, by case."""
    return {
        case: {figure: statistics.median([each[figure] for each in found]) for figure in found[0]}
        for case, found in rounds.items()
    }


def quantiles(waits: Sequence[float]) -> dict[str, float]:
    """The median and the 99th percentile of waits in seconds, in milliseconds."""
    ranked = sorted(waits)
    return {f"p{percent}Milliseconds": round(ranked[len(ranked) * percent // 100] * 1e3, 2) for percent in (50, 99)}


def ratios(middle: Mapping[str, Mapping[str, float]], figure: str, yardstick: float) -> dict[str, float]:
    """A figure of every case that has it, over the yardstick."""
    return {case: round(found[figure] / yardstick, 2) for case, found in middle.items() if figure in found}


def show(title: str, middle: Mapping[str, Mapping[str, float]]) -> None:
    """The medians as a table: a row a case, a column a figure."""
    figures = list(dict.fromkeys(figure for found in middle.values() for figure in found))
    table = Table("case", *figures, title=title)
    for case, found in middle.items():
        table.add_row(case, *[f"{found[figure]:,g}" if figure in found else "" for figure in figures])
    Console(width=160).print(table)


def keep(name: str, result: Mapping[str, Any], *, lasting: bool = False) -> Path:
    """Write one benchmark's result and answer where: beside the trials, which git does not see, unless it is `lasting`
    or `make bench` is what runs.
    """
    folder = RESULTS if lasting or KEEP in os.environ else RESULTS / "trial"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path

"""A process of its own that drives epochs, and ends itself with SIGKILL at a named point.

python -m tests.settlement.tiers.driver DSN FOLDER NOW POINT
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.settlement.tiers.ground import Ground
from tests.settlement.tiers.paper import Paper

ROOT = Path(__file__).resolve().parents[3]
PROCESS_S_MAX = 100


def main(dsn: str, folder: str, now: str, point: str) -> None:
    """Drive as far as it goes, or to the point."""

    def die_here(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    ground = Ground(dsn, Path(folder), Paper(Path(folder) / "registry.json"))
    ground.drive(int(now), checkpoint=die_here)


def killed_at(ground: Ground, now: int, point: str) -> bool:
    """Whether the process ended itself at this point."""
    command = [sys.executable, "-m", "tests.settlement.tiers.driver", ground.dsn, str(ground.folder), str(now), point]
    return subprocess.run(command, cwd=ROOT, timeout=PROCESS_S_MAX, check=False).returncode == -signal.SIGKILL


if __name__ == "__main__":
    main(*sys.argv[1:])

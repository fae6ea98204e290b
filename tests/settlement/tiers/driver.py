"""A process of its own that drives epochs, and ends itself with SIGKILL at a named point.

DSN FOLDER NOW POINT            the registry is on paper
DSN FOLDER START POINT URL      it is on the chain there, whose time counts
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from settlement.chain.client import Chain
from settlement.tiers.clock import EpochClock
from tests.forked import killed
from tests.settlement.tiers.anchored import LENGTH_S, Anchored
from tests.settlement.tiers.ground import Ground
from tests.settlement.tiers.paper import Paper

ROOT = Path(__file__).resolve().parents[3]
PROCESS_S_MAX = 100


def main(dsn: str, folder: str, number: str, point: str, url: str = "") -> None:
    """Drive as far as it goes, or to the point."""

    def die_here(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    ground = Ground(dsn, Path(folder), Paper(Path(folder) / "registry.json"))
    if url:
        Anchored(ground, Chain(url), EpochClock(LENGTH_S, int(number))).drive(checkpoint=die_here)
    else:
        ground.drive(int(number), checkpoint=die_here)


def killed_at(ground: Ground, now: int, point: str) -> bool:
    """Whether the process ended itself at this point."""
    return _killed(ground.dsn, str(ground.folder), str(now), point)


def killed_on_chain(anchored: Anchored, point: str) -> bool:
    """The same, publishing on a chain; points of the outbox as well."""
    ground, start = anchored.ground, str(anchored.clock.start)
    return _killed(ground.dsn, str(ground.folder), start, point, anchored.chain.url)


def _killed(*words: str) -> bool:
    return killed(main, *words, seconds_max=PROCESS_S_MAX)

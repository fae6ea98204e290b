"""Worker and beat as processes over a test's alliance: the real ticks at a faster beat, and three of the tests' own.

    python -m tests.settlement.tasks.driver worker|beat|run   # where: TONGDUI_* as for settlement.tasks

`note` leaves a row; `slow` leaves one, waits until a file named `go` is there, and leaves another; `poison` ends its
own process. HOLD_AT names a checkpoint at which sealing and sending wait for `go`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from settlement.settings import SettlementSettings
from settlement.tasks import __main__ as command
from settlement.tasks.asking import Told, Turn
from settlement.tasks.ticks import LEDGER, TICKS, Tick

EVERY_S = 2
"""Faster than 1 s and two beats ask for as much in a second as two workers take from the queue: after a pause of the
machine every message would be too old when its turn came, for ever."""
SELDOM_S = 86_400
NOTES = "CREATE TABLE IF NOT EXISTS public.note (at timestamptz DEFAULT clock_timestamp(), words text)"


def write(turn: Turn, words: str) -> None:
    turn.conn.execute("INSERT INTO public.note (words) VALUES (%s)", [words])


def note(turn: Turn) -> Told:
    write(turn, "note")
    return {"noted": 1}


def hold() -> None:
    """Until the test says go."""
    folder = Path(os.environ["HOLD_IN"])
    (folder / "held").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)


def slow(turn: Turn) -> Told:
    write(turn, "begun")
    hold()
    write(turn, "ended")
    return {}


def poison(_turn: Turn) -> Told:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


OWN = (
    Tick("note", SELDOM_S, LEDGER, note, "leaves a row"),
    Tick("slow", SELDOM_S, LEDGER, slow, "waits"),
    Tick("poison", SELDOM_S, LEDGER, poison, "ends its process"),
)
FAST = tuple(replace(tick, every_s=EVERY_S) for tick in TICKS)


def at_checkpoint(reached: str) -> None:
    if reached == os.environ.get("HOLD_AT"):
        hold()


def main(what: str) -> int:
    with command.opened(SettlementSettings()) as opened:
        works = replace(opened, checkpoint=at_checkpoint)
        if what == "beat":
            return command.beat(works, ticks=(*FAST, *OWN))
        return command.work(works, beats=what == "run", ticks=(*FAST, *OWN))


if __name__ == "__main__":
    code = main(sys.argv[1])
    os._exit(code)

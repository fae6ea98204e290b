"""A writer process for the crash tests: commands on stdin, one JSON a line; acknowledged keys on stdout, one a line.

    python -m tests.ledger.crash.named_point_writer DSN POINT BATCH_NO BATCH_SIZE [ahead]

It kills itself with SIGKILL when its BATCH_NO-th batch reaches POINT ("never": it posts everything and ends). "ahead"
hands in batch after batch without waiting for the answers; else each batch waits for those to the last.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from functools import partial

from ledger.commands import AnyCommand, parse
from ledger.storage.flight import Outcome
from ledger.store import Store


def main(dsn: str, die_at: str, die_in_batch: int, size: int, *, ahead: bool) -> None:
    reached = Counter[str]()

    def named_point(point: str) -> None:
        if point == die_at and reached[point] == die_in_batch:
            os.kill(os.getpid(), signal.SIGKILL)
        reached[point] += 1

    commands = [parse(line) for line in sys.stdin.buffer.read().splitlines()]
    with Store(dsn, named_point=named_point) as store:
        for start in range(0, len(commands), size):
            chunk = commands[start : start + size]
            store.begin(chunk, partial(acknowledge, chunk))
            if not ahead:
                store.finish()


def acknowledge(chunk: list[AnyCommand], outcome: Outcome) -> None:
    assert isinstance(outcome, list)
    sys.stdout.write("".join(f"{command.key}\n" for command in chunk))
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), ahead=sys.argv[5:] == ["ahead"])

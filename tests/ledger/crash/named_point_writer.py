"""A writer process for the crash tests: commands on stdin, one JSON a line; acknowledged keys on stdout, one a line.

    python -m tests.ledger.crash.named_point_writer DSN POINT BATCH_NO BATCH_SIZE

It kills itself with SIGKILL when its BATCH_NO-th batch reaches POINT ("never": it posts everything and ends).
"""

from __future__ import annotations

import os
import signal
import sys

from ledger.commands import parse
from ledger.store import Store


def main(dsn: str, die_at: str, die_in_batch: int, size: int) -> None:
    batch = 0

    def named_point(point: str) -> None:
        if point == die_at and batch == die_in_batch:
            os.kill(os.getpid(), signal.SIGKILL)

    commands = [parse(line) for line in sys.stdin.buffer.read().splitlines()]
    with Store(dsn, named_point=named_point) as store:
        for start in range(0, len(commands), size):
            chunk = commands[start : start + size]
            store.post(chunk)
            batch += 1
            sys.stdout.write("".join(f"{command.key}\n" for command in chunk))
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

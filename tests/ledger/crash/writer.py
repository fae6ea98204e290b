"""A writer process of the crash driver: posts its stream in batches and says after each what it was acknowledged.

    python -m tests.ledger.crash.writer DSN WRITER START POINT BATCH_NO

One line a batch on stdout: first index, number of commands, SHA-256 of the answers' bytes one after the other. It kills
itself with SIGKILL when its BATCH_NO-th batch reaches POINT ("never": it goes on until it is killed or the database
stays away). Batch sizes follow from the index, so that a batch that is posted again is the same batch.
"""

from __future__ import annotations

import os
import signal
import sys
from hashlib import sha256
from random import Random

import psycopg

from ledger.store import Store
from tests.ledger.crash.stream import commands

BATCH_COMMANDS_MAX = 400
AWAY = 3
"""The exit code of a writer whose database stayed away."""


def batch_size(writer: int, start: int) -> int:
    """1 to BATCH_COMMANDS_MAX, often small."""
    draw = Random(writer * 7 + start)
    return draw.choice([1, draw.randrange(1, 30), draw.randrange(1, BATCH_COMMANDS_MAX + 1)])


def main(dsn: str, writer: int, start: int, die_at: str, die_in_batch: int) -> int:
    batch = 0

    def named_point(point: str) -> None:
        if point == die_at and batch == die_in_batch:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        with Store(dsn, named_point=named_point) as store:
            while True:
                size = batch_size(writer, start)
                answers = store.post(commands(writer, start, size))
                digest = sha256(b"".join([answer.body for answer in answers])).hexdigest()
                sys.stdout.write(f"{start} {size} {digest}\n")
                sys.stdout.flush()
                start += size
                batch += 1
    except psycopg.OperationalError:
        return AWAY


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))

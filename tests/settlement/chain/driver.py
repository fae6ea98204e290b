"""A process of its own that settles, and ends itself with SIGKILL at a named point. Forked by `test_crashes`,
started by `test_leaders`.

    python -m tests.settlement.chain.driver DSN URL FOLDER POINT

Seals what there is, takes attestations from the tests' keys, and drives as far as it goes; POINT is one of the outbox'
or the batches' checkpoints, of one verb alone where it is named ("signed:finalise"); "-" for none; "stop:" before it
only stops the process until SIGCONT. SKEW_S in the environment is how wrong the process' own clock goes.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from settlement.batches import seal_next
from settlement.status import status
from settlement.submitter import drive
from tests.forked import killed
from tests.settlement.chain.field import ATTESTERS, Field, attest

ROOT = Path(__file__).resolve().parents[3]
PROCESS_S_MAX = 110


def main(dsn: str, url: str, folder: str, point: str = "-") -> None:
    """Settle as far as it goes now."""
    if skew_s := int(os.environ.get("SKEW_S", "0")):
        right, steady = time.time, time.monotonic
        time.time, time.monotonic = lambda: right() + skew_s, lambda: steady() + skew_s
    armed = point == "reorganised"  # seen as soon as anybody looks; all other points, founding has as well

    def die_here(reached: str) -> None:
        if armed and reached == point.removeprefix("stop:"):
            os.kill(os.getpid(), signal.SIGSTOP if point.startswith("stop:") else signal.SIGKILL)

    field = Field(dsn=dsn, url=url, folder=Path(folder))
    with field.settlement(checkpoint=die_here) as s:
        armed = True
        drive(s)
        if len(status(s.conn)) == 1:
            seal_next(s, settling=True)
        attest(s, field.folder, [(batch.batch_no, batch.header_hash) for batch in status(s.conn)], list(ATTESTERS))
        drive(s)


def started(field: Field, point: str, *, skew_s: int = 0, said: int | None = None) -> subprocess.Popen[bytes]:
    """The process, running; what it says of errors goes to `said`."""
    command = [sys.executable, "-m", "tests.settlement.chain.driver", field.dsn, field.url, str(field.folder), point]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "SKEW_S": str(skew_s)}, stderr=said)


def killed_at(field: Field, point: str) -> bool:
    """Whether the process ended itself at this point."""
    return killed(main, field.dsn, field.url, str(field.folder), point, seconds_max=PROCESS_S_MAX)


def run(field: Field) -> None:
    """The same in this process, to the end."""
    main(field.dsn, field.url, str(field.folder))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A process of its own that settles, and ends itself with SIGKILL at a named point. Started by `test_crashes`.

    python -m tests.settlement.chain.driver DSN URL FOLDER POINT

Seals what there is, takes attestations from the tests' keys, and drives until the window; POINT is one of the
checkpoints ("-" for none).
"""

import os
import signal
import sys
from pathlib import Path

from settlement.batches import seal_next
from settlement.status import status
from settlement.submitter import drive
from tests.settlement.chain.field import ATTESTERS, Field, attest


def main(dsn: str, url: str, folder: str, point: str) -> None:
    """Settle as far as it goes now."""
    armed = False

    def die_here(reached: str) -> None:
        if armed and reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    field = Field(dsn=dsn, url=url, folder=Path(folder))
    with field.settlement(checkpoint=die_here) as s:
        armed = True
        drive(s)
        if len(status(s.conn)) == 1:
            seal_next(s, settling=True)
        attest(s, field.folder, [(batch.batch_no, batch.header_hash) for batch in status(s.conn)], list(ATTESTERS))
        drive(s)


if __name__ == "__main__":
    main(*sys.argv[1:])

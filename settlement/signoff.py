"""What only a person may order: to seal again what a fraud proof threw out.

Invariants (R8): a header that was signed is never replaced while it could count; here it was thrown out in a finalised
block, its locks are free again, and somebody puts their name to it. The same journal range is sealed anew, with
everything that was built on it. Called by operators:

    from settlement.signoff import seal_again
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from settlement import batches, tables
from settlement.batches import Settlement
from settlement.steps import State
from settlement.submitter import drive

log = structlog.get_logger(__name__)


class NotToBeSealedAgain(RuntimeError):
    """This batch was not thrown out by a proof about itself, or its locks are not released yet."""


def seal_again(s: Settlement, batch_no: int, *, by: str) -> list[int]:
    """Seal a FAILED_FRAUD batch and all after it anew, on the word of `by`. Raises `NotToBeSealedAgain`."""
    standings = {standing.batch_no: standing for standing in drive(s)}
    batch = tables.batch(s.conn, batch_no)
    if batch is None or batch.state is not State.FAILED_FRAUD:
        raise NotToBeSealedAgain(f"batch {batch_no} was not thrown out by a fraud proof about it")
    for number, standing in standings.items():
        failed = standing.state in {State.FAILED_FRAUD, State.FAILED_CASCADE}
        if number >= batch_no and failed and standing.alarm != "batch-failed":
            raise NotToBeSealedAgain(f"batch {number} still holds collateral: {standing.reason}")
    with s.outbox.leading() as led:
        s = replace(s, outbox=led)
        batches.put_aside(s, batch)
        log.warning("sealed again after fraud proof", batch_no=batch_no, by=by, header_hash=batch.header_hash.hex())
        return batches.seal_planned(s)

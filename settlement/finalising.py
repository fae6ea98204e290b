"""The transaction that makes batches final: of one batch, or of all log batches in a row whose windows are over.

Invariants: nothing becomes final in company but what the hub holds as we sealed it, under every number; a settling
batch always goes alone, since its nets move with it. What is asked of the hub is asked at one block; what changes
before the transaction is in a block (a demand, a revert) makes it fail, and the next one is put together anew. Called
by the submitter, under its lease.
"""

from __future__ import annotations

from settlement import tables
from settlement.batches import Settlement
from settlement.chain.client import Head
from settlement.chain.gas import finalise_gas, finalise_through_gas
from settlement.chain.outbox import Intent
from settlement.steps import State
from settlement.tables import Batch

TOGETHER_BATCHES_MAX = 96
"""A day of log batches; more follow in the next transaction."""
COMMITTED_ON_CHAIN = 1
"""BatchStatus.Committed of the hub."""


def finalise_intent(s: Settlement, batch: Batch, purpose: str) -> Intent:
    """Make this batch final, which comes next, and whatever can be made final with it."""
    hub, done = s.alliance.hub, batch.done
    last = batch.batch_no if done.settling else _last_in_company(s, batch)
    if last == batch.batch_no:
        data = hub.data("finaliseBatch", done.header, list(done.nets))
        gas = finalise_gas(nets=len(done.nets))
    else:
        data = hub.data("finaliseThrough", last)
        gas = finalise_through_gas(batches=last - batch.batch_no + 1)
    return Intent(purpose, s.alliance.anchor.hub, data, gas, batch.batch_no)


def _last_in_company(s: Settlement, batch: Batch) -> int:
    """The last of the log batches, from this one on, that could all be made final now."""
    head = s.alliance.chain.head()
    if not _is_ripe(s, batch, head):
        return batch.batch_no
    last = batch.batch_no
    for number in range(batch.batch_no + 1, batch.batch_no + TOGETHER_BATCHES_MAX):
        following = tables.batch(s.conn, number)
        if following is None or following.state is not State.CONFIRMED or following.done.settling:
            break
        if not _is_ripe(s, following, head):
            break
        last = number
    return last


def _is_ripe(s: Settlement, batch: Batch, at: Head) -> bool:
    """Whether the hub holds this very header, and its window is over with no demand open."""
    hub, number = s.alliance.hub, batch.batch_no
    if hub.read("headerHash", number, tag=at.number) != batch.header_hash:
        return False
    _, final_after, _, open_demands, status, *_ = hub.read("record", number, tag=at.number)
    return status == COMMITTED_ON_CHAIN and final_after <= at.timestamp and not open_demands

"""Sealing what the journal holds, taking every batch as far as it goes, and comparing what came of it.

Invariants: when a batch closes is decided by `settlement.sealing.closing`, what happens to it by
`settlement.submitter`, what does not agree by `settlement.reconcile`; here is only the asking. Ticks; called by `turn`.
"""

from __future__ import annotations

from dataclasses import replace

from settlement import forced, tables
from settlement.batches import Settlement, seal_next
from settlement.reconcile import reconcile
from settlement.sealing import openings
from settlement.sealing.cadence import cut_off_after
from settlement.sealing.closing import Close, why_close
from settlement.sealing.forced_intake import due_at, take_forced
from settlement.steps import State
from settlement.submitter import drive, rested
from settlement.tables import Batch
from settlement.tasks.asking import Told, Turn
from settlement.watch.backing import tell_backing
from settlement.watch.recoveries import tell_recoveries
from settlement.watch.restrictions import freeze_restricted
from settlement.watch.unfinished import tell_unfinished
from settlement.watch.unregistered import tell_unregistered
from settlement.watch.watcher import watch

BATCHES_PER_TURN_MAX = 4


def seal(turn: Turn) -> Told:
    """Close the open batch if it is time, and again while another is full."""
    sealed: dict[str, object] = {}
    with turn.works.settlement(turn.conn) as s:
        unposted = take_forced(s, now=s.alliance.chain.now())
        for _ in range(BATCHES_PER_TURN_MAX):
            why = _why(turn, s)
            batch = seal_next(s, settling=why is Close.SETTLEMENT) if why is not None else None
            if why is None or batch is None:
                break
            sealed[str(batch.batch_no)] = why.value
    told: dict[str, object] = {"sealed": sealed} if sealed else {}
    return told | ({"forced-unposted": [each.id for each in unposted]} if unposted else {})


def _why(turn: Turn, s: Settlement) -> Close | None:
    settings, last = turn.works.settings, _last_sealed(turn)
    cut_off = cut_off_after(
        openings.settled_at(turn.conn),
        minute_of_day=settings.cut_off_minute,
        utc_offset_minutes=settings.utc_offset_minutes,
    )
    pending = replace(openings.pending(turn.conn, last.done.last_seq), forced_deadline=due_at(turn.conn))
    return why_close(pending, now=s.alliance.chain.now(), cut_off=cut_off)


def _last_sealed(turn: Turn) -> Batch:
    last = tables.last_batch(turn.conn)
    if last is not None and last.state is State.OPEN:
        last = tables.batch(turn.conn, last.batch_no - 1)
    assert last is not None, "founding stores batch 0"
    return last


def compare(turn: Turn) -> Told:
    """Read the chain's new events, tell the ledger what was recovered, and compare chain, batches and ledger; what does
    not agree becomes an alert. Where the ledger is between two hubs that is all there is to tell.
    """
    tell_unfinished(turn.conn)
    with turn.works.settlement(turn.conn) as s:
        watch(turn.conn, s.alliance)
        told = tell_recoveries(s)
        found = reconcile(turn.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
        found += told + freeze_restricted(s) + tell_unregistered(s)
        tell_backing(s)
    return {"differences": len(found)} if found else {}


def drive_all(turn: Turn) -> Told:
    """Publish, commit, finalise: whatever the chain and the clock allow now."""
    before = {batch.batch_no: batch.state for batch in tables.unfinished(turn.conn)}
    with turn.works.settlement(turn.conn) as s:
        if not before and not forced.queued(s, 1):
            rested(turn.conn)
            return {}
        standings = drive(s)
    moved = {str(each.batch_no): each.state.name for each in standings if before.get(each.batch_no) is not each.state}
    return {"moved": moved} if moved else {}

"""Events that a merchant forced through the chain: taken in like any signature, and due when the queue says.

The contract has checked form, number and signature; here they are bound to what the ledger posted. What posts nothing
(VOID, REFERRAL_CASH) is taken in as it is. An EARN or REFERRAL needs its leg: the one that waits for this lane with the
very same fields; until the ledger has posted it, it stays in the queue and `unposted` says so. Whoever sends the proof
that takes an event off the queue finds its leaf by its event id. Called by the tick that seals. Source: docs/protocol
§4.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ledger.answers import LegRef
from proofs.kinds import broken_rules
from proofs.messages import PointsEvent
from settlement.batches import Settlement
from settlement.chain.contracts import Contract
from settlement.sealing import desk
from settlement.sealing.lanes import LaneId
from settlement.sealing.self_signed import FREE_KINDS, Signed
from settlement.tables import Conn

_DUE = """
SELECT min(merge_by) FROM settlement.signed_event AS own
WHERE receipt_signature = %s AND NOT EXISTS (
    SELECT FROM settlement.batch_leaf AS leaf WHERE substr(leaf.event_id, 1, 16) = decode(
        lpad(to_hex(own.merchant_id), 8, '0') || lpad(to_hex(own.key_id), 8, '0') || lpad(to_hex(own.nonce), 16, '0'),
        'hex')
)
"""
_SAME_LEG = """
SELECT journal_seq, leg_no FROM settlement.to_sign
WHERE merchant_id = %s AND key_id = %s AND event = %s AND NOT EXISTS (
    SELECT FROM settlement.signed_event AS own
    WHERE own.journal_seq = to_sign.journal_seq AND own.leg_no = to_sign.leg_no
)
ORDER BY journal_seq, leg_no LIMIT 1
"""


class Forced(NamedTuple):
    """One entry of the queue that no batch has answered yet; `due_at` in Unix seconds."""

    id: int
    due_at: int
    signed: Signed


def queued(queue: Contract, *, first_block: int) -> list[Forced]:
    """The queue as finalised events tell it, in its order."""
    over = {
        event.fields["id"]
        for name in ("ForcedDischarged", "ForcedDropped")
        for event in queue.events(name, first=first_block)
    }
    found = queue.events("ForcedQueued", first=first_block, last="finalized")
    return [
        Forced(
            event.fields["id"],
            event.fields["dueAt"],
            Signed(event_of(event.fields["pointsEvent"]), tuple(map(bytes, event.fields["signature"])), None),  # type: ignore[arg-type] # two words
        )
        for event in found
        if event.fields["id"] not in over
    ]


def take_forced(s: Settlement, *, now: int) -> list[Forced]:
    """Take in what can be; what waits for the ledger is answered."""
    unposted = []
    lanes = {lane.id for lane in desk.lanes(s.conn)}
    for each in queued(s.alliance.queue, first_block=s.alliance.anchor.deploy_block):
        event = each.signed.event
        lane = LaneId(event.merchant_id, event.key_id)
        if lane not in lanes or event.nonce != desk.last_nonce(s.conn, lane) + 1:
            continue  # taken in before, or another event had its number, or one before it waits
        source = None if event.kind in FREE_KINDS else _leg(s.conn, event)
        sound = event.kind in FREE_KINDS and not list(broken_rules(event, None, 0)) and event.occurred_at <= now
        if source is None and not sound:
            unposted.append(each)
        else:
            desk.take_in_forced(s.conn, each.signed._replace(source=source), now=now, due_at=each.due_at)
    return unposted


def due_at(conn: Conn) -> int | None:
    """When the first forced event that is taken in and not sealed must be in a batch."""
    row = conn.execute(_DUE, [desk.NO_RECEIPT]).fetchone()
    return None if row is None else row[0]


def event_of(fields: Any) -> PointsEvent:
    """The event, from the struct as a log tells it."""
    values = fields.values() if isinstance(fields, Mapping) else fields
    return PointsEvent(*values)


def _leg(conn: Conn, event: PointsEvent) -> LegRef | None:
    row = conn.execute(_SAME_LEG, [event.merchant_id, event.key_id, replace(event, nonce=0).words()]).fetchone()
    return None if row is None else LegRef(*row)

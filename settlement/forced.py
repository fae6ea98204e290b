"""The forced queue: what merchants put on the chain because they were not heard, taken off it once a batch holds it.

Invariants: strictly in the queue's order, because the contract takes only its head; an id is discharged by the outbox
like everything else that is sent, once for each batch that holds it, and asked of the contract before it is signed.
What no batch holds yet is an alert with its deadline, for the hub refuses every batch after it that does not. Called by
`drive` under its lease; `next_due` by whoever decides when a batch closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proofs.messages import BatchHeader, PointsEvent, SettlementLeaf
from settlement import keys, tables
from settlement.batches import Settlement
from settlement.chain.gas import bounded_gas
from settlement.chain.outbox import Intent
from settlement.publish import fetch
from settlement.sealing.receipts import BatchReceipts
from settlement.status import leaf_of_event
from settlement.steps import Fate, State
from settlement.tables import Batch
from settlement.watch.alerts import Alert

DISCHARGES_PER_DRIVE_MAX = 16
DISCHARGE_GAS = bounded_gas(350_000)
COMMITTED = frozenset({State.CONFIRMED, State.CHALLENGED, State.FINALISING, State.FINALISED})


@dataclass(frozen=True, slots=True)
class LeafProof:
    """The queue's `LeafProof`: that a leaf stands at a place of a batch, and the event it holds."""

    header: BatchHeader
    leaf: SettlementLeaf
    index: int
    path: list[bytes]
    event: PointsEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """A queued event: its lane and number, and when the hub stops for it (Unix seconds)."""

    id: int
    merchant_id: int
    key_id: int
    nonce: int
    due_at: int

    @property
    def event_id(self) -> bytes:
        """Whatever event has this lane and number, this one or another that was signed with its number."""
        words = (self.merchant_id.to_bytes(4, "big"), self.key_id.to_bytes(4, "big"), self.nonce.to_bytes(8, "big"))
        return b"".join(words) + bytes(16)


def queued(s: Settlement) -> list[Forced]:
    """The head of the queue and what follows, as many as one drive looks at."""
    queue = s.alliance.queue
    head, tail = queue.read("queue")
    return [
        _forced(number, queue.read("entry", number))
        for number in range(head, min(tail, head + DISCHARGES_PER_DRIVE_MAX))
    ]


def next_due(s: Settlement) -> int | None:
    """When the hub stops for the head of the queue, None when nothing is queued."""
    return min((forced.due_at for forced in queued(s)), default=None)


def discharge(s: Settlement) -> list[Alert]:
    """Take off the queue what committed batches hold, as far as it goes now; an alert for what none holds. Raises as
    the outbox and the contracts do.
    """
    waiting = queued(s)
    while waiting:
        batch = _holding(s, waiting[0])
        if batch is None or not _discharged(s, waiting[0], batch):
            break
        waiting.pop(0)
    return [
        Alert(
            code="forced-due",
            place=f"forced event {forced.id}",
            expected="a batch that holds it",
            actual=f"{forced.merchant_id}:{forced.key_id} number {forced.nonce}, due at {forced.due_at}",
        )
        for forced in waiting
        if _holding(s, forced) is None
    ]


def _forced(number: int, entry: Any) -> Forced:
    """The contract's `Entry`: eventHash, basisHash, coveredBy, basisBatchNo, nonce, merchantId, keyId, dueAt."""
    _, _, _, _, nonce, merchant_id, key_id, due_at = entry
    return Forced(id=number, merchant_id=merchant_id, key_id=key_id, nonce=nonce, due_at=due_at)


def _holding(s: Settlement, forced: Forced) -> Batch | None:
    """The committed batch that holds this lane and number."""
    place = leaf_of_event(s.conn, forced.event_id)
    batch = None if place is None else tables.batch(s.conn, place[1])
    return batch if batch is not None and batch.state in COMMITTED else None


def _discharged(s: Settlement, forced: Forced, batch: Batch) -> bool:
    """Whether it is off the queue now."""
    purpose = f"discharge:{forced.id}.{batch.batch_no}.{batch.incarnation}"
    queue = s.alliance.queue
    if s.outbox.nonce_of(purpose) is None:
        data = queue.data("dischargeForced", forced.id, _proof(s, forced, batch))
        intent = Intent(purpose, queue.address, data, DISCHARGE_GAS, batch.batch_no)
        queue.try_out(data, sender=s.outbox.sender, gas=intent.gas, tag="pending")
        return s.outbox.submit(intent).fate is Fate.MINED
    return s.outbox.observe(purpose).fate is Fate.MINED


def _proof(s: Settlement, forced: Forced, batch: Batch) -> LeafProof:
    place, vault = leaf_of_event(s.conn, forced.event_id), s.publication.vault
    assert place is not None, "the batch was found by its leaf"
    file = fetch(s.publication.mirrors, batch.done.header, data_key=keys.data_key(vault, batch))
    opened = BatchReceipts(
        file,
        batch.done.header,
        batch_secret=keys.batch_secret(vault, batch),
        chain_id=s.alliance.anchor.chain_id,
        hub=s.alliance.anchor.hub,
    )
    leaf, index, path, event = opened.proof_of(place[0])
    return LeafProof(batch.done.header, leaf, index, path, event)

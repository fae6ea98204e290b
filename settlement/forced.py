"""The forced queue: what merchants put on the chain because they were not heard, taken off it once a batch holds it.

Invariants: in the queue's order, in which the numbers of a lane leave it; whatever is sent goes through the
outbox under a purpose of its own, is asked of the contract before it is signed, and is tried again on another nonce as
often as a batch's transactions are. Past the deadline of its head the hub takes one kind of batch only: `make_way`
shows it that the batch to be committed holds what is overdue, takes off what an earlier batch holds, wherever it
stands, and drops what no batch can hold. What is queued is an alert until it is off. Called by `drive` under its
lease.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proofs.messages import BatchHeader, PointsEvent, SettlementLeaf
from settlement import keys, tables
from settlement.batches import Settlement
from settlement.chain.client import ChainUnclear
from settlement.chain.contracts import Refused
from settlement.chain.gas import bounded_gas
from settlement.chain.outbox import Intent
from settlement.publish import fetch
from settlement.sealing.forced_intake import event_of
from settlement.sealing.receipts import BatchReceipts
from settlement.status import leaf_of_event
from settlement.steps import ATTEMPTS_MAX, Fate, State
from settlement.tables import Batch
from settlement.watch.alerts import Alert

DISCHARGES_PER_DRIVE_MAX = 16
OVERDUE_PER_COMMIT_MAX = 64
"""ForcedQueue.CLEARED_PER_COMMIT_MAX: what is overdue beyond them does not hold up this batch."""
COMMIT_WAIT_S_MAX = 900
"""What falls due within this time counts as overdue: until then the commit may be on its way into a block."""
DISCHARGE_GAS = bounded_gas(350_000)
DROP_GAS = bounded_gas(250_000)
COMMITTED = frozenset({State.CONFIRMED, State.CHALLENGED, State.FINALISING, State.FINALISED})


class ForcedWaits(RuntimeError):
    """The hub takes no batch without an overdue event, this batch does not hold it, and it is not to be dropped."""


class GivenUp(RuntimeError):
    """A transaction about the queue failed as often as we try."""


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
    def place(self) -> str:
        return f"forced event {self.id}"

    @property
    def event_id(self) -> bytes:
        """Whatever event has this lane and number, this one or another that was signed with its number."""
        words = (self.merchant_id.to_bytes(4, "big"), self.key_id.to_bytes(4, "big"), self.nonce.to_bytes(8, "big"))
        return b"".join(words) + bytes(16)


def queued(s: Settlement, limit: int = DISCHARGES_PER_DRIVE_MAX) -> list[Forced]:
    """The head of the queue and what follows, at most `limit`."""
    number, tail = s.alliance.queue.read("queue")
    found: list[Forced] = []
    while number not in {0, tail} and len(found) < limit:
        forced, number = _forced(number, s.alliance.queue.read("entry", number))
        if forced.due_at == 0:
            break  # it left the queue while the queue was read
        found.append(forced)
    return found


def overdue(s: Settlement, *, now: int) -> list[Forced]:
    """What the hub stops for at `now` (Unix seconds), or would before a commit that is sent now is in a block."""
    found: list[Forced] = []
    for forced in queued(s, OVERDUE_PER_COMMIT_MAX):
        if forced.due_at > now + COMMIT_WAIT_S_MAX:
            break
        found.append(forced)
    return found


def in_the_way(s: Settlement, batch: Batch, *, now: int) -> bool:
    """Whether the hub would refuse this batch for what is overdue and not shown to be in it."""
    return any(not _is_covered(s, forced, batch) for forced in overdue(s, now=now))


def make_way(s: Settlement, batch: Batch, *, now: int) -> None:
    """Go towards a queue that lets this batch through, as far as it goes now: discharge what a committed batch holds,
    show that this batch holds it, or drop it.

    Raises `ForcedWaits` for what a person has to decide about, `GivenUp`, and as outbox and contracts do.
    """
    for forced in overdue(s, now=now):
        if _is_covered(s, forced, batch):
            continue
        holding = _holding(s, forced)
        if holding is not None and holding.batch_no == batch.batch_no:
            _covered(s, forced, batch)
            continue
        if holding is not None and holding.state not in COMMITTED:
            raise ForcedWaits(f"{forced.place} is overdue, and first in batch {holding.batch_no}")
        # What follows it in its lane waits for that.
        if not (_dropped(s, forced, batch) if holding is None else _discharged(s, forced, holding)):
            return


def discharge(s: Settlement) -> None:
    """Take off the queue what committed batches hold, as far as it goes now. Raises `GivenUp`, and as outbox and
    contracts do.
    """
    for forced in queued(s):
        batch = _holding(s, forced)
        if batch is not None and batch.state in COMMITTED and not _discharged(s, forced, batch):
            return


def still_queued(s: Settlement) -> list[Alert]:
    """An alert for each event that is on the queue."""
    return [
        Alert(
            code="forced-due",
            place=forced.place,
            expected="a batch that holds it, and the queue without it",
            actual=f"{forced.merchant_id}:{forced.key_id} number {forced.nonce}, due at {forced.due_at}, "
            f"{_whereabouts(_holding(s, forced))}",
        )
        for forced in queued(s)
    ]


def _forced(number: int, entry: Any) -> tuple[Forced, int]:
    """An event and the id of the next one, from the contract's `Entry`: eventHash, basisHash, basisBatchNo, nonce,
    merchantId, keyId, dueAt, next, previous.
    """
    _, _, _, nonce, merchant_id, key_id, due_at, following, _ = entry
    return Forced(id=number, merchant_id=merchant_id, key_id=key_id, nonce=nonce, due_at=due_at), following


def _is_covered(s: Settlement, forced: Forced, batch: Batch) -> bool:
    """Whether the contract was shown that this very header holds it."""
    return bool(s.alliance.queue.read("isCovered", forced.id, batch.header_hash))


def _holding(s: Settlement, forced: Forced) -> Batch | None:
    """The batch that holds this lane and number, committed or not."""
    place = leaf_of_event(s.conn, forced.event_id)
    return None if place is None else tables.batch(s.conn, place[1])


def _whereabouts(batch: Batch | None) -> str:
    return "in no batch" if batch is None else f"in batch {batch.batch_no}, which is {batch.state.name}"


def _discharged(s: Settlement, forced: Forced, batch: Batch) -> bool:
    """Whether it is off the queue now."""
    purpose = f"discharge:{forced.id}.{batch.batch_no}.{batch.incarnation}"
    return _brought_about(s, purpose, lambda: _with_proof(s, "dischargeForced", forced, batch), DISCHARGE_GAS, batch)


def _covered(s: Settlement, forced: Forced, batch: Batch) -> bool:
    """Whether the contract knows now that this batch, which comes next, holds it."""
    purpose = f"cover:{forced.id}.{batch.batch_no}.{batch.incarnation}"
    return _brought_about(s, purpose, lambda: _with_proof(s, "coverForced", forced, batch), DISCHARGE_GAS, batch)


def _dropped(s: Settlement, forced: Forced, batch: Batch) -> bool:
    """Whether it is off the queue now because the next batch could not hold it. Raises `ForcedWaits` if one could."""
    queue = s.alliance.queue
    topics = [forced.id.to_bytes(32, "big")]
    told = queue.events("ForcedQueued", first=s.alliance.anchor.deploy_block, topics=topics)
    if len(told) != 1:
        raise ChainUnclear(f"{forced.place} is on the queue, and the node tells {len(told)} events of its coming there")
    data = queue.data("dropForced", forced.id, event_of(told[0].fields["pointsEvent"]))
    try:
        return _brought_about(s, f"drop:{forced.id}", lambda: data, DROP_GAS, batch)
    except Refused as error:
        raise ForcedWaits(f"{forced.place} is overdue, in no batch, and may not be dropped: {error}") from error


def _brought_about(s: Settlement, purpose: str, data: Callable[[], bytes], gas: int, batch: Batch) -> bool:
    """Whether it is in a block with its effect. Signed and sent if it never was, and again where it came to nothing."""
    fate = s.outbox.observe(purpose).fate
    if fate in {Fate.REVERTED, Fate.DROPPED}:
        if s.outbox.attempts(purpose) >= ATTEMPTS_MAX:
            raise GivenUp(f"{purpose} failed {ATTEMPTS_MAX} times: {fate.value}")
        s.outbox.retire(purpose)
        fate = Fate.NEVER
    if fate is Fate.NEVER:
        queue = s.alliance.queue
        intent = Intent(purpose, queue.address, data(), gas, batch.batch_no)
        queue.try_out(intent.data, sender=s.outbox.sender, gas=gas, tag="pending")
        fate = s.outbox.submit(intent).fate
    return fate is Fate.MINED


def _with_proof(s: Settlement, function: str, forced: Forced, batch: Batch) -> bytes:
    return s.alliance.queue.data(function, forced.id, _proof(s, forced, batch))


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

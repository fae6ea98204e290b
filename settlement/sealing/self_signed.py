"""Lanes that a merchant signs itself: what the operator has of them, and whether a signature is taken in.

A merchant registers a key of its own; from then on its legs of that key's kinds wait for its signature over the very
event that follows from what was posted. The merchant numbers its events, one after the other; a nonce it will not use
for a leg it burns with a VOID. A signature that is taken in is answered by a receipt that promises a batch within two
hours, so nothing is taken in that could not be sealed by then. Pure. Called by `desk`, which keeps all this, and by
`choosing`. Source: docs/protocol §1, §2, §4.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.answers import LegRef
from proofs.accounts import lane_account
from proofs.kinds import RESTRICTED_KINDS, Kind
from proofs.messages import AcceptanceReceipt, PointsEvent, signed_digest
from proofs.signature import SignatureError, recover
from settlement.sealing.lanes import LaneId, Signature

SELF_SIGNED_KINDS: Final = frozenset(Kind) - {Kind.FEE, Kind.EXPIRE, Kind.TRANSFER_OUT, Kind.TRANSFER_IN}
"""What a merchant may sign itself; time and members cause the others, and the delegated lane signs them."""
FREE_KINDS: Final = frozenset({Kind.VOID, Kind.REFERRAL_CASH})
"""Kinds that post nothing: no leg of the journal stands behind them."""
MERGE_SECONDS_MAX: Final = 2 * 60 * 60
VOIDS_WAITING_MAX: Final = 64
"""Of one merchant, with all its keys: a VOID costs it nothing, and everybody's batch has room for so many leaves."""


class SelfLane(NamedTuple):
    """A key that a merchant holds itself. Legs after `from_seq` of the journal wait for it; from batch `to_batch` on it
    is no longer in force (None: no end). `restricted`: its merchant is suspended, delinquent or gone.
    """

    merchant_id: int
    key_id: int
    address: bytes
    kinds: frozenset[Kind]
    from_seq: int
    to_batch: int | None
    restricted: bool = False

    @property
    def id(self) -> LaneId:
        return LaneId(self.merchant_id, self.key_id)

    @property
    def account(self) -> bytes:
        """The lane's account, as in the rows."""
        return lane_account(self.merchant_id, self.key_id)

    @property
    def kinds_taken_in(self) -> frozenset[Kind]:
        """What it may sign now."""
        signable = self.kinds & SELF_SIGNED_KINDS
        return signable & RESTRICTED_KINDS if self.restricted else signable

    def in_force(self, batch_no: int) -> bool:
        """Whether the contracts know the key in this batch."""
        return self.to_batch is None or batch_no < self.to_batch


class Signed(NamedTuple):
    """An event with its merchant's signature, and the leg it stands for; None for one that posts nothing."""

    event: PointsEvent
    signature: Signature
    source: LegRef | None


@dataclass(frozen=True, slots=True)
class Inbox:
    """All self-signed lanes and what was taken in of them: by leg, and by lane and nonce what posts nothing."""

    lanes: tuple[SelfLane, ...] = ()
    signed: Mapping[LegRef, Signed] = field(default_factory=dict)
    free: Mapping[tuple[LaneId, int], Signed] = field(default_factory=dict)

    def lane_for(self, merchant_id: int, kind: int, *, seq: int, batch_no: int) -> SelfLane | None:
        """The lane that must sign a leg of journal entry `seq` in this batch; None where the alliance signs."""
        for lane in self.lanes:
            in_force = lane.from_seq < seq and lane.in_force(batch_no)
            if lane.merchant_id == merchant_id and kind in lane.kinds & SELF_SIGNED_KINDS and in_force:
                return lane
        return None

    def burns(self, batch_no: int) -> bool:
        """Whether a nonce waits to be burned that can be in this batch."""
        in_force = {lane.id for lane in self.lanes if lane.in_force(batch_no)}
        return any(lane_id in in_force for lane_id, _ in self.free)


class Why(StrEnum):
    """Why a signature is not taken in."""

    LANE_UNKNOWN = "lane-unknown"
    """No key of this merchant and number, or not for this kind (of one that is suspended, few), or revoked."""
    NOTHING_TO_SIGN = "nothing-to-sign"
    """No leg waits for this lane there, or what it refers to has no id yet."""
    TOO_MANY = "too-many"
    """As many VOIDs of this merchant wait for a batch as may."""
    WAITS = "waits"
    """An earlier leg of the same member waits for its signature: this one could not be sealed in time."""
    FIELDS = "fields"
    """The event is not what follows from the leg; the first field that differs is named."""
    NONCE = "nonce"
    """Not the number after the lane's last one."""
    SIGNATURE = "signature"
    """Malformed or high-s, or of another key."""
    HUB = "hub"
    """For another hub than the one that the ledger is at; or it is on its way to another one."""
    SIGNED = "signed"
    """The leg was signed before, otherwise."""


class IntakeRefused(ValueError):
    """A signature is not taken in; nothing has changed. `expected` and `actual` are both sides of a mismatch."""

    def __init__(self, why: Why, place: str, *, expected: object, actual: object) -> None:
        super().__init__(f"{why} at {place}: expected {expected}, found {actual}")
        self.why = why
        self.place = place
        self.expected = expected
        self.actual = actual


def check(signed: Signed, *, prepared: PointsEvent, lane: SelfLane, last_nonce: int, separator: bytes) -> None:
    """Whether `signed` may be taken in. `prepared` is the event that follows from the leg, whatever its nonce;
    `last_nonce` the lane's last one that was taken in. Raises `IntakeRefused` in the order of `Why`.
    """
    event = signed.event
    if event.kind not in lane.kinds_taken_in:
        raise IntakeRefused(Why.LANE_UNKNOWN, "kind", expected=sorted(lane.kinds_taken_in), actual=event.kind)
    for name in PointsEvent.__slots__:
        expected, actual = getattr(prepared, name), getattr(event, name)
        if name != "nonce" and expected != actual:
            raise IntakeRefused(Why.FIELDS, name, expected=expected, actual=actual)
    if event.nonce != last_nonce + 1:
        raise IntakeRefused(Why.NONCE, "nonce", expected=last_nonce + 1, actual=event.nonce)
    try:
        signer = recover(signed_digest(separator, event.hash_struct()), *signed.signature)
    except SignatureError as error:
        raise IntakeRefused(Why.SIGNATURE, "signature", expected="compact, low-s", actual=error) from error
    if signer != lane.address:
        raise IntakeRefused(Why.SIGNATURE, "signature", expected=lane.address.hex(), actual=signer.hex())


def void(lane: SelfLane, *, nonce: int, occurred_at: int) -> PointsEvent:
    """The event that burns a nonce. `occurred_at` in Unix seconds is the merchant's word."""
    zero = bytes(32)
    return PointsEvent(Kind.VOID, *lane.id, nonce, occurred_at, 0, zero, 0, 0, 0, zero, 0, 0, 0, zero)


def receipt(signed: Signed, *, accepted_at: int) -> AcceptanceReceipt:
    """What the operator promises for it, to be signed with its receipt key. Unix seconds."""
    event = signed.event
    return AcceptanceReceipt(
        event_hash=event.hash_struct(),
        merchant_id=event.merchant_id,
        key_id=event.key_id,
        nonce=event.nonce,
        accepted_at=accepted_at,
        merge_by=accepted_at + MERGE_SECONDS_MAX,
    )

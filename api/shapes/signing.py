"""What a merchant that signs itself is offered and sends back. Data only. A field is added, never renamed."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

Number = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,38})\Z", description="An integer in decimal digits.")]
Word = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}\Z", description="32 bytes in hex.")]
Compact = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{128}\Z", description="r and vs, 64 bytes in hex (EIP-2098).")]
Position = Annotated[int, Meta(ge=1, le=2**53)]
LegNumber = Annotated[int, Meta(ge=1, le=32_767)]


class EventMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A PointsEvent as it is signed (EIP-712), field by field."""

    kind: Number
    merchant_id: Number
    key_id: Number
    nonce: Number
    occurred_at: Number
    issuer_id: Number
    member_ref: Word
    points: Number
    terms_id: Number
    settle_amount: Number
    ref_event_id: Word
    campaign_id: Number
    level: Number
    basis: Number
    detail_hash: Word


class SignedEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The message that was signed, and for which leg; both left out for a VOID, which burns its nonce."""

    message: EventMessage
    signature: Compact
    journal_seq: Position | None = None
    leg: LegNumber | None = None


class WaitingOut(Struct, frozen=True, kw_only=True):
    """A leg that waits for a signature of yours. `typed_data` is ready to sign but for the nonce, which you count; null
    while what it refers to waits itself.
    """

    journal_seq: int
    leg: int
    typed_data: dict[str, Any] | None


class LaneOut(Struct, frozen=True, kw_only=True):
    """A key of yours, the nonce it goes on with, and what waits for it, in the order in which it can be signed."""

    key_id: int
    address: str
    next_nonce: int
    waiting: list[WaitingOut]


class LanesOut(Struct, frozen=True, kw_only=True):
    """All keys that you hold yourself."""

    lanes: list[LaneOut]


class AcceptanceOut(Struct, frozen=True, kw_only=True):
    """The operator's promise that the event is in a batch sealed no later than `merge_by`, and its signature."""

    receipt: dict[str, str]
    r: str
    vs: str
    signer: str
    merge_by: str

"""What goes over the wire: the bodies that are taken and the answers that are given. Data and its documentation only.

One description serves decoding, encoding and the OpenAPI page. Invariants: integers are integers (points, AU, minor
units of the settlement currency); times are RFC 3339 with offset; unknown fields are refused; a field is added, never
renamed. Ids are narrower than the ledger's, so that each fits into a path unescaped.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from api.parse import ID_CHARS_MAX, ID_PATTERN
from ledger.units import Positive

EVENTS_PER_BATCH_MAX = 1_000
NAME_CHARS_MAX = 64

# For Python `$` also stands before a last newline; for JSON Schema `\Z` is nothing: `api.openapi` spells it for that.
_PATTERN = ID_PATTERN.removesuffix("$") + r"\Z"

Id = Annotated[str, Meta(min_length=1, max_length=ID_CHARS_MAX, pattern=_PATTERN)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=_PATTERN)]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with offset", examples=["2026-07-01T10:00:00+08:00"])]
Money = Annotated[Positive, Meta(description="Minor units of the settlement currency", examples=[12900])]
Au = Annotated[Positive, Meta(description="AU: 1 AU is 1 minor unit of the settlement currency", examples=[500])]


class Taken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every body has."""

    occurred_at: Moment
    member: Name


class Event(Taken, frozen=True, kw_only=True, tag_field="type"):
    """Something a merchant saw. `id` is the merchant's own and is its idempotency key."""

    id: Id


class OrderPaid(Event, frozen=True, kw_only=True, tag="order.paid"):
    """An order was paid: its points are pending for the merchant's hold, then the member's."""

    order: Name
    amount_minor: Money


class OrderRefunded(Event, frozen=True, kw_only=True, tag="order.refunded"):
    """Money was given back: the points it earned go too. `order` null: which order it was is not known."""

    refund: Name
    order: Name | None
    amount_minor: Money


class MemberJoined(Event, frozen=True, kw_only=True, tag="member.joined"):
    """Somebody joined the alliance, with consent."""


AnyEvent = OrderPaid | OrderRefunded | MemberJoined


class EventBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Events that are taken or refused each for itself, in this order."""

    events: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/AnyEvent"})]],
        Meta(min_length=1, max_length=EVENTS_PER_BATCH_MAX),
    ]
    """Still bytes: each is decoded by itself, so that a bad one does not spoil the rest."""


class Redemption(Taken, frozen=True, kw_only=True):
    """A member pays `au` with points of any issuers. `at_most`: use what is there, up to `au`."""

    redemption: Name
    au: Au
    at_most: bool = False


class RefundOrder(Taken, frozen=True, kw_only=True):
    """As the event order.refunded, for callers that think in requests."""

    refund: Name
    order: Name | None
    amount_minor: Money


class LegOut(Struct, frozen=True, kw_only=True):
    """One part of what happened, as it will stand in a settlement batch. `points` has no sign: the kind gives it."""

    no: int
    kind: str
    signer: int
    issuer: int
    member: str | None
    points: int
    terms_id: int
    au: int
    fee_au: int


class LotOut(Struct, frozen=True, kw_only=True):
    """What happened to one lot of the caller's own points: `points` signed, `remaining` afterwards."""

    lot: str
    points: int
    remaining: int
    au: int
    expires_at: str | None


class BalancesOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Balances after it, where it touched them: the member's with the caller, and the caller's own accounts in AU."""

    points: int | UnsetType = UNSET
    pending: int | UnsetType = UNSET
    cash_au: int | UnsetType = UNSET
    fees_au: int | UnsetType = UNSET


class ReceiptOut(Struct, frozen=True, kw_only=True):
    """It was done, at this position of the journal. `why` says how the figures came out so."""

    event_id: str
    verb: str
    journal_seq: int
    occurred_at: str
    legs: list[LegOut]
    lots: list[LotOut]
    balances: BalancesOut
    why: dict[str, int | str]


class InclusionOut(Struct, frozen=True, kw_only=True):
    """Where one leg is settled. `proof` needs nobody's word once the batch's header is on the chain; null where this
    server cannot open the batch's published file.
    """

    leg: int
    batch_no: int
    leaf_no: int
    state: str
    proof: dict[str, Any] | None


class SealedReceiptOut(ReceiptOut, frozen=True, kw_only=True):
    """A receipt, with the proof of each leg that is sealed already."""

    inclusions: list[InclusionOut]


class ItemOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event's result. Exactly one of `receipt` and `problem` is there."""

    index: int
    status: int
    replayed: bool | UnsetType = UNSET
    receipt: ReceiptOut | UnsetType = UNSET
    problem: Annotated[Raw | UnsetType, Meta(extra_json_schema={"$ref": "#/components/schemas/ProblemOut"})] = UNSET


class BatchOut(Struct, frozen=True, kw_only=True):
    """The results in the order of the events."""

    taken: int
    refused: int
    results: list[ItemOut]


class MemberBalancesOut(Struct, frozen=True, kw_only=True):
    """What a member has with the calling merchant, and what can be used there of all issuers' points together."""

    member: str
    journal_seq: int
    as_of: str
    points: int
    pending: int
    debt: int
    available_au: int


class AttestationOut(Struct, frozen=True, kw_only=True):
    """One attester's signature over a header."""

    attester: str
    r: str
    vs: str


class TransactionOut(Struct, frozen=True, kw_only=True):
    """A transaction signed for the batch, and what became of it."""

    purpose: str
    hash: str
    status: str
    block_number: int | None
    gas_used: int | None


class NetOut(Struct, frozen=True, kw_only=True):
    """What one party receives (+) or pays (-), in base units of the settlement asset: 10,000 to an AU."""

    merchant_id: int
    base_units: str


class SettlementBatchOut(Struct, frozen=True, kw_only=True):
    """A batch as anybody may know it. The header is spelled as in the contract; words are hex, integers text."""

    batch_no: int
    state: str
    settling: bool
    header_hash: str
    header: dict[str, str]
    nets: list[NetOut]
    attestations: list[AttestationOut]
    transactions: list[TransactionOut]


class HealthOut(Struct, frozen=True, kw_only=True):
    """The process is alive."""

    status: Literal["ok"]


class ReadyOut(HealthOut, frozen=True, kw_only=True):
    """The database answers; this is its last journal position."""

    journal_seq: int

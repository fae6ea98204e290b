"""What can be asked of the ledger: one frozen command per verb. No behaviour. Callers of the poster build them; the
verbs decide them.

A command is data: its canonical JSON (`canonical`) is what is validated, compared on replay, kept in the journal and
played again by a rebuild. Every command carries `key`, the idempotency key, unique in the whole ledger, and `at_ms`,
when it happened (valid time); the journal position is when it was recorded. Ranges are in the types (`ledger.units`)
and are checked when the command arrives; state is checked by the verb, in its documented order.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ledger.units import (
    NETS_MAX,
    BpsShare,
    DurationMs,
    Id,
    Key,
    Millis,
    Name,
    NotNegative,
    Positive,
    RatePart,
    TermsNo,
)
from proofs.kinds import ON_REDEMPTION

RefundPolicy = Literal["only_pending", "within_balance", "debt"]


class Command(Struct, frozen=True, kw_only=True, gc=False, tag_field="verb"):
    """What every command carries."""

    key: Key
    at_ms: Millis


class EarnRate(Struct, frozen=True):
    """`points` for every `per_minor` minor units paid: points = floor(amount · points / per_minor)."""

    points: Annotated[int, Meta(ge=0, le=1_000_000)]
    per_minor: RatePart


class ForDays(Struct, frozen=True, tag="days", tag_field="kind"):
    """A lot expires this many days of 86,400 s after it is confirmed."""

    days: Annotated[int, Meta(ge=1, le=36_600)]


class Until(Struct, frozen=True, tag="until", tag_field="kind"):
    """Every lot expires at this instant, exclusive."""

    until_ms: Millis


class OpenMerchant(Command, frozen=True, kw_only=True, gc=False, tag="open_merchant"):
    """A merchant joins, as issuer of its own points and acceptor of all.

    `credit_limit_au` is the collateral behind its debts (None: unlimited), of which `haircut_bps` counts.
    """

    merchant_id: Id
    code: Name
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    earn: EarnRate
    hold_ms: DurationMs
    validity: ForDays | Until
    redemption_fee_bps: BpsShare
    issuance_fee_bps: BpsShare
    refund_policy: RefundPolicy
    credit_limit_au: NotNegative | None = None
    haircut_bps: BpsShare = 10_000


class PublishTerms(Command, frozen=True, kw_only=True, gc=False, tag="publish_terms"):
    """One point of `issuer_id` is worth au_num/au_den AU from `at_ms` on; locked into each lot when it is earned."""

    terms_id: TermsNo
    issuer_id: Id
    au_num: RatePart
    au_den: RatePart
    mode: int = ON_REDEMPTION


class Enrol(Command, frozen=True, kw_only=True, gc=False, tag="enrol"):
    """A member joins the alliance."""

    member: Name


class Earn(Command, frozen=True, kw_only=True, gc=False, tag="earn"):
    """An order was paid. Its points are pending for the merchant's hold; with no hold they are confirmed in the same
    journal entry.
    """

    merchant_id: Id
    member: Name
    order: Name
    amount_minor: Positive


class Confirm(Command, frozen=True, kw_only=True, gc=False, tag="confirm"):
    """The hold of an order is over: what still stands of its points becomes spendable."""

    order_merchant_id: Id
    order: Name


class Redeem(Command, frozen=True, kw_only=True, gc=False, tag="redeem"):
    """A member pays `au` at a merchant with points of any issuers, captured at once.

    `at_most`: draw what is there, up to `au`. `over_limit`: when an issuer's collateral cannot bear its leg, skip that
    issuer's lots or decline.
    """

    merchant_id: Id
    member: Name
    redemption: Name
    au: Positive
    at_most: bool = False
    over_limit: Literal["skip", "decline"] = "skip"


class Refund(Command, frozen=True, kw_only=True, gc=False, tag="refund"):
    """Money was given back for `order` (None: its origin is unknown), so the points it earned go too."""

    merchant_id: Id
    member: Name
    refund: Name
    order: Name | None
    amount_minor: Positive


class ChargeFees(Command, frozen=True, kw_only=True, gc=False, tag="charge_fees"):
    """The cycle's accrued fees move into cash, one FEE leg per merchant that has any."""

    cycle: Name


class Net(Struct, frozen=True):
    """What the chain moved for one party in AU: positive received, negative paid."""

    merchant_id: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    au: int


class SettleNets(Command, frozen=True, kw_only=True, gc=False, tag="settle_nets"):
    """A settling batch was finalised: what the chain moved, strictly ascending by merchant, no zero, sum zero."""

    batch_no: Positive
    nets: Annotated[tuple[Net, ...], Meta(max_length=NETS_MAX)]


AnyCommand = OpenMerchant | PublishTerms | Enrol | Earn | Confirm | Redeem | Refund | ChargeFees | SettleNets

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def canonical(command: Command) -> bytes:
    """The command as JSON with its fields in declared order: one byte string per command, whoever wrote it."""
    return _encoder.encode(command)


def parse(canonical: bytes) -> AnyCommand:
    """The command of `canonical` bytes. Raises msgspec.ValidationError, which names the field, when a value is outside
    its type.
    """
    return _decoder.decode(canonical)

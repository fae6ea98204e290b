"""Commands that say what merchants promise: accounts, rates, campaigns, tiers. Each is kept in the registry, which is
held whole. No behaviour.

What a rate or a campaign was when an order was paid is locked into the order; a later command leaves it as it is.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger.commands.command import Command
from ledger.units import (
    REFERRAL_BPS_MAX,
    REFERRAL_LEVELS_MAX,
    TIERS_MAX,
    BpsShare,
    CampaignNo,
    DurationMs,
    Id,
    Millis,
    Name,
    NotNegative,
    Positive,
    RatePart,
    TermsNo,
)
from proofs.kinds import ON_REDEMPTION

RefundPolicy = Literal["only_pending", "within_balance", "debt"]
TransferPolicy = Literal["none", "pool", "all"]
Title = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
"""What people read, in any script. No control characters: PostgreSQL cannot look into JSON that has a NUL, and the
journal is for ever.
"""


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

    `credit_limit_au` is the collateral behind its debts (None: unlimited), of which `haircut_bps` counts. `transfers`
    says between whom its points may move. One person may adjust `adjust_alone_max` points a day (UTC), up and down
    together; what is above needs a second person (None: never). `breakage_bps` is the operator's share of what expiry
    returns from the reserve, rounded up. A worse rate takes effect `notice_ms` after it was published, at the earliest.
    """

    merchant_id: Id
    code: Name
    name: Title
    earn: EarnRate
    hold_ms: DurationMs
    validity: ForDays | Until
    redemption_fee_bps: BpsShare
    issuance_fee_bps: BpsShare
    refund_policy: RefundPolicy
    credit_limit_au: NotNegative | None = None
    haircut_bps: BpsShare = 10_000
    transfers: TransferPolicy = "none"
    adjust_alone_max: NotNegative | None = None
    breakage_bps: BpsShare = 0
    notice_ms: DurationMs = 0


class PublishTerms(Command, frozen=True, kw_only=True, gc=False, tag="publish_terms"):
    """One point of `issuer_id` is worth au_num/au_den AU from `from_ms` on (None: from `at_ms`); locked into each lot
    when it is earned. `mode` says when the issuer pays: on redemption, or on issuance into the reserve.
    """

    terms_id: TermsNo
    issuer_id: Id
    au_num: RatePart
    au_den: RatePart
    mode: Annotated[int, Meta(ge=0, le=1)] = ON_REDEMPTION
    from_ms: Millis | None = None


class PublishExchange(Command, frozen=True, kw_only=True, gc=False, tag="publish_exchange"):
    """`num` points of `to_issuer_id` for `den` of `from_issuer_id` from `at_ms` on: q = floor(p · num / den)."""

    from_issuer_id: Id
    to_issuer_id: Id
    num: RatePart
    den: RatePart


class PublishCampaign(Command, frozen=True, kw_only=True, gc=False, tag="publish_campaign"):
    """A seller rewards referrals of orders paid from `at_ms` until `until_ms`, exclusive.

    `level_bps` are the shares of the net sale for the first and second level above the buyer. The basis is rounded down
    to `basis_bucket_minor`; below `min_basis_minor` there is no reward; one reward is worth at most `reward_au_max`.
    """

    campaign_id: CampaignNo
    merchant_id: Id
    level_bps: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=REFERRAL_BPS_MAX)], ...], Meta(min_length=1, max_length=REFERRAL_LEVELS_MAX)
    ]
    until_ms: Millis
    basis_bucket_minor: Positive = 1
    min_basis_minor: NotNegative = 0
    reward_au_max: Positive | None = None


class StopCampaign(Command, frozen=True, kw_only=True, gc=False, tag="stop_campaign"):
    """The kill switch: orders paid from `at_ms` on earn no referral reward of this campaign."""

    campaign_id: CampaignNo


class Tier(Struct, frozen=True):
    """A tier and the qualifying AU within the window that reach it."""

    code: Name
    qualifying_au: NotNegative


class SetTiers(Command, frozen=True, kw_only=True, gc=False, tag="set_tiers"):
    """The alliance's tiers, ascending, the first from 0; over which window AU count, and how long a tier that is no
    longer reached is kept. `downgrade` says how far a member then falls: one tier at a time, or to what is reached.
    """

    tiers: Annotated[tuple[Tier, ...], Meta(min_length=1, max_length=TIERS_MAX)]
    window_ms: DurationMs
    grace_ms: DurationMs = 0
    downgrade: Literal["one", "reached"] = "reached"


class SetCollateral(Command, frozen=True, kw_only=True, gc=False, tag="set_collateral"):
    """What a merchant has on the chain to pay its debts with, less what it has announced to take out. Where it has a
    limit, no more than that counts of it, until the next of these.
    """

    merchant_id: Id
    collateral_au: NotNegative


class FreezeMerchant(Command, frozen=True, kw_only=True, gc=False, tag="freeze_merchant"):
    """An issuer that leaves stops issuing; its points stay redeemable, backed by reserve or collateral (run-off)."""

    merchant_id: Id
    reason: Name


class UnfreezeMerchant(Command, frozen=True, kw_only=True, gc=False, tag="unfreeze_merchant"):
    """An issuer that was to leave stays: it issues again."""

    merchant_id: Id


class CloseMerchant(Command, frozen=True, kw_only=True, gc=False, tag="close_merchant"):
    """The run-off of a frozen issuer ends: what its points are still worth is recorded as claims."""

    merchant_id: Id

"""What merchants and the alliance promise: rates, exchange rates, campaigns, merchants, tiers, cycles. Data only.

Decoded and documented by `api.configuration` and `api.operators`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.shapes.values import Au, Body, MerchantNo, Moment, Money, Name, Serial
from ledger.commands.configuring import Title
from ledger.units import AMOUNT_MAX, BPS, RATE_PART_MAX, REFERRAL_BPS_MAX, REFERRAL_LEVELS_MAX, TIERS_MAX

DAYS_MAX = 36_600
SECONDS_MAX = DAYS_MAX * 86_400

RatePart = Annotated[int, Meta(ge=1, le=RATE_PART_MAX)]
Bps = Annotated[int, Meta(ge=0, le=BPS, description="Basis points: 100 is 1 %")]
NotNegative = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
Seconds = Annotated[int, Meta(ge=0, le=SECONDS_MAX)]


class Rate(Body, frozen=True, kw_only=True):
    """One of the caller's points is worth au_num/au_den AU from `starts_at` on (null: at once), locked into each order
    when it is paid. `mode`: the issuer pays when its points are used, or when they are issued.
    """

    terms_id: Serial
    au_num: RatePart
    au_den: RatePart
    mode: Literal["on_redemption", "on_issuance"] = "on_redemption"
    starts_at: Moment | None = None


class ExchangeRate(Body, frozen=True, kw_only=True):
    """The caller gives `num` of its points for `den` of another issuer's, from `occurred_at` on."""

    from_issuer: MerchantNo
    num: RatePart
    den: RatePart


class Campaign(Body, frozen=True, kw_only=True):
    """The caller rewards referrals of orders paid from `occurred_at` until `ends_at`, exclusive: `level_bps` of the net
    sale for the first and second level above the buyer.
    """

    campaign_id: Serial
    level_bps: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=REFERRAL_BPS_MAX)], ...], Meta(min_length=1, max_length=REFERRAL_LEVELS_MAX)
    ]
    ends_at: Moment
    basis_bucket_minor: Money = 1
    min_basis_minor: NotNegative = 0
    reward_au_max: Au | None = None


class StopOfCampaign(Body, frozen=True, kw_only=True):
    """The kill switch: orders paid from `occurred_at` on earn no referral reward of the campaign."""


class NewMerchant(Body, frozen=True, kw_only=True):
    """A merchant joins. It gives `earn_points` for every `earn_per_minor` paid, confirmed after `hold_seconds`, valid
    for `valid_days` or until `valid_until`, one of the two.

    `credit_limit_au` is its collateral (null: unlimited), of which `haircut_bps` counts. `adjust_alone_max`: a larger
    adjustment takes two people (null: never).
    """

    merchant_id: MerchantNo
    code: Name
    name: Title
    earn_points: Annotated[int, Meta(ge=0, le=1_000_000)]
    earn_per_minor: RatePart
    redemption_fee_bps: Bps
    issuance_fee_bps: Bps
    refund_policy: Literal["only_pending", "within_balance", "debt"]
    hold_seconds: Seconds = 0
    valid_days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] | None = None
    valid_until: Moment | None = None
    credit_limit_au: NotNegative | None = None
    haircut_bps: Bps = BPS
    transfers: Literal["none", "pool", "all"] = "none"
    adjust_alone_max: NotNegative | None = None
    breakage_bps: Bps = 0
    notice_seconds: Seconds = 0


class FreezeIssuer(Body, frozen=True, kw_only=True):
    """An issuer that leaves stops issuing, for `reason` (a word); its points stay redeemable."""

    reason: Name


class UnfreezeIssuer(Body, frozen=True, kw_only=True):
    """An issuer that was to leave stays: it issues again."""


class CloseIssuer(Body, frozen=True, kw_only=True):
    """The run-off of a frozen issuer ends: what its points are still worth is recorded as claims."""


class TierStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tier and the qualifying AU within the window that reach it."""

    code: Name
    qualifying_au: NotNegative


class Tiers(Body, frozen=True, kw_only=True):
    """The alliance's tiers, ascending, the first from 0; over which window AU count and how long a tier that is no
    longer reached is kept. `downgrade`: by one tier at a time, or to what is reached.
    """

    tiers: Annotated[tuple[TierStep, ...], Meta(min_length=1, max_length=TIERS_MAX)]
    window_seconds: Seconds
    grace_seconds: Seconds = 0
    downgrade: Literal["one", "reached"] = "reached"


class CycleEnd(Body, frozen=True, kw_only=True):
    """The cycle ends: the fees accrued in it become cash."""

    cycle: Name

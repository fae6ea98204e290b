"""Answers about what merchants promise: rates, exchange rates, campaigns. Data only. A field is added, never
renamed. Made by `api.configuration`.
"""

from __future__ import annotations

from msgspec import Struct


class RateOut(Struct, frozen=True, kw_only=True):
    """One point was worth au_num/au_den AU for orders paid from `starts_at` on, until the next one starts."""

    terms_id: int
    au_num: int
    au_den: int
    mode: str
    starts_at: str


class ExchangeRateOut(Struct, frozen=True, kw_only=True):
    """`num` points of `to_issuer` for `den` of `from_issuer`."""

    from_issuer: int
    to_issuer: int
    num: int
    den: int
    starts_at: str


class RatesOut(Struct, frozen=True, kw_only=True):
    """The caller's rates, every exchange rate that it gives or gets, and the number that its next rate may have."""

    rates: list[RateOut]
    exchanges: list[ExchangeRateOut]
    next_terms_id: int


class CampaignOut(Struct, frozen=True, kw_only=True):
    """A referral campaign; `stopped_at` where its kill switch was pulled."""

    campaign_id: int
    level_bps: list[int]
    starts_at: str
    ends_at: str
    stopped_at: str | None
    basis_bucket_minor: int
    min_basis_minor: int
    reward_au_max: int | None


class CampaignsOut(Struct, frozen=True, kw_only=True):
    """The caller's campaigns, and the number that the next one may have."""

    campaigns: list[CampaignOut]
    next_campaign_id: int

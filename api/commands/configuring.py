"""What merchants and the alliance promise, as commands. Called by `api.configuration` and `api.operators`."""

from __future__ import annotations

from api.commands import Asked
from api.parse import milliseconds
from api.problems import invalid
from api.shapes.configuring import (
    Campaign,
    CloseIssuer,
    CycleEnd,
    ExchangeRate,
    FreezeIssuer,
    NewMerchant,
    Rate,
    StopOfCampaign,
    Tiers,
    UnfreezeIssuer,
)
from ledger.commands import (
    ChargeFees,
    CloseMerchant,
    EarnRate,
    ForDays,
    FreezeMerchant,
    OpenMerchant,
    PublishCampaign,
    PublishExchange,
    PublishTerms,
    SetTiers,
    StopCampaign,
    Tier,
    UnfreezeMerchant,
    Until,
)
from proofs.kinds import ON_ISSUANCE, ON_REDEMPTION

_MODES = {"on_redemption": ON_REDEMPTION, "on_issuance": ON_ISSUANCE}
_SECOND_MS = 1_000


def rate(body: Rate, asked: Asked) -> PublishTerms:
    """What a point of the caller's is worth."""
    return PublishTerms(
        key=asked.key,
        at_ms=asked.at_ms,
        terms_id=body.terms_id,
        issuer_id=asked.merchant_id,
        au_num=body.au_num,
        au_den=body.au_den,
        mode=_MODES[body.mode],
        from_ms=None if body.starts_at is None else milliseconds(body.starts_at, pointer="/starts_at"),
    )


def exchange_rate(body: ExchangeRate, asked: Asked) -> PublishExchange:
    """What the caller gives for another issuer's points: who issues decides."""
    return PublishExchange(
        key=asked.key,
        at_ms=asked.at_ms,
        from_issuer_id=body.from_issuer,
        to_issuer_id=asked.merchant_id,
        num=body.num,
        den=body.den,
    )


def campaign(body: Campaign, asked: Asked) -> PublishCampaign:
    """Referral rewards for the caller's sales."""
    return PublishCampaign(
        key=asked.key,
        at_ms=asked.at_ms,
        campaign_id=body.campaign_id,
        merchant_id=asked.merchant_id,
        level_bps=body.level_bps,
        until_ms=milliseconds(body.ends_at, pointer="/ends_at"),
        basis_bucket_minor=body.basis_bucket_minor,
        min_basis_minor=body.min_basis_minor,
        reward_au_max=body.reward_au_max,
    )


def stop_campaign(_body: StopOfCampaign, asked: Asked) -> StopCampaign:
    """No more rewards; that the campaign is the caller's is for the handler to see."""
    return StopCampaign(key=asked.key, at_ms=asked.at_ms, campaign_id=int(asked.named["campaign_id"]))


def open_merchant(body: NewMerchant, asked: Asked) -> OpenMerchant:
    """A merchant joins."""
    return OpenMerchant(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=body.merchant_id,
        code=body.code,
        name=body.name,
        earn=EarnRate(points=body.earn_points, per_minor=body.earn_per_minor),
        hold_ms=body.hold_seconds * _SECOND_MS,
        validity=_validity(body),
        redemption_fee_bps=body.redemption_fee_bps,
        issuance_fee_bps=body.issuance_fee_bps,
        refund_policy=body.refund_policy,
        credit_limit_au=body.credit_limit_au,
        haircut_bps=body.haircut_bps,
        transfers=body.transfers,
        adjust_alone_max=body.adjust_alone_max,
        breakage_bps=body.breakage_bps,
        notice_ms=body.notice_seconds * _SECOND_MS,
    )


def _validity(body: NewMerchant) -> ForDays | Until:
    if body.valid_days is not None and body.valid_until is None:
        return ForDays(days=body.valid_days)
    if body.valid_until is not None and body.valid_days is None:
        return Until(until_ms=milliseconds(body.valid_until, pointer="/valid_until"))
    raise invalid("/valid_days", "wants either valid_days or valid_until")


def freeze_merchant(body: FreezeIssuer, asked: Asked) -> FreezeMerchant:
    """An issuer stops issuing."""
    return FreezeMerchant(
        key=asked.key, at_ms=asked.at_ms, merchant_id=int(asked.named["merchant_id"]), reason=body.reason
    )


def unfreeze_merchant(_body: UnfreezeIssuer, asked: Asked) -> UnfreezeMerchant:
    """It stays after all."""
    return UnfreezeMerchant(key=asked.key, at_ms=asked.at_ms, merchant_id=int(asked.named["merchant_id"]))


def close_merchant(_body: CloseIssuer, asked: Asked) -> CloseMerchant:
    """Its run-off is over."""
    return CloseMerchant(key=asked.key, at_ms=asked.at_ms, merchant_id=int(asked.named["merchant_id"]))


def tiers(body: Tiers, asked: Asked) -> SetTiers:
    """The alliance's tiers."""
    return SetTiers(
        key=asked.key,
        at_ms=asked.at_ms,
        tiers=tuple(Tier(code=each.code, qualifying_au=each.qualifying_au) for each in body.tiers),
        window_ms=body.window_seconds * _SECOND_MS,
        grace_ms=body.grace_seconds * _SECOND_MS,
        downgrade=body.downgrade,
    )


def end_cycle(body: CycleEnd, asked: Asked) -> ChargeFees:
    """Accrued fees become cash."""
    return ChargeFees(key=asked.key, at_ms=asked.at_ms, cycle=body.cycle)

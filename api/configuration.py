"""What a merchant promises: what its points are worth, what it exchanges, what it pays for referrals. Mounted by
`api.app`.

A promise is dated at most minutes back, because its time decides whether a notice period was kept. Lists are short and
whole: a merchant sees its own, and the exchange rates that lead to its points.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api import examples
from api.auth import Caller, allowed
from api.commands import configuring
from api.door import Door, door_of
from api.openapi import documented
from api.parse import moment, no_parameters
from api.problems import invalid
from api.shapes.configuring import Campaign, ExchangeRate, Rate, StopOfCampaign
from api.shapes.promises import CampaignOut, CampaignsOut, ExchangeRateOut, RateOut, RatesOut
from api.writes import PROMISE_AGE_SECONDS_MAX, Write, mount
from ledger.commands import PublishCampaign, PublishExchange, PublishTerms, StopCampaign
from ledger.queries import registry
from ledger.registry import in_force_from
from proofs.kinds import ON_ISSUANCE

router = APIRouter()
READER = Annotated[Caller, Depends(allowed("configuration:read"))]
_encode = msgspec.json.Encoder().encode


def _own_campaign(door: Door, caller: Caller, command: StopCampaign) -> None:
    """Refuses with campaign-unknown what is not the caller's: whose else it is, is nobody's business."""
    with door.reading() as connection:
        campaign = registry(connection).campaigns.get(command.campaign_id)
    if campaign is None or campaign.merchant_id != caller.merchant_id:
        raise invalid("#path/campaign_id", "you have no campaign of this number", code="campaign-unknown")


mount(
    router,
    Write(
        path="/v1/rates",
        name="post_rate",
        scope="configuration:write",
        takes=Rate,
        makes=configuring.rate,
        verbs=("publish_terms",),
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        summary="Publish what one of your points is worth",
        text="Locked into each order when it is paid; a worse rate begins after your notice period at the earliest.",
        example=examples.RATE,
    ),
    Write(
        path="/v1/exchange-rates",
        name="post_exchange_rate",
        scope="configuration:write",
        takes=ExchangeRate,
        makes=configuring.exchange_rate,
        verbs=("publish_exchange",),
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        summary="Publish what you give for another issuer's points",
        text="q = floor(p · num / den) of your points for p of theirs, from `occurred_at` on.",
        example=examples.EXCHANGE_RATE,
    ),
)
mount(
    router,
    Write(
        path="/v1/campaigns",
        name="post_campaign",
        scope="configuration:write",
        takes=Campaign,
        makes=configuring.campaign,
        verbs=("publish_campaign",),
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        summary="Reward referrals",
        text="At most two levels above the buyer, a share of the net sale each, in your points, pending as long as the"
        " order is and taken back with it.",
        example=examples.CAMPAIGN,
    ),
    Write(
        path="/v1/campaigns/{campaign_id}/stop",
        name="post_campaign_stop",
        scope="configuration:write",
        takes=StopOfCampaign,
        makes=configuring.stop_campaign,
        verbs=("stop_campaign",),
        named={"campaign_id": 12},
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        check=_own_campaign,
        check_codes=("campaign-unknown",),
        summary="The kill switch of a campaign",
        text="Orders paid from `occurred_at` on earn no reward of it; what is promised stays promised.",
        example=examples.MOMENT,
    ),
)


@router.get(
    "/v1/rates",
    **documented(
        "Your rates",
        "What your points are and were worth, and what you and others give in exchange for points of each other.",
        gives=(200, "All of them, oldest first", "RatesOut"),
        codes=("field-invalid",),
    ),
)
def get_rates(request: Request, caller: READER) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        promised = registry(connection)
    mine = caller.merchant_id
    found = RatesOut(
        rates=[_rate(each) for each in promised.terms_of.get(mine, [])],
        exchanges=[
            _exchange(each) for pair, rates in sorted(promised.exchanges.items()) if mine in pair for each in rates
        ],
        next_terms_id=max(promised.terms, default=0) + 1,
    )
    return Response(_encode(found), media_type="application/json")


def _rate(terms: PublishTerms) -> RateOut:
    return RateOut(
        terms_id=terms.terms_id,
        au_num=terms.au_num,
        au_den=terms.au_den,
        mode="on_issuance" if terms.mode == ON_ISSUANCE else "on_redemption",
        starts_at=moment(in_force_from(terms)),
    )


def _exchange(rate: PublishExchange) -> ExchangeRateOut:
    return ExchangeRateOut(
        from_issuer=rate.from_issuer_id,
        to_issuer=rate.to_issuer_id,
        num=rate.num,
        den=rate.den,
        starts_at=moment(rate.at_ms),
    )


@router.get(
    "/v1/campaigns",
    **documented(
        "Your campaigns",
        "What you pay, or paid, for referrals.",
        gives=(200, "All of them, oldest first", "CampaignsOut"),
        codes=("field-invalid",),
    ),
)
def get_campaigns(request: Request, caller: READER) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        promised = registry(connection)
    found = CampaignsOut(
        campaigns=[
            _campaign(each, promised.stopped.get(each.campaign_id))
            for each in promised.campaigns_of.get(caller.merchant_id, [])
        ],
        next_campaign_id=max(promised.campaigns, default=0) + 1,
    )
    return Response(_encode(found), media_type="application/json")


def _campaign(campaign: PublishCampaign, stopped_ms: int | None) -> CampaignOut:
    return CampaignOut(
        campaign_id=campaign.campaign_id,
        level_bps=list(campaign.level_bps),
        starts_at=moment(campaign.at_ms),
        ends_at=moment(campaign.until_ms),
        stopped_at=None if stopped_ms is None else moment(stopped_ms),
        basis_bucket_minor=campaign.basis_bucket_minor,
        min_basis_minor=campaign.min_basis_minor,
        reward_au_max=campaign.reward_au_max,
    )

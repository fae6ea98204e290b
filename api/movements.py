"""Points that change hands, currency or number: transfers, exchanges, adjustments, opening balances. Mounted by
`api.app`.
"""

from __future__ import annotations

from fastapi import APIRouter

from api import examples
from api.commands import moving
from api.shapes.moving import Adjustment, AdjustmentDecision, MemberTransfer, OpeningBalance, PointsExchange
from api.writes import PROMISE_AGE_SECONDS_MAX, SPENDING_AGE_SECONDS_MAX, Write, mount

router = APIRouter()
ADJUSTMENT = {"adjustment": "fix-2026-071"}

mount(
    router,
    Write(
        path="/v1/transfers",
        name="post_transfer",
        scope="transfers:write",
        takes=MemberTransfer,
        makes=moving.transfer,
        verbs=("transfer",),
        age_seconds_max=SPENDING_AGE_SECONDS_MAX,
        summary="Give points to another member",
        text="Your own points, if the alliance opened you for transfers; inside a family pool up to its cap. Each lot"
        " keeps its rate and expiry.",
        example=examples.TRANSFER,
    ),
    Write(
        path="/v1/exchanges",
        name="post_exchange",
        scope="transfers:write",
        takes=PointsExchange,
        makes=moving.exchange,
        verbs=("exchange",),
        may_try=lambda body, caller: body.from_issuer == caller.merchant_id,
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        summary="Exchange points of one issuer for another's",
        text="At the newest rate that the giving issuer published; takes the fewest points that give as many. You are"
        " one of the two issuers; dry_run is for your own points alone.",
        example=examples.EXCHANGE,
    ),
    Write(
        path="/v1/adjustments",
        name="post_adjustment",
        scope="adjustments:write",
        takes=Adjustment,
        makes=moving.adjust,
        verbs=("adjust",),
        age_seconds_max=SPENDING_AGE_SECONDS_MAX,
        summary="Correct a member's points",
        text="Your own points, up or down, with a reason. Above what one person of yours may correct in a day (UTC)"
        " nothing moves until a second person approves.",
        example=examples.ADJUSTMENT,
    ),
    Write(
        path="/v1/adjustments/{adjustment}/approve",
        name="post_approval",
        scope="adjustments:approve",
        takes=AdjustmentDecision,
        makes=moving.approve,
        verbs=("approve_adjustment",),
        named=ADJUSTMENT,
        age_seconds_max=SPENDING_AGE_SECONDS_MAX,
        summary="Approve an adjustment that waits",
        text="By another person than who made it, with a key that was issued for this.",
        example=examples.DECISION,
    ),
    Write(
        path="/v1/adjustments/{adjustment}/reject",
        name="post_rejection",
        scope="adjustments:write",
        takes=AdjustmentDecision,
        makes=moving.reject,
        verbs=("reject_adjustment",),
        named=ADJUSTMENT,
        summary="Drop an adjustment that waits",
        text="By anybody of yours, who made it included.",
        example=examples.DECISION,
    ),
    Write(
        path="/v1/opening-balances",
        name="post_opening_balance",
        scope="openings:write",
        takes=OpeningBalance,
        makes=moving.opening_balance,
        verbs=("open_balance",),
        age_seconds_max=SPENDING_AGE_SECONDS_MAX,
        summary="Bring in a member's points of an old system",
        text="They are confirmed at once under your terms of today, once for each source and member. The key has to be"
        " one that was issued for it.",
        example=examples.OPENING_BALANCE,
    ),
)

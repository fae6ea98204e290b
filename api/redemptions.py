"""Paying with points and what follows: redemptions, holds, cancellations, disputes, refunds. Mounted by `api.app`."""

from __future__ import annotations

from fastapi import APIRouter

from api import examples
from api.commands import events, spending
from api.shapes.spending import (
    CancelCaptured,
    CaptureHold,
    DisputeRedemption,
    Redemption,
    RefundOrder,
    ResolveRedemption,
    VoidHold,
)
from api.writes import SPENDING_AGE_SECONDS_MAX, Write, mount

router = APIRouter()
REDEMPTION = {"redemption": "till-3-5561"}

mount(
    router,
    Write(
        path="/v1/redemptions",
        name="post_redemption",
        scope="redemptions:write",
        takes=Redemption,
        makes=spending.redemption,
        verbs=("redeem", "authorize"),
        age_seconds_max=SPENDING_AGE_SECONDS_MAX,
        tries=lambda body: body.mode == "dry_run",
        summary="Pay with points",
        text="Draws the member's points of any issuers, oldest expiry first, and captures them at once, holds them, or"
        " only says what would happen, as `mode` says.",
        example=examples.REDEMPTION,
    ),
    Write(
        path="/v1/refunds",
        name="post_refund",
        scope="refunds:write",
        takes=RefundOrder,
        makes=events.refund,
        verbs=("refund",),
        summary="Report a refund",
        text="The same as the event order.refunded whose id is this Idempotency-Key.",
        example=examples.REFUND,
    ),
    Write(
        path="/v1/redemptions/{redemption}/capture",
        name="post_capture",
        scope="redemptions:write",
        takes=CaptureHold,
        makes=spending.capture,
        verbs=("capture",),
        named=REDEMPTION,
        age_seconds_max=SPENDING_AGE_SECONDS_MAX,
        summary="Carry out what was authorised",
        text="Whole, or for a part of it; the rest is free again. A hold is resolved once.",
        example=examples.CAPTURE,
    ),
    Write(
        path="/v1/redemptions/{redemption}/void",
        name="post_void",
        scope="redemptions:write",
        takes=VoidHold,
        makes=spending.void,
        verbs=("void",),
        named=REDEMPTION,
        summary="Call off what was authorised",
        text="Everything held is free again.",
        example=examples.VOID,
    ),
    Write(
        path="/v1/redemptions/{redemption}/cancel",
        name="post_cancel",
        scope="redemptions:write",
        takes=CancelCaptured,
        makes=spending.cancel,
        verbs=("cancel_redemption",),
        named=REDEMPTION,
        summary="Give a redemption back",
        text="Whole or in part: the same lots with their own expiry come back, and the difference is posted, fees"
        " included.",
        example=examples.CANCEL,
    ),
    Write(
        path="/v1/redemptions/{redemption}/dispute",
        name="post_dispute",
        scope="disputes:write",
        takes=DisputeRedemption,
        makes=spending.dispute,
        verbs=("dispute",),
        named=REDEMPTION,
        summary="Dispute a redemption of your points elsewhere",
        text="The issuer of points that were drawn says that it should not pay; its legs leave the net until the"
        " alliance resolves it.",
        example=examples.DISPUTE,
    ),
    Write(
        path="/v1/redemptions/{redemption}/resolve",
        name="post_resolve",
        scope="disputes:resolve",
        takes=ResolveRedemption,
        makes=spending.resolve,
        verbs=("resolve_dispute",),
        named=REDEMPTION,
        summary="Resolve a dispute",
        text="The operator's: the redemption stands and re-enters the net, or the points are the member's again.",
        example=examples.RESOLVE,
    ),
)

"""What the alliance's operator decides: merchants, tiers, the end of a cycle. Mounted by `api.app`."""

from __future__ import annotations

from fastapi import APIRouter

from api import examples
from api.commands import configuring
from api.shapes.configuring import CloseIssuer, CycleEnd, FreezeIssuer, NewMerchant, Tiers, UnfreezeIssuer
from api.writes import PROMISE_AGE_SECONDS_MAX, Write, mount

router = APIRouter()
MERCHANT = {"merchant_id": 7}

mount(
    router,
    Write(
        path="/v1/merchants",
        name="post_merchant",
        scope="merchants:write",
        takes=NewMerchant,
        makes=configuring.open_merchant,
        verbs=("open_merchant",),
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        summary="A merchant joins the alliance",
        text="As issuer of its own points and acceptor of everybody's. Its points are worth something once it has"
        " published a rate.",
        example=examples.NEW_MERCHANT,
    ),
    Write(
        path="/v1/merchants/{merchant_id}/freeze",
        name="post_merchant_freeze",
        scope="merchants:write",
        takes=FreezeIssuer,
        makes=configuring.freeze_merchant,
        verbs=("freeze_merchant",),
        named=MERCHANT,
        summary="An issuer that leaves stops issuing",
        text="Its points stay usable, backed by reserve or collateral.",
        example=examples.FREEZE,
    ),
    Write(
        path="/v1/merchants/{merchant_id}/unfreeze",
        name="post_merchant_unfreeze",
        scope="merchants:write",
        takes=UnfreezeIssuer,
        makes=configuring.unfreeze_merchant,
        verbs=("unfreeze_merchant",),
        named=MERCHANT,
        summary="An issuer that was to leave stays",
        text="It issues again; possible until its run-off has ended.",
        example=examples.MOMENT,
    ),
    Write(
        path="/v1/merchants/{merchant_id}/close",
        name="post_merchant_close",
        scope="merchants:write",
        takes=CloseIssuer,
        makes=configuring.close_merchant,
        verbs=("close_merchant",),
        named=MERCHANT,
        summary="The run-off of an issuer ends",
        text="What its points are still worth is recorded as claims.",
        example=examples.MOMENT,
    ),
    Write(
        path="/v1/clearing/cycles",
        name="post_cycle",
        scope="cycles:write",
        takes=CycleEnd,
        makes=configuring.end_cycle,
        verbs=("charge_fees",),
        summary="End a cycle",
        text="The fees accrued since the last one become cash, one leg for each merchant that has any.",
        example=examples.CYCLE_END,
    ),
    Write(
        path="/v1/tiers",
        name="post_tiers",
        scope="merchants:write",
        takes=Tiers,
        makes=configuring.tiers,
        verbs=("set_tiers",),
        age_seconds_max=PROMISE_AGE_SECONDS_MAX,
        summary="Set the alliance's tiers",
        text="Ascending, the first from 0 AU; each member's is looked at again as time goes on.",
        example=examples.TIERS,
    ),
)

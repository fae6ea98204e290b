"""What merchants call to write: events, one or many, redemptions and refunds.

Each handler names the caller, reads the body, makes one command per event and hands it to the ledger; what comes back
is final. Refusals of the door come first (docs/errors.md, in its order), then the ledger's. No SQL, no decisions here.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api import commands, examples
from api.auth import Caller, allowed
from api.clock import not_in_future, not_too_old
from api.door import Door, door_of
from api.openapi import DRY_RUN, EVENT_ID_AS_KEY, IDEMPOTENCY_KEY, documented
from api.parse import BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX, body_of, decode, dry_run, idempotency_key
from api.posting import CREATED, answered, items
from api.problems import Problem
from api.shapes import AnyEvent, BatchOut, EventBatch, Redemption, RefundOrder

router = APIRouter()

_event: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_batch = msgspec.json.Decoder(EventBatch)
_redemption = msgspec.json.Decoder(Redemption)
_refund = msgspec.json.Decoder(RefundOrder)
_encode = msgspec.json.Encoder().encode

EVENT_WRITER = Annotated[Caller, Depends(allowed("events:write"))]
WRITE_CODES = ("idempotency-key-invalid", "occurred-in-future", "request-in-flight", "busy", "key-reused")

# What the ledger refuses, verb by verb and in its order (docs/ledger.md).
ENROL = ("member-exists",)
EARN = (
    "merchant-unknown",
    "merchant-frozen",
    "member-unknown",
    "order-exists",
    "terms-missing",
    "points-too-many",
    "balance-out-of-range",
)
REDEEM = (
    "merchant-unknown",
    "merchant-closed",
    "member-unknown",
    "redemption-exists",
    "nothing-to-redeem",
    "balance-too-low",
)
REFUND = (
    "merchant-unknown",
    "member-unknown",
    "refund-exists",
    "order-unknown",
    "order-of-another-member",
    "refund-exceeds-order",
    "terms-missing",
    "points-too-many",
)


@router.post(
    "/v1/events",
    **documented(
        "Report one event",
        "An order that was paid or refunded, or a member that joined. The event's own id makes repeating it safe.",
        takes="AnyEvent",
        example=examples.ORDER_PAID,
        gives=(201, "It was done", "ReceiptOut"),
        parameters=(EVENT_ID_AS_KEY, DRY_RUN),
        codes=("event-type-unsupported", *WRITE_CODES, *ENROL, *EARN, *REFUND),
    ),
)
async def post_event(request: Request, caller: EVENT_WRITER) -> Response:
    event = decode(_event, await body_of(request, bytes_max=BODY_BYTES_MAX))
    idempotency_key(request, own_id=event.id)
    door, command = door_of(request), commands.of_event(event, merchant_id=caller.merchant_id)
    not_in_future(door, command.at_ms)
    return await answered(door, command, merchant_id=caller.merchant_id, key=event.id, dry_run=dry_run(request))


@router.post(
    "/v1/events/batch",
    **documented(
        "Report up to 1,000 events",
        "Each is taken or refused for itself, in this order; `results` has a row for each, with a status of its own.",
        takes="EventBatch",
        example=examples.BATCH,
        gives=(200, "Every event was looked at", "BatchOut"),
        codes=("busy",),
    ),
)
async def post_events(request: Request, caller: EVENT_WRITER) -> Response:
    dry_run(request, offered=False)
    batch = decode(_batch, await body_of(request, bytes_max=BATCH_BODY_BYTES_MAX))
    door = door_of(request)
    wanted = [_wanted(door, caller, raw) for raw in batch.events]
    results = await items(door, wanted, merchant_id=caller.merchant_id)
    taken = sum(result.status == CREATED for result in results)
    answer = BatchOut(taken=taken, refused=len(results) - taken, results=results)
    return Response(_encode(answer), media_type="application/json")


def _wanted(door: Door, caller: Caller, raw: msgspec.Raw) -> tuple[commands.Write, str] | Problem:
    """The command and key of one event of a batch, or why the door refuses it."""
    try:
        event = decode(_event, raw)
        command = commands.of_event(event, merchant_id=caller.merchant_id)
        not_in_future(door, command.at_ms)
    except Problem as problem:
        return problem
    return command, event.id


@router.post(
    "/v1/redemptions",
    **documented(
        "Pay with points",
        "Draws the member's points of any issuers, oldest expiry first, and captures them at once.",
        takes="Redemption",
        example=examples.REDEMPTION,
        gives=(201, "It was done", "ReceiptOut"),
        parameters=(IDEMPOTENCY_KEY, DRY_RUN),
        codes=("idempotency-key-missing", *WRITE_CODES, "occurred-too-long-ago", *REDEEM),
    ),
)
async def post_redemption(
    request: Request, caller: Annotated[Caller, Depends(allowed("redemptions:write"))]
) -> Response:
    key = idempotency_key(request)
    body = decode(_redemption, await body_of(request, bytes_max=BODY_BYTES_MAX))
    door, command = door_of(request), commands.of_redemption(body, merchant_id=caller.merchant_id, key=key)
    not_in_future(door, command.at_ms)
    await not_too_old(door, command)
    return await answered(door, command, merchant_id=caller.merchant_id, key=key, dry_run=dry_run(request))


@router.post(
    "/v1/refunds",
    **documented(
        "Report a refund",
        "The same as the event order.refunded whose id is this Idempotency-Key.",
        takes="RefundOrder",
        example=examples.REFUND,
        gives=(201, "It was done", "ReceiptOut"),
        parameters=(IDEMPOTENCY_KEY, DRY_RUN),
        codes=("idempotency-key-missing", *WRITE_CODES, *REFUND),
    ),
)
async def post_refund(request: Request, caller: Annotated[Caller, Depends(allowed("refunds:write"))]) -> Response:
    key = idempotency_key(request)
    body = decode(_refund, await body_of(request, bytes_max=BODY_BYTES_MAX))
    door, command = door_of(request), commands.of_refund(body, merchant_id=caller.merchant_id, key=key)
    not_in_future(door, command.at_ms)
    return await answered(door, command, merchant_id=caller.merchant_id, key=key, dry_run=dry_run(request))

"""What merchants report: events, one or many.

Each handler names the caller, reads the body, makes one command per event and hands it to the ledger; what comes back
is final. Refusals of the door come first (docs/errors.md, in its order), then the ledger's. No SQL, no decisions here.
Mounted by `api.app`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api import examples
from api.auth import Caller, allowed
from api.clock import not_in_future
from api.commands.events import of_event
from api.door import Door, door_of
from api.openapi import DRY_RUN, EVENT_ID_AS_KEY, documented
from api.parse import BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX, body_of, decode, dry_run, idempotency_key
from api.posting import CREATED, OF_EVENTS, answered, items
from api.problems import Problem
from api.shapes.events import AnyEvent, EventBatch, ReferralBound
from api.shapes.receipts import BatchOut
from api.verbs import refusals_of
from api.writes import WRITE_CODES
from ledger.commands import Command

router = APIRouter()

_event: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_batch = msgspec.json.Decoder(EventBatch)
_encode = msgspec.json.Encoder().encode

EVENT_WRITER = Annotated[Caller, Depends(allowed("events:write"))]
BONDS = "bonds:write"
VERBS = ("earn", "refund", "cancel_pending", "confirm", "enrol", "bind_referral", "observe")


@router.post(
    "/v1/events",
    **documented(
        "Report one event",
        "An order that was paid, refunded, called off or completed; a member that joined or came by somebody; anything"
        " else that rules may reward. The event's own id makes repeating it safe. referral.bound takes the scope"
        " bonds:write as well.",
        takes="AnyEvent",
        example=examples.ORDER_PAID,
        gives=(201, "It was done", "ReceiptOut"),
        parameters=(EVENT_ID_AS_KEY, DRY_RUN),
        codes=("event-type-unsupported", *WRITE_CODES, *refusals_of(*VERBS)),
    ),
)
async def post_event(request: Request, caller: EVENT_WRITER) -> Response:
    event = decode(_event, await body_of(request, bytes_max=BODY_BYTES_MAX))
    _permitted(event, caller)
    idempotency_key(request, own_id=event.id)
    door, command = door_of(request), of_event(event, merchant_id=caller.merchant_id)
    not_in_future(door, command.at_ms)
    trying = dry_run(request)
    return await answered(
        door, command, merchant_id=caller.merchant_id, key=event.id, dry_run=trying, pointers=OF_EVENTS
    )


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


def _permitted(event: AnyEvent, caller: Caller) -> None:
    """Whom a member came by is decided for good, on a merchant's word: it takes a right of its own. Refuses with
    scope-missing.
    """
    if isinstance(event, ReferralBound) and BONDS not in caller.scopes:
        raise Problem("scope-missing", f"Key {caller.key_name} lacks the scope {BONDS}, which {event.id} takes.")


def _wanted(door: Door, caller: Caller, raw: msgspec.Raw) -> tuple[Command, str] | Problem:
    """The command and key of one event of a batch, or why the door refuses it."""
    try:
        event = decode(_event, raw)
        _permitted(event, caller)
        command = of_event(event, merchant_id=caller.merchant_id)
        not_in_future(door, command.at_ms)
    except Problem as problem:
        return problem
    return command, event.id

"""What proves an event: a receipt by the id it was sent under.

A merchant asks about its own events. Reading only. Mounted by `api.app`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.answers import receipt_of
from api.auth import Caller, allowed
from api.commands import scoped
from api.door import door_of
from api.openapi import ID_SCHEMA, PathText, documented, in_path
from api.parse import id_in
from api.problems import Problem, invalid
from ledger.answers import Receipt
from ledger.queries import answer_by_key

router = APIRouter()
_encode = msgspec.json.Encoder().encode


@router.get(
    "/v1/receipts/{event_id}",
    **documented(
        "What became of an event",
        "The receipt of the write with this id or Idempotency-Key.",
        gives=(200, "The receipt", "ReceiptOut"),
        parameters=(in_path("event_id", ID_SCHEMA, "evt-20260701-0002"),),
        codes=("field-invalid", "receipt-unknown"),
    ),
)
def get_receipt(
    request: Request, event_id: PathText, caller: Annotated[Caller, Depends(allowed("receipts:read"))]
) -> Response:
    id_in(event_id, pointer="#path/event_id")
    with door_of(request).reading() as connection:
        answer = answer_by_key(connection, scoped(caller.merchant_id, event_id))
    if answer is None:
        raise invalid("#path/event_id", f"nothing was sent under {event_id}", code="receipt-unknown")
    if not isinstance(answer.outcome, Receipt):
        raise Problem("receipt-unknown", f"{event_id} was refused: {answer.outcome.code}.")
    return Response(_encode(receipt_of(answer.outcome, merchant_id=caller.merchant_id)), media_type="application/json")

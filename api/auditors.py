"""What proves an event: its receipt with the place of each of its legs in a settled batch, and the batches themselves.

A merchant asks about its own events and is shown no balance but its own and its members'. Batches are open to anybody:
everything said about them is public on the chain, or will be. Reading only. Mounted by `api.app`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

import msgspec
import structlog
from fastapi import APIRouter, Depends, Request, Response

from api.answers import batch_of, concerns, receipt_of
from api.auth import Caller, allowed
from api.commands import scoped
from api.door import Door, door_of
from api.openapi import BATCH_NO_SCHEMA, CURSOR, ID_SCHEMA, LIMIT, PathText, documented, in_path
from api.paging import cursor_of, page_of
from api.parse import id_in
from api.problems import Problem, invalid
from api.shapes.receipts import ExtractOut, InclusionOut, SealedReceiptOut
from ledger.answers import Leg, Receipt
from ledger.queries import answer_by_key
from proofs.kinds import Kind
from settlement import tables
from settlement.publish import PublicationError
from settlement.sealing.inclusions import Place, place_of
from settlement.sealing.receipts import NoReceipt
from settlement.status import BatchStatus, status
from settlement.tables import Conn
from settlement.vault import VaultError

router = APIRouter()
log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_BATCH_NO = re.compile(BATCH_NO_SCHEMA["pattern"])


class LeafPlace(NamedTuple):
    """Where a page of an extract begins: after this leaf."""

    after: int


@router.get(
    "/v1/receipts/{event_id}",
    **documented(
        "What became of an event",
        "The receipt of the write with this id or Idempotency-Key. A leg that is sealed has its place, and a proof that"
        " it stands under the batch's header: check it with nobody's help but the chain's (`proofs.receipt`).",
        gives=(200, "The receipt", "SealedReceiptOut"),
        parameters=(in_path("event_id", ID_SCHEMA, "evt-20260701-0002"),),
        codes=("field-invalid", "receipt-unknown"),
    ),
)
def get_receipt(
    request: Request, event_id: PathText, caller: Annotated[Caller, Depends(allowed("receipts:read"))]
) -> Response:
    id_in(event_id, pointer="#path/event_id")
    door = door_of(request)
    with door.reading() as connection:
        answer = answer_by_key(connection, scoped(caller.merchant_id, event_id))
        if answer is None:
            raise invalid("#path/event_id", f"nothing was sent under {event_id}", code="receipt-unknown")
        if not isinstance(answer.outcome, Receipt):
            raise Problem("receipt-unknown", f"{event_id} was refused: {answer.outcome.code}.")
        receipt = answer.outcome
        mine = [leg for leg in receipt.legs if concerns(leg, caller.merchant_id)]
        places = [_inclusion(door, connection, receipt.seq, leg, caller.merchant_id) for leg in mine]
    plain = msgspec.structs.asdict(receipt_of(receipt, merchant_id=caller.merchant_id))
    found = SealedReceiptOut(**plain, inclusions=[place for place in places if place is not None])
    return Response(_encode(found), media_type="application/json")


def _inclusion(door: Door, connection: Conn, seq: int, leg: Leg, merchant_id: int) -> InclusionOut | None:
    """Where a leg is settled, with its proof if this process can open the batch's file."""
    place = place_of(connection, journal_seq=seq, leg_no=leg.no)
    if place is None:
        return None
    return InclusionOut(
        leg=leg.no,
        batch_no=place.batch_no,
        leaf_no=place.leaf_no,
        state=place.state.lower(),
        proof=_proof(door, connection, place, _own_slot(leg, merchant_id)),
    )


def _own_slot(leg: Leg, merchant_id: int) -> str:
    """Which posting of a leg may be opened: an issuer may see the member's balance with it; an acceptor of others'
    points sees its own cash, to which a cancellation owes. Any other posting tells a balance of somebody else.
    """
    if leg.issuer == merchant_id and leg.member is not None:
        return "member"
    return "debtor" if leg.kind == Kind.REFUND_REDEEM else "creditor"


def _proof(door: Door, connection: Conn, place: Place, slot: str) -> dict[str, Any] | None:
    """None where the batch's file cannot be opened here, or nothing of the leaf is the caller's to see: a place without
    proof is worth more than no receipt.
    """
    if door.inclusions is None:
        return None
    try:
        return door.inclusions.receipt(connection, place, slot=slot)
    except (PublicationError, VaultError, NoReceipt) as error:
        log.warning("unproven", batch_no=place.batch_no, reason=str(error))
        return None


@router.get(
    "/v1/batches/{batch_no}",
    **documented(
        "A settlement batch",
        "Its header as the chain has it or will have it, its state, who attested it, and its transactions.",
        gives=(200, "As it stands now", "SettlementBatchOut"),
        parameters=(in_path("batch_no", BATCH_NO_SCHEMA, "1"),),
        codes=("field-invalid", "batch-unknown"),
        keyed=False,
    ),
)
def get_batch(request: Request, batch_no: PathText) -> Response:
    number = _number(batch_no)
    with door_of(request).reading() as connection:
        found = _sealed(connection, number)
        attestations = tables.attestations(connection, found.header_hash)
    return Response(_encode(batch_of(found, attestations)), media_type="application/json")


@router.get(
    "/v1/batches/{batch_no}/mine",
    **documented(
        "Your extract of a settlement batch",
        "Your own leaves, rows and postings with their salts and paths, page by page, and nothing of anybody else: of a"
        " leaf that another merchant signed there is its hash, and your own postings in it. Keep the pages and check"
        " them with nobody's help but the chain's (`python -m auditor extract`): nothing is missing or altered.",
        gives=(200, "A page of the extract", "ExtractOut"),
        parameters=(in_path("batch_no", BATCH_NO_SCHEMA, "1"), CURSOR, LIMIT),
        codes=("field-invalid", "batch-unknown", "batch-unopened", "reading-busy"),
    ),
)
async def get_mine(
    request: Request, batch_no: PathText, caller: Annotated[Caller, Depends(allowed("receipts:read"))]
) -> Response:
    number, door = _number(batch_no), door_of(request)
    place, limit = page_of(request, LeafPlace)
    after = place.after if place else 0
    mine = caller.merchant_id
    return await door.slow.run(lambda: _extract(door, number, mine, after=after, limit=limit), merchant_id=mine)


def _extract(door: Door, number: int, merchant_id: int, *, after: int, limit: int) -> Response:
    """A page: trees of whole batches are made for it. Refuses with batch-unopened or batch-unknown."""
    if door.inclusions is None:
        raise Problem("batch-unopened", "This server has no key for batches.")
    with door.reading() as connection:
        _sealed(connection, number)
        try:
            extract = door.inclusions.extract(connection, number, merchant_id=merchant_id, after=after, limit=limit)
        except (PublicationError, VaultError) as error:
            log.warning("unopened", batch_no=number, reason=str(error))
            raise Problem("batch-unopened", f"The file of batch {number} cannot be opened here.") from error
    following = cursor_of(LeafPlace(int(extract["leaves"][-1]["leafNo"]))) if extract["more"] else None
    return Response(_encode(ExtractOut(extract=extract, next_cursor=following)), media_type="application/json")


def _number(batch_no: str) -> int:
    if not _BATCH_NO.fullmatch(batch_no):
        raise invalid("#path/batch_no", "wants a number of at most 15 digits")
    return int(batch_no)


def _sealed(connection: Conn, number: int) -> BatchStatus:
    """The batch of this number. Refuses with batch-unknown."""
    found = status(connection, first=number, last=number)
    if not found:
        raise invalid("#path/batch_no", f"there is no batch {number}", code="batch-unknown")
    return found[0]

"""Who is owed what: positions now, the cycles, and a merchant's statement of one. Mounted by `api.app`.

Invariant: a merchant sees its own position and statement, the operator everybody's. Reading only. A statement folds the
journal up to its cycle's end, one at a time in a process and apart from everything else (`api.slow`).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.door import Door, door_of
from api.openapi import NAME_SCHEMA, NUMBER_SCHEMA, Json, PathText, documented, in_path
from api.parse import id_in, moment, no_parameters, number_in
from api.problems import Problem, invalid
from api.shapes.clearing import CycleOut, CyclesOut, PositionOut, PositionsOut
from api.shapes.values import NAME_CHARS_MAX
from api.statement import batches, page
from ledger import queries
from ledger.journal import head_seq
from ledger.reports import forms, reading
from ledger.reports.ask import CannotAnswer, of_merchant, statements_of
from ledger.reports.reading import UnknownCycle
from ledger.reports.statement import Statement
from proofs.accounts import OPERATOR_ID

router = APIRouter()
READER = Annotated[Caller, Depends(allowed("clearing:read"))]
OPEN = "open"
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
FORMAT: Json = {
    "name": "format",
    "in": "query",
    "required": False,
    "description": "json; csv: one line a figure; page: to print.",
    "schema": {"type": "string", "enum": ["json", "csv", "page"], "default": "json"},
}
MERCHANT: Json = {
    "name": "merchant",
    "in": "query",
    "required": False,
    "description": "Whose, for the operator, who has none of its own.",
    "schema": NUMBER_SCHEMA,
}
_encode = msgspec.json.Encoder().encode


@router.get(
    "/v1/clearing/positions",
    **documented(
        "Positions",
        "What you are owed or owe at this moment; everybody's if you are the operator.",
        gives=(200, "As of the journal position named", "PositionsOut"),
        codes=("field-invalid",),
    ),
)
def get_positions(request: Request, caller: READER) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        seq, found = head_seq(connection), queries.positions(connection)
    seen = [
        PositionOut(
            party=party,
            cash_au=position.cash,
            fees_au=position.fees,
            settled_au=position.settled,
            position_au=position.total,
        )
        for party, position in found.items()
        if caller.merchant_id in {party, OPERATOR_ID}
    ]
    return Response(_encode(PositionsOut(journal_seq=seq, positions=seen)), media_type="application/json")


@router.get(
    "/v1/clearing/cycles",
    **documented(
        "Cycles",
        "From one charge of fees to the next; what follows the last one is the cycle that goes on.",
        gives=(200, "All of them, oldest first", "CyclesOut"),
        codes=("field-invalid",),
    ),
)
def get_cycles(request: Request, _caller: READER) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        found = reading.listed(connection)
    cycles = [
        CycleOut(
            cycle=each.name, first_seq=each.first_seq, last_seq=each.last_seq, last_entry_at=moment(each.closed_at_ms)
        )
        for each in found
    ]
    return Response(_encode(CyclesOut(cycles=cycles)), media_type="application/json")


@router.get(
    "/v1/clearing/cycles/{cycle}/statement",
    **documented(
        "A merchant's statement of a cycle",
        f"Opening to closing, in points and AU, with counterparties, fees, disputes, net, collateral, batches and the"
        f" statement's own hash. The cycle `{OPEN}` is the one that goes on.",
        gives=(200, "JSON, CSV or a page", "Statement"),
        parameters=(in_path("cycle", NAME_SCHEMA, "2026-07"), FORMAT, MERCHANT),
        codes=("field-invalid", "cycle-unknown", "merchant-unknown", "reading-busy"),
        media=("text/csv", "text/html"),
    ),
)
async def get_statement(request: Request, cycle: PathText, caller: READER) -> Response:
    id_in(cycle, pointer="#path/cycle", chars_max=NAME_CHARS_MAX)
    form, merchant_id, door = _form(request), _whose(request, caller), door_of(request)
    return await door.slow.run(
        lambda: _shown(_statement(door, cycle, merchant_id), form), merchant_id=caller.merchant_id
    )


def _statement(door: Door, cycle: str, merchant_id: int) -> Statement:
    """Of one merchant. Refuses with cycle-unknown or merchant-unknown."""
    with door.reading() as connection:
        try:
            every = statements_of(
                connection,
                cycle=None if cycle == OPEN else cycle,
                still_open=cycle == OPEN,
                progress=lambda _: None,
                batches=batches(connection),
            )
            [found] = of_merchant(every, merchant_id)
        except UnknownCycle as error:
            raise invalid("#path/cycle", f"no cycle is called {cycle}", code="cycle-unknown") from error
        except CannotAnswer as error:
            raise Problem("merchant-unknown", f"{error}.") from error
    return found


def _form(request: Request) -> str:
    for name in request.query_params:
        if name not in {"format", "merchant"}:
            raise invalid(f"#query/{name}", "this address takes no such parameter")
    form = request.query_params.get("format", "json")
    if form not in {"json", "csv", "page"}:
        raise invalid("#query/format", "wants json, csv or page")
    return form


def _whose(request: Request, caller: Caller) -> int:
    """The caller's own; the operator names a merchant."""
    asked = request.query_params.get("merchant")
    named = None if asked is None else number_in(asked, pointer="#query/merchant")
    if caller.merchant_id == OPERATOR_ID:
        if named is None:
            raise invalid("#query/merchant", "whose statement is meant is for the operator to say")
        return named
    if named not in {None, caller.merchant_id}:
        raise invalid("#query/merchant", "another merchant's statement is not shown")
    return caller.merchant_id


def _shown(statement: Statement, form: str) -> Response:
    if form == "csv":
        return Response(forms.to_csv(statement), media_type="text/csv")
    if form == "page":
        return Response(page(statement), media_type="text/html", headers={"content-security-policy": PAGE_POLICY})
    return Response(forms.to_json(statement), media_type="application/json")

"""Partners as the operator registers them: by which address they sign, what they may ask, the passes they come in with.

Invariant: a partner's particulars never change, because members' wallets know it by them: a partner with another
address or audience is another partner. The same registration again is answered the same. The registry on chain holds
the address for everybody who verifies there; the operator sets it by `setPartner`. Mounted by `api.app`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, NamedTuple

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.door import Door, door_of
from api.openapi import CURSOR, LIMIT, NUMBER_SCHEMA, PathText, documented, in_path
from api.paging import one_page, page_of
from api.parse import BODY_BYTES_MAX, body_of, decode, no_parameters
from api.problems import Problem, invalid
from api.shapes.tiers import EndedOut, NewPartner, PartnerOut, PartnerPass, PartnersOut, PassOut
from api.tiers import passes, rows
from api.tiers.answering import json_of, shown_partner
from api.tiers.issuing import handed_out
from api.tiers.rows import Partner
from proofs.tier.decoding import DecodingError, line
from proofs.tier.grid import PolicyGrid

router = APIRouter()
OPERATOR = Annotated[Caller, Depends(allowed("partners:write"))]
PARTNER = in_path("partner_id", NUMBER_SCHEMA, "3")
NUMBER_32_MAX = 2**32 - 1
EXAMPLE = {
    "partner_id": 3,
    "audience": "tea.example",
    "address": "0x" + "3a" * 20,
    "grid": {
        "version": 1,
        "tier_masks": [65534, 65532],
        "points_edges": ["100", "1000"],
        "spend_edges": [],
        "since_edges": [],
        "valid_on_step_seconds": 86400,
        "key_epoch_step": 1,
        "max_uses_max": 1,
    },
    "asks_per_day_max": 1000,
    "narrowings_max": 3,
}
_new, _pass = msgspec.json.Decoder(NewPartner), msgspec.json.Decoder(PartnerPass)


class After(NamedTuple):
    """Where a page of partners begins: after this number."""

    partner_id: int


@router.post(
    "/v1/partners",
    name="post_partner",
    **documented(
        "A partner may ask",
        "Registered once and for all: `address` signs its requests, `audience` is what members are shown, `grid` bounds"
        " what it may ask, beside each epoch's own. The same again is answered the same.",
        gives=(201, "It is registered", "PartnerOut"),
        takes="NewPartner",
        example=EXAMPLE,
        codes=("partner-exists",),
    ),
)
async def post_partner(request: Request, _caller: OPERATOR) -> Response:
    no_parameters(request)
    body = decode(_new, await body_of(request, bytes_max=BODY_BYTES_MAX))
    try:
        line(body.audience, "/audience")  # as its requests are read: with another name none of them would ever be
        grid = PolicyGrid.from_json(body.grid, "/grid")
    except DecodingError as error:
        raise invalid(f"/{error.field.split('.')[0].strip('/')}", str(error)) from error
    return json_of(await anyio.to_thread.run_sync(_registered, door_of(request), body, grid), 201)


def _registered(door: Door, body: NewPartner, grid: PolicyGrid) -> PartnerOut:
    new = Partner(
        body.partner_id,
        body.audience,
        bytes.fromhex(body.address[2:]),
        grid,
        body.asks_per_day_max,
        body.narrowings_max,
        door.now(),
    )
    with door.pool.connection() as connection:
        rows.register(connection, new)
        found = rows.partner(connection, new.partner_id)
    if found is None or _particulars(found) != _particulars(new):
        raise Problem("partner-exists", "The number or the audience is registered with other particulars.")
    return shown_partner(found)


def _particulars(partner: Partner) -> tuple[object, ...]:
    return (
        *(partner.partner_id, partner.audience, partner.address, partner.grid),
        *(partner.asks_per_day_max, partner.narrowings_max),
    )


@router.get(
    "/v1/partners",
    **documented(
        "Partners",
        "All that were ever registered, by number.",
        gives=(200, "A page", "PartnersOut"),
        parameters=(CURSOR, LIMIT),
        codes=("field-invalid",),
    ),
)
def get_partners(request: Request, _caller: OPERATOR) -> Response:
    after, limit = page_of(request, After)
    with door_of(request).reading() as connection:
        found = rows.partners(connection, after=after.partner_id if after else 0, limit=limit + 1)
    page, more = one_page(found, limit, lambda each: After(each.partner_id))
    return json_of(PartnersOut(data=[shown_partner(each) for each in page], next_cursor=more))


@router.post(
    "/v1/partners/{partner_id}/passes",
    name="post_partner_pass",
    **documented(
        "A pass for a partner",
        "Beside the one it has, until that ends or a third takes its place. Takes no Idempotency-Key: each answer is"
        " another pass, and its only copy.",
        gives=(201, "The pass", "PassOut"),
        takes="PartnerPass",
        example={"days": 90},
        parameters=(PARTNER,),
        codes=("partner-unknown", "partner-ended"),
    ),
)
async def post_partner_pass(request: Request, partner_id: PathText, caller: OPERATOR) -> Response:
    no_parameters(request)
    body = decode(_pass, await body_of(request, bytes_max=BODY_BYTES_MAX))
    number = numbered(partner_id, "partner_id")
    return json_of(await anyio.to_thread.run_sync(_passed, door_of(request), number, caller, body.days), 201)


def _passed(door: Door, number: int, caller: Caller, days: int) -> PassOut:
    with door.pool.connection() as connection, connection.transaction():
        partner = _known(rows.partner(connection, number), number)
        if partner.ended_at is not None:
            raise Problem("partner-ended", f"Partner {number} has ended.")
        lasts = timedelta(days=days)
        return handed_out(door, connection, caller, holder="partner", holder_id=number, lasts=lasts)


@router.post(
    "/v1/partners/{partner_id}/end",
    name="post_partner_end",
    **documented(
        "A partner asks no more",
        "For ever, and at once: its passes end, and what it has asked is answered no more.",
        gives=(200, "It has ended", "EndedOut"),
        parameters=(PARTNER,),
        codes=("field-invalid", "partner-unknown"),
    ),
)
def post_partner_end(request: Request, partner_id: PathText, _caller: OPERATOR) -> Response:
    no_parameters(request)
    door, number = door_of(request), numbered(partner_id, "partner_id")
    with door.pool.connection() as connection, connection.transaction():
        _known(rows.partner(connection, number), number)
        rows.end_partner(connection, number, door.now())
        ended = passes.end_all(connection, holder="partner", holder_id=number, now=door.now())
    return json_of(EndedOut(ended=ended))


def _known(partner: Partner | None, number: int) -> Partner:
    if partner is None:
        raise invalid("#path/partner_id", f"there is no partner {number}", code="partner-unknown")
    return partner


def numbered(text: str, name: str, *, where: str = "path") -> int:
    """A number of 32 bits in a path or a query."""
    if not text.isascii() or not text.isdecimal() or text.startswith("0") or int(text[:11]) > NUMBER_32_MAX:
        raise invalid(f"#{where}/{name}", f"wants a number from 1 to {NUMBER_32_MAX}")
    return int(text)

"""Why proofs were not taken, for the operator alone. Reading only. Mounted by `api.app`."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.door import door_of
from api.openapi import CURSOR, LIMIT, documented
from api.paging import Below, below_of, one_page
from api.problems import invalid
from api.shapes.tiers import TierRefusalOut, TierRefusalsOut
from api.tiers import rows
from api.tiers.answering import json_of
from proofs.json_form import hex_text

router = APIRouter()
REASON_PATTERN = "^[a-z][a-z-]{0,63}$"
_REASON = re.compile(REASON_PATTERN)
REASON = {
    "name": "reason",
    "in": "query",
    "required": False,
    "description": "Only refusals for this reason; by_reason says which there are.",
    "schema": {"type": "string", "pattern": REASON_PATTERN},
}


@router.get(
    "/v1/tier-refusals",
    **documented(
        "Refused tier proofs",
        "Partners are told one and the same; here is the reason of each, for 90 days. No member is named: none is"
        " known.",
        gives=(200, "A page, newest first", "TierRefusalsOut"),
        parameters=(REASON, CURSOR, LIMIT),
        codes=("field-invalid",),
    ),
)
def get_tier_refusals(request: Request, _caller: Annotated[Caller, Depends(allowed("settlement:read"))]) -> Response:
    below, limit = below_of(request, beside=frozenset({"reason"}))
    reason = request.query_params.get("reason")
    if reason is not None and not _REASON.fullmatch(reason):
        raise invalid("#query/reason", f"wants {REASON_PATTERN}")
    with door_of(request).reading() as connection:
        found = rows.refusals(connection, reason=reason, below=below, limit=limit + 1)
        by_reason = rows.refusals_by_reason(connection)
    page, more = one_page(found, limit, lambda each: Below(each.no))
    shown = [
        TierRefusalOut(
            at=each.at.isoformat(),
            partner_id=each.partner_id,
            request_id=hex_text(each.request_id) if each.request_id else None,
            reason=each.reason,
        )
        for each in page
    ]
    return json_of(TierRefusalsOut(by_reason=by_reason, data=shown, next_cursor=more))

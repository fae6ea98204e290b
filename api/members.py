"""What a merchant may ask about a member: what it has here, and what it could use here.

Invariant: no merchant learns what a member has with another one, only the worth of everything together, which it needs
at the till. Reading only. Mounted by `api.app`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.clock import now_ms
from api.door import door_of
from api.openapi import NAME_SCHEMA, PathText, documented, in_path
from api.parse import id_in, moment
from api.problems import invalid
from api.shapes import NAME_CHARS_MAX, MemberBalancesOut
from ledger.journal import head_seq
from ledger.queries import MemberBalance, member_balances, member_exists

router = APIRouter()
_encode = msgspec.json.Encoder().encode
_NOTHING = MemberBalance(issuer=0, confirmed=0, pending=0, held=0, debt=0, available_points=0, available_au=0)


@router.get(
    "/v1/members/{member}/balances",
    **documented(
        "What a member has",
        "The member's points with the calling merchant, and what can be used there of all issuers' points together.",
        gives=(200, "As of the journal position named", "MemberBalancesOut"),
        parameters=(in_path("member", NAME_SCHEMA, "m-1001"),),
        codes=("field-invalid", "member-unknown"),
    ),
)
def get_balances(
    request: Request, member: PathText, caller: Annotated[Caller, Depends(allowed("members:read"))]
) -> Response:
    id_in(member, pointer="#path/member", chars_max=NAME_CHARS_MAX)
    door = door_of(request)
    at_ms = now_ms(door.now())
    with door.reading() as connection:
        if not member_exists(connection, member):
            raise invalid("#path/member", f"no member is called {member}", code="member-unknown")
        seq, balances = head_seq(connection), member_balances(connection, member, at_ms)
    here = next((each for each in balances if each.issuer == caller.merchant_id), _NOTHING)
    found = MemberBalancesOut(
        member=member,
        journal_seq=seq,
        as_of=moment(at_ms),
        points=here.confirmed,
        pending=here.pending,
        debt=here.debt,
        available_au=sum(each.available_au for each in balances),
    )
    return Response(_encode(found), media_type="application/json")

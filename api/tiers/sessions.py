"""A member comes in: a short pass that a merchant or the operator opens for it, and ends. Mounted by `api.app`.

Until members log in over the platforms they come from, it takes the word of a merchant that knows them: of one whose
key was issued for that, and of a customer of its own. What the platforms' log-ins will hand out is this same pass.

Invariant: the token stands in the answer alone, so repeating a request opens another session; five are open at a time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.door import Door, door_of
from api.members import MEMBER, found_person
from api.openapi import PathText, documented
from api.parse import BODY_BYTES_MAX, body_of, decode, no_parameters
from api.problems import Problem
from api.shapes.tiers import EndedOut, OpenSession, PassOut
from api.tiers import passes, visitors
from api.tiers.answering import json_of
from api.tiers.issuing import handed_out
from api.tiers.visitors import Member
from ledger.queries import has_dealt
from proofs.accounts import OPERATOR_ID

router = APIRouter()
OPENER = Annotated[Caller, Depends(allowed("sessions:write"))]
_decoder = msgspec.json.Decoder(OpenSession)


@router.post(
    "/v1/members/{member}/sessions",
    name="post_session",
    **documented(
        "A member comes in",
        "A pass for the member's own device, for minutes: hand it on and keep no copy. A merchant opens sessions of its"
        " own customers; a sixth session ends the oldest. Takes no Idempotency-Key: each answer is another session.",
        gives=(201, "The pass", "PassOut"),
        takes="OpenSession",
        example={"seconds": 900},
        parameters=(MEMBER,),
        codes=("member-unknown", "member-not-yours", "member-closed"),
    ),
)
async def post_session(request: Request, member: PathText, caller: OPENER) -> Response:
    no_parameters(request)
    body = decode(_decoder, await body_of(request, bytes_max=BODY_BYTES_MAX))
    return json_of(await anyio.to_thread.run_sync(_opened, door_of(request), member, caller, body.seconds), 201)


def _opened(door: Door, member: str, caller: Caller, seconds: int) -> PassOut:
    number, lasts = _customer(door, member, caller), timedelta(seconds=seconds)
    with door.pool.connection() as connection, connection.transaction():
        return handed_out(door, connection, caller, holder="member", holder_id=number, lasts=lasts)


@router.post(
    "/v1/members/{member}/sessions/end",
    name="post_sessions_end",
    **documented(
        "A member's sessions end",
        "Those that you opened; the operator ends all. Each is refused from that moment on.",
        gives=(200, "They have ended", "EndedOut"),
        parameters=(MEMBER,),
        codes=("field-invalid", "member-unknown", "member-not-yours", "member-closed"),
    ),
)
def post_sessions_end(request: Request, member: PathText, caller: OPENER) -> Response:
    no_parameters(request)
    door = door_of(request)
    number = _customer(door, member, caller)
    by = None if caller.merchant_id == OPERATOR_ID else caller.merchant_id
    with door.pool.connection() as connection:
        ended = passes.end_all(connection, holder="member", holder_id=number, now=door.now(), issued_by=by)
    return json_of(EndedOut(ended=ended))


@router.post(
    "/v1/me/session/end",
    name="post_session_end",
    **documented(
        "Leave",
        "This pass opens nothing any more.",
        gives=(200, "It has ended", "EndedOut"),
        by="member",
        codes=("field-invalid",),
    ),
)
def post_session_end(request: Request, me: Annotated[Member, Depends(visitors.member)]) -> Response:
    no_parameters(request)
    door = door_of(request)
    with door.pool.connection() as connection:
        passes.end(connection, name=me.pass_name, now=door.now())
    return json_of(EndedOut(ended=1))


def _customer(door: Door, member: str, caller: Caller) -> int:
    """The number of the person, whom this caller may let in."""
    with door.reading() as connection:
        who = found_person(connection, member)
        if caller.merchant_id != OPERATOR_ID and not has_dealt(connection, member, caller.merchant_id):
            raise Problem("member-not-yours", f"{member} never had points of yours.")
    if who.closed:
        raise Problem("member-closed", f"{member} has left.")
    return who.account

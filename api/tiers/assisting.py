"""Assisted proving: a member whose device cannot prove lets the server do it, with the secret, this once.

It is weaker, and the member has said so by a consent with `assisted`: who runs the server can then link it to what it
shows. Invariants: nothing is proven without that consent; the secret is sealed to the workers in this call's memory and
is in no row, queue or log in clear; the answer is sealed to a key that the member's device alone is given; jobs are
bounded, of a member and in all. Mounted by `api.app`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import anyio.to_thread
import msgspec
from cryptography.exceptions import InvalidTag
from fastapi import APIRouter, Depends, Request, Response

from api.door import Door, door_of
from api.openapi import documented
from api.parse import BODY_BYTES_MAX, body_of, decode, no_parameters
from api.problems import Problem, invalid
from api.shapes.tiers import AskAssisted, AssistedOut, AssistedProofOut, AssistedState, FetchAssisted
from api.tiers import rows, visitors
from api.tiers.answering import json_of
from api.tiers.desk import Send
from api.tiers.requests import known, unknown
from api.tiers.rows import Connection
from api.tiers.visitors import Member
from proofs.poseidon import R
from settlement.tiers import proving
from settlement.tiers.proving import Asked, Asker, NoSuchJob, ProverAway, Sealed, TooManyJobs

router = APIRouter()
ME = Annotated[Member, Depends(visitors.member)]
BUSY_RETRY_SECONDS = 15
"""A proof takes a worker some seconds."""
_ask, _fetch = msgspec.json.Decoder(AskAssisted), msgspec.json.Decoder(FetchAssisted)


@router.post(
    "/v1/me/assisted-proofs",
    name="post_assisted_proof",
    **documented(
        "Let the server prove",
        "For a request that you agreed to with `assisted`. The server learns your secret for this moment, and can link"
        " you to what is shown: prove on your device where it can. Keep `job` and `reply_key`: they fetch the answer.",
        gives=(202, "It is on its way", "AssistedOut"),
        takes="AskAssisted",
        example={"request_id": "0x" + "5c" * 32, "secret": "15", "use_index": 0},
        by="member",
        codes=("proof-request-unknown", "consent-missing", "assisted-off", "assisted-busy"),
    ),
)
async def post_assisted_proof(request: Request, me: ME) -> Response:
    no_parameters(request)
    body = decode(_ask, await body_of(request, bytes_max=BODY_BYTES_MAX))
    if int(body.secret) >= R:
        raise invalid("/secret", "is no element of the field")
    return json_of(await anyio.to_thread.run_sync(_asked, door_of(request), me, body), 202)


def _asked(door: Door, me: Member, body: AskAssisted) -> AssistedOut:
    with door.pool.connection() as connection:
        asked = known(connection, body.request_id, pointer="/request_id")
        consent = rows.consent(connection, me.number, asked.id)
        if consent is None or not consent.assisted:
            raise Problem("consent-missing", "The member has not agreed to be helped with this request.")
        if _over(connection, asked, door.now()):
            raise unknown(body.request_id, pointer="/request_id")
        send = door.tiers.send
        if send is None:
            raise Problem("assisted-off", "This server has nobody prove for members.")
        job, sealed = _opened(door, connection, me, body, asked)
    _sent(door, send, job, sealed)
    return AssistedOut(job=str(job.id), reply_key=job.reply_key.hex())


def _over(connection: Connection, asked: rows.Asked, now: datetime) -> bool:
    """Whether nobody could show what would be proven: a secret is not given away for that."""
    partner = rows.partner(connection, asked.partner_id)
    ended = partner is None or partner.ended_at is not None
    return ended or asked.used_at is not None or asked.expires_at <= now


def _opened(
    door: Door, connection: Connection, me: Member, body: AskAssisted, asked: rows.Asked
) -> tuple[Asked, Sealed]:
    asker, now = Asker(me.number, me.name), int(door.now().timestamp())
    try:
        return proving.ask(connection, asker, int(body.secret), asked.signed, use_index=body.use_index, now=now)
    except ProverAway as error:
        raise Problem("assisted-off", "No worker proves at the moment.") from error
    except TooManyJobs as error:
        whose = "of yours are open, or wait to be fetched" if error.own else "are open"
        headers = {"Retry-After": str(BUSY_RETRY_SECONDS)}
        raise Problem("assisted-busy", f"{error.most} jobs {whose}.", headers=headers) from error


def _sent(door: Door, send: Send, job: Asked, sealed: Sealed) -> None:
    """The job is in the queue, or it is none."""
    try:
        send(sealed)
    except ProverAway as error:
        with door.pool.connection() as connection:
            proving.give_up(connection, job.id)
        raise Problem("assisted-off", "The workers' queue takes nothing at the moment.") from error


@router.post(
    "/v1/me/assisted-proofs/fetch",
    name="post_assisted_proof_fetch",
    **documented(
        "Fetch what the server proved",
        "Once, within ten minutes of its being there; ask again while it is `waiting`, which it is for half an hour at"
        " most. `proven`: give `response` to the partner.",
        gives=(200, "As it stands now", "AssistedProofOut"),
        takes="FetchAssisted",
        example={"job": "8f1f0a52-6a2c-4a8e-9d3b-0d7a4c1c2b3a", "reply_key": "a5" * 32},
        by="member",
        codes=("proof-request-unknown",),
    ),
)
async def post_assisted_proof_fetch(request: Request, me: ME) -> Response:
    no_parameters(request)
    body = decode(_fetch, await body_of(request, bytes_max=BODY_BYTES_MAX))
    job = Asked(UUID(body.job), bytes.fromhex(body.reply_key))
    return json_of(await anyio.to_thread.run_sync(_fetched, door_of(request), me, job))


def _fetched(door: Door, me: Member, job: Asked) -> AssistedProofOut:
    try:
        with door.pool.connection() as connection:
            answer = proving.answer(connection, job, member_no=me.number, now=int(door.now().timestamp()))
    except NoSuchJob as error:
        raise Problem("proof-request-unknown", "There is no such job of yours, or its time is over.") from error
    except InvalidTag as error:  # the transaction took nothing away: whoever has the key still gets it
        raise Problem("proof-request-unknown", "The key does not open the answer.") from error
    if answer is None:
        return AssistedProofOut(state="waiting", response=None, refused=None)
    state: AssistedState = "refused" if answer.response is None else "proven"
    return AssistedProofOut(state=state, response=answer.response, refused=answer.refused or None)

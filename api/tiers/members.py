"""A member's own doors: its commitment, its witness in an epoch, and what it decided about partners' requests.

Invariants: a member sees and changes what is its own; its secret never comes here (but see `assisting`); a witness is
made for the answer and kept nowhere. Decisions are kept for members who want a record: posting one tells the operator
that this member was asked by that partner, which a wallet that decides by itself tells nobody. Mounted by `api.app`.
"""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
import msgspec
import structlog
from fastapi import APIRouter, Depends, Request, Response

from api.door import Door, door_of
from api.openapi import CURSOR, LIMIT, NUMBER_SCHEMA, documented
from api.paging import Below, below_of, one_page
from api.parse import BODY_BYTES_MAX, body_of, decode, moment, no_parameters
from api.problems import Problem, invalid
from api.shapes.tiers import (
    CommitmentOut,
    ConsentOut,
    ConsentsOut,
    DecideOnRequest,
    NewCommitment,
    WitnessOut,
)
from api.tiers import rows, visitors
from api.tiers.answering import json_of, shown_consent
from api.tiers.partners import numbered
from api.tiers.published import place, tier_names
from api.tiers.requests import known
from api.tiers.visitors import Member
from proofs.words import uint_word
from settlement.tiers import commitments
from settlement.tiers.commitments import CommitmentTaken, Enrolled, MemberAbsent, NotCommitment, TooManyKeys
from settlement.tiers.witness import OPERATORS_TROUBLE, NoWitness, witness

router = APIRouter()
log = structlog.get_logger(__name__)
ME = Annotated[Member, Depends(visitors.member)]
EPOCH = {
    "name": "epoch",
    "in": "query",
    "required": False,
    "description": "Left out: the newest that the chain has.",
    "schema": NUMBER_SCHEMA,
}
MS_PER_SECOND = 1_000
_commitment = msgspec.json.Decoder(NewCommitment)
_decision = msgspec.json.Decoder(DecideOnRequest)


@router.put(
    "/v1/me/tier-commitment",
    name="put_tier_commitment",
    **documented(
        "Be known by a commitment",
        "From the next epoch on. The secret behind it stays on your device; whoever loses it registers another one. The"
        " same again is answered the same.",
        gives=(200, "It counts from the epoch named", "CommitmentOut"),
        takes="NewCommitment",
        example={"commitment": "15"},
        by="member",
        codes=("commitment-taken", "too-many-keys"),
    ),
)
async def put_tier_commitment(request: Request, me: ME) -> Response:
    no_parameters(request)
    body = decode(_commitment, await body_of(request, bytes_max=BODY_BYTES_MAX))
    return json_of(await anyio.to_thread.run_sync(_enrolled, door_of(request), me, int(body.commitment)))


def _enrolled(door: Door, me: Member, commitment: int) -> CommitmentOut:
    if commitment >> 256:
        raise invalid("/commitment", "is no element of the field")
    now = int(door.now().timestamp())
    with door.pool.connection() as connection:
        try:
            made = commitments.enrol(connection, door.tiers.clock, me.name, uint_word(commitment), now=now)
        except NotCommitment as error:
            raise invalid("/commitment", str(error)) from error
        except MemberAbsent as error:  # left since the pass was looked at, or merged into one who did
            raise Problem("member-closed", "The member has left.") from error
        except CommitmentTaken as error:
            raise Problem("commitment-taken", "The commitment was registered before.") from error
        except TooManyKeys as error:
            raise Problem("too-many-keys", f"{str(error).capitalize()}.") from error
    return _shown(made)


def _shown(made: Enrolled) -> CommitmentOut:
    return CommitmentOut(
        commitment=str(made.element),
        from_epoch=made.from_epoch,
        enrolled_at=moment(made.enrolled_at * MS_PER_SECOND),
    )


@router.get(
    "/v1/me/tier-witness",
    **documented(
        "Your witness in an epoch",
        "Attributes, salt, place and path, for your own device: fetch it once an epoch, before anybody asks, so that"
        " asking for it says nothing. The device checks that it leads to the root that the chain has.",
        gives=(200, "The witness", "WitnessOut"),
        parameters=(EPOCH,),
        by="member",
        codes=("field-invalid", "tiers-off", "witness-unknown"),
    ),
)
def get_tier_witness(request: Request, me: ME) -> Response:
    for name in request.query_params:
        if name != "epoch":
            raise invalid(f"#query/{name}", "this address takes no such parameter")
    wanted = request.query_params.get("epoch")
    number = None if wanted is None else numbered(wanted, "epoch", where="query")
    return json_of(_witnessed(door_of(request), me, number))


def _witnessed(door: Door, me: Member, number: int | None) -> WitnessOut:
    vault, trees = door.tiers.vault, door.tiers.trees
    if door.vaulted is None or vault is None or trees is None:
        raise Problem("tiers-off", "This server has no key for witnesses.")
    with door.vaulted.connection() as connection:
        place(connection)
        try:
            found = witness(connection, vault, trees, me.name, number=number)
        except NoWitness as error:
            raise Problem("witness-unknown", f"{str(error).capitalize()}.", data={"why": error.code}) from error
        except OPERATORS_TROUBLE as error:
            log.exception("witness", reason=type(error).__name__)
            raise Problem("tiers-off", "This server cannot make witnesses of this epoch now.") from error
    return WitnessOut(epoch=found.epoch, witness=found.to_json(), signed=found.signed.to_json())


@router.post(
    "/v1/me/proof-consents",
    name="post_proof_consent",
    **documented(
        "Decide about a request",
        "For members who want a record here, and for whoever wants the server to make the proof (`assisted`): both tell"
        " the operator who was asked by whom. A wallet that keeps its decisions to itself needs none of it.",
        gives=(201, "It is kept", "ConsentOut"),
        takes="DecideOnRequest",
        example={"request_id": "0x" + "5c" * 32, "given": True},
        by="member",
        codes=("proof-request-unknown", "consent-decided"),
    ),
)
async def post_proof_consent(request: Request, me: ME) -> Response:
    no_parameters(request)
    body = decode(_decision, await body_of(request, bytes_max=BODY_BYTES_MAX))
    if body.assisted and not body.given:
        raise invalid("/assisted", "help with what is declined is none")
    return json_of(await anyio.to_thread.run_sync(_decided, door_of(request), me, body), 201)


def _decided(door: Door, me: Member, body: DecideOnRequest) -> ConsentOut:
    with door.pool.connection() as connection, connection.transaction():
        asked = known(connection, body.request_id, pointer="/request_id")
        rows.decide(connection, me.number, asked, given=body.given, assisted=body.assisted, now=door.now())
        kept = rows.consent(connection, me.number, asked.id)
        assert kept is not None, "it was kept above, or before"
        if (kept.given, kept.assisted) != (body.given, body.assisted):
            raise Problem("consent-decided", "The member has decided about this request otherwise.")
        return shown_consent(kept, tier_names(connection, asked.signed.request.epoch))


@router.get(
    "/v1/me/proof-consents",
    **documented(
        "Your decisions",
        "Who asked, what and what for; whether the partner may know you again; how many others fit; whether you were"
        " helped. Those alone that you had kept here.",
        gives=(200, "A page, newest first", "ConsentsOut"),
        parameters=(CURSOR, LIMIT),
        by="member",
        codes=("field-invalid",),
    ),
)
def get_proof_consents(request: Request, me: ME) -> Response:
    below, limit = below_of(request)
    with door_of(request).reading() as connection:
        found = rows.consents(connection, me.number, below=below, limit=limit + 1)
        page, more = one_page(found, limit, lambda each: Below(each.no))
        names = {number: tier_names(connection, number) for number in {each.epoch for each in page}}
    return json_of(ConsentsOut(data=[shown_consent(each, names[each.epoch]) for each in page], next_cursor=more))

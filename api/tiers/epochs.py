"""Epochs as everybody may know them, what a partner's own verifier has to trust, and the operator's revocation.

Invariants: what is answered is what was signed and anchored; nothing of a member is in it. The trust file is whole in
one answer, so that a partner needs one command to begin. Mounted by `api.app`.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.door import door_of
from api.openapi import CURSOR, LIMIT, NUMBER_SCHEMA, PathText, documented, in_path
from api.paging import PART_MAX, Below, below_of, one_page
from api.parse import moment, no_parameters
from api.problems import Problem, invalid
from api.shapes.tiers import EpochLineOut, EpochOut, EpochsOut, RevokedOut, TrustOut
from api.tiers.answering import json_of
from api.tiers.kept import Kept
from api.tiers.partners import numbered
from api.tiers.published import Header, Standing, header_numbered, headers, place, tables
from api.tiers.rows import Connection
from proofs.json_form import hex_text
from proofs.tier.statement import alliance_id
from settlement.tiers import rows as sealed

router = APIRouter()
EPOCH = in_path("epoch", NUMBER_SCHEMA, "20644")
TRUSTED_EPOCHS_MAX = 16
ANSWERS_KEPT_MAX = 4
"""Of up to a megabyte or two each, which anybody may ask for over and over."""
MS_PER_SECOND = 1_000


@router.get(
    "/v1/epochs",
    **documented(
        "Epochs of tiers",
        "Those whose root the chain holds: each header as the operator signed it. Open to anybody.",
        gives=(200, "A page, newest first", "EpochsOut"),
        parameters=(CURSOR, LIMIT),
        codes=("field-invalid",),
        keyed=False,
    ),
)
def get_epochs(request: Request) -> Response:
    below, limit = below_of(request)
    door = door_of(request)
    now = int(door.now().timestamp())
    with door.reading() as connection:
        found = headers(connection, below=below, limit=limit + 1)
    page, more = one_page(found, limit, lambda each: Below(each.epoch))
    return json_of(EpochsOut(data=[_line(each, now) for each in page], next_cursor=more))


@router.get(
    "/v1/epochs/{epoch}",
    **documented(
        "An epoch of tiers",
        "With the grid of what may be asked, and how many members fit each predicate, in steps: the header has the"
        " hashes of both. Open to anybody.",
        gives=(200, "The epoch", "EpochOut"),
        parameters=(EPOCH,),
        codes=("field-invalid", "epoch-unknown"),
        keyed=False,
    ),
)
def get_epoch(request: Request, epoch: PathText) -> Response:
    no_parameters(request)
    door, number = door_of(request), numbered(epoch, "epoch")
    now = int(door.now().timestamp())
    with door.reading() as connection:
        header = header_numbered(connection, number)
        if header is None:
            raise unknown(number)
        key = header.signed.header.struct_hash(), header.standing(now)
        answer = _answers.of(key, lambda: bytes(json_of(_whole(connection, header, now)).body))
    return Response(answer, media_type="application/json")


_answers = Kept[tuple[bytes, Standing], bytes](ANSWERS_KEPT_MAX)


def _whole(connection: Connection, header: Header, now: int) -> EpochOut:
    line, (grid, cohorts) = _line(header, now), tables(connection, header.epoch)
    return EpochOut(epoch=line.epoch, state=line.state, signed=line.signed, policy_grid=grid, cohorts=cohorts)


def _line(header: Header, now: int) -> EpochLineOut:
    return EpochLineOut(epoch=header.epoch, state=header.standing(now), signed=header.signed.to_json())


def unknown(number: int, *, pointer: str = "#path/epoch") -> Problem:
    """No such epoch, or none that is published."""
    return invalid(pointer, f"no epoch {number} is published", code="epoch-unknown")


@router.get(
    "/v1/verification-key",
    **documented(
        "What a verifier has to trust",
        "A trusted.json for `python -m proofs.tier verify`: this chain and registry, the circuits' verification keys"
        " and the epochs that are in force or to come. Compare vk_hash with the registry on chain. Open to anybody.",
        gives=(200, "The trust file", "TrustOut"),
        codes=("field-invalid", "tiers-off"),
        keyed=False,
    ),
)
def get_verification_key(request: Request) -> Response:
    no_parameters(request)
    door = door_of(request)
    now = int(door.now().timestamp())
    if not door.tiers.circuits:
        raise Problem("tiers-off", "This server has no verification key.")
    with door.reading() as connection:
        here = place(connection)
        every = headers(connection, below=PART_MAX, limit=TRUSTED_EPOCHS_MAX)[::-1]
    counting = [each.signed for each in every if each.standing(now) in {"in-force", "to-come"}]
    return json_of(
        TrustOut(
            chain_id=here.chain_id,
            registry=hex_text(here.registry),
            alliance_id=alliance_id(here.chain_id, here.registry),
            circuits=[each.form for each in door.tiers.circuits],
            epochs=[each.to_json() for each in counting],
        )
    )


@router.post(
    "/v1/epochs/{epoch}/revoke",
    name="post_epoch_revoke",
    **documented(
        "An epoch counts no more",
        "At once here: nothing is proven in it, no witness is handed out. The next drive of the sealing has the chain"
        " revoke it too. It cannot be taken back.",
        gives=(200, "It is revoked", "RevokedOut"),
        parameters=(EPOCH,),
        codes=("field-invalid", "epoch-unknown"),
    ),
)
def post_epoch_revoke(
    request: Request, epoch: PathText, _caller: Annotated[Caller, Depends(allowed("epochs:write"))]
) -> Response:
    no_parameters(request)
    door, number = door_of(request), numbered(epoch, "epoch")
    with door.pool.connection() as connection, connection.transaction():
        sealed.revoke(connection, number, now=int(door.now().timestamp()))
        found = sealed.epoch(connection, number)
    if found is None or found.revoked_at is None:
        raise unknown(number)
    return json_of(RevokedOut(epoch=number, revoked_at=moment(found.revoked_at * MS_PER_SECOND)))

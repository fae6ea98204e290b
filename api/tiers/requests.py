"""Requests for tier proofs: a partner asks, a wallet reads what is asked, the partner sees what became of it.

Invariants: a request is kept as it was signed, under its EIP-712 digest, and asked again is answered the same; of one
partner one request is decided at a time, so budgets count right. Whoever knows the id may read a request, as long as
its partner may ask: it is 256 bits that the partner and the member share, and a wallet that reads it without its
session is linked to nothing. Mounted by `api.app`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.door import Door, door_of
from api.openapi import PathText, documented, in_path
from api.parse import BODY_BYTES_MAX, body_of, decode, no_parameters
from api.problems import Problem, invalid
from api.shapes.tiers import OutcomeOut, ProofRequestOut, SignedProofRequest, State
from api.tiers import asking, rows, visitors
from api.tiers.answering import json_of, moment_of, shown_request
from api.tiers.asking import AskedTooOften, History, NotAsked, Published, TooClose, TooFew, Unfit
from api.tiers.kept import Kept
from api.tiers.published import place, published, tier_names
from api.tiers.rows import Asked, Connection
from api.tiers.visitors import Visitor
from proofs.json_form import hex_text
from proofs.tier.cohorts import MEMBERS_MIN
from proofs.tier.decoding import DecodingError, raw
from proofs.tier.narrowing import WINDOW_DAYS, Question
from proofs.tier.request import SignedRequest

router = APIRouter()
COUNTS_KEPT_MAX = 1_024
PARTNER = Annotated[Visitor, Depends(visitors.partner)]
ID = in_path("request_id", {"type": "string", "pattern": "^0x[0-9a-f]{64}$"}, "0x" + "5c" * 32)
EXAMPLE = {
    "request": {
        "partner_id": 3,
        "audience": "tea.example",
        "purpose": "a free upgrade",
        "window_id": 202607,
        "scope": "1",
        "policy": "1",
        "epoch": 20644,
        "circuit_id": "0x" + "c1" * 32,
        "nonce": "0x" + "0a" * 32,
        "expires_at": "1783685400",
        "max_uses": 1,
        "recipient": "0x" + "00" * 20,
    },
    "chain_id": 31337,
    "registry": "0x" + "7e" * 20,
    "signature": "0x" + "5e" * 65,
}
_decoder = msgspec.json.Decoder(SignedProofRequest)


@router.post(
    "/v1/proof-requests",
    name="post_proof_request",
    **documented(
        "Ask for a tier proof",
        "A request.json, signed (EIP-712) with the partner's key; of no member: hand its id to whoever is to answer it."
        " Answered once, within its time. The same request again is answered the same.",
        gives=(201, "It may be answered", "ProofRequestOut"),
        takes="SignedProofRequest",
        example=EXAMPLE,
        by="partner",
        codes=("tiers-off", "proof-request-unfit", "cohort-too-small", "ask-budget-spent", "narrowing-budget-spent"),
    ),
)
async def post_proof_request(request: Request, visitor: PARTNER) -> Response:
    no_parameters(request)
    body = await body_of(request, bytes_max=BODY_BYTES_MAX)
    decode(_decoder, body)
    try:
        signed = SignedRequest.decode(body, "body")
    except DecodingError as error:
        raise invalid(_pointer(error.field), str(error)) from error
    return json_of(await anyio.to_thread.run_sync(_ask, door_of(request), visitor, signed), 201)


def _pointer(field: str) -> str:
    """`body.request.policy` as a pointer into the body."""
    return "".join(f"/{part}" for part in field.split(".")[1:])


def _ask(door: Door, visitor: Visitor, signed: SignedRequest) -> ProofRequestOut:
    now, number = door.now(), visitor.partner.partner_id
    with door.pool.connection() as connection, connection.transaction():
        rows.lock_partner(connection, number)
        before = rows.asked(connection, signed.digest)
        few = None
        if before is None or before.partner_id != number:  # another's is refused as that, however well it was signed
            few = _kept(connection, visitor, signed, now)
        if few is None:
            asked = rows.asked(connection, signed.digest)
            assert asked is not None, "it was written above, or before"
            return shown_request(asked, tier_names(connection, asked.signed.request.epoch))
    raise problem_of(few)  # what was tried stays remembered


def _kept(connection: Connection, visitor: Visitor, signed: SignedRequest, now: datetime) -> TooFew | None:
    """Keep a request that may be asked, and what it asks. Of one that too few fit only the latter, so that nobody looks
    for the bound by trying.
    """
    partner, request = visitor.partner, signed.request
    epoch = published(connection, request.epoch, now=int(now.timestamp()))
    try:
        cohort, question = asking.check(
            signed, partner, place(connection), epoch, _history(connection, visitor, signed, now), now=now
        )
    except NotAsked as refused:
        raise problem_of(refused) from refused
    rows.remember(connection, partner.partner_id, question, epoch=request.epoch, now=now)
    assert epoch is not None, "what may be asked is about an epoch in force"
    if question.uncounted(request.epoch) and not _many_fit(connection, epoch, question):
        return TooFew(with_earlier=False)
    expires_at = datetime.fromtimestamp(request.expires_at, UTC)
    rows.ask(connection, signed, cohort=cohort, now=now, expires_at=expires_at)
    return None


def _history(connection: Connection, visitor: Visitor, signed: SignedRequest, now: datetime) -> History:
    partner, number = visitor.partner, visitor.partner.partner_id
    day, window = now - timedelta(seconds=asking.BUDGET_SECONDS), now - timedelta(days=WINDOW_DAYS)
    questions = rows.questions_since(connection, number, window)
    return History(
        full_since=rows.asked_before_last(connection, number, partner.asks_per_day_max, since=day),
        questions=[each for each, _ in questions],
        of_epoch=[each for each, epoch in questions if epoch == signed.request.epoch],
        nonce_used=rows.nonce_used(connection, number, signed.request.nonce),
    )


_fitting = Kept[tuple[bytes, Question], bool](COUNTS_KEPT_MAX)


def _many_fit(connection: Connection, epoch: Published, question: Question) -> bool:
    """Counted in full, once: fewer may fit than fit the predicate alone."""
    number, most = epoch.header.epoch, MEMBERS_MIN
    return _fitting.of(
        (epoch.header.struct_hash(), question),
        lambda: rows.fitting(connection, question, epoch=number, most=most) >= most,
    )


def problem_of(refused: NotAsked) -> Problem:
    """A request that may not be asked, as its partner is told."""
    match refused:
        case Unfit(why, detail):
            more = f": {detail}" if detail else ""
            return Problem("proof-request-unfit", f"{why.value.capitalize()}{more}.", data={"why": why.name.lower()})
        case TooFew(with_earlier):
            which = "both it and one that you asked before, or only one of the two" if with_earlier else "the policy"
            return Problem("cohort-too-small", f"Fewer than {MEMBERS_MIN} members of the epoch fit {which}.")
        case AskedTooOften(seconds):
            headers = {"Retry-After": str(seconds)}
            return Problem("ask-budget-spent", f"The next request is taken in {seconds} s.", headers=headers)
        case TooClose(policies):
            message = f"{policies} other policies of the last {WINDOW_DAYS} days overlap this one."
            return Problem("narrowing-budget-spent", message)
    raise AssertionError(refused)


@router.get(
    "/v1/proof-requests/{request_id}",
    **documented(
        "What a partner asks",
        "Who asks, what, what for, and the signed request itself. Open to whoever has its id; read it without a session"
        " and nobody knows for whom.",
        gives=(200, "The request", "ProofRequestOut"),
        parameters=(ID,),
        codes=("field-invalid", "proof-request-unknown"),
        keyed=False,
    ),
)
def get_proof_request(request: Request, request_id: PathText) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        asked = known(connection, request_id)
        partner = rows.partner(connection, asked.partner_id)
        if partner is None or partner.ended_at is not None:
            raise unknown(request_id)
        return json_of(shown_request(asked, tier_names(connection, asked.signed.request.epoch)))


@router.get(
    "/v1/proof-requests/{request_id}/outcome",
    **documented(
        "What became of your request",
        "For a partner that did not hear what the verification of its own request came to.",
        gives=(200, "As it stands now", "OutcomeOut"),
        parameters=(ID,),
        by="partner",
        codes=("field-invalid", "proof-request-unknown"),
    ),
)
def get_outcome(request: Request, request_id: PathText, visitor: PARTNER) -> Response:
    no_parameters(request)
    door = door_of(request)
    with door.reading() as connection:
        asked = known(connection, request_id)
    if asked.partner_id != visitor.partner.partner_id:
        raise unknown(request_id)
    over = asked.expires_at <= door.now()
    state: State = "shown" if asked.used_at else "over" if over else "open"
    nullifier = str(int.from_bytes(asked.nullifier, "big")) if asked.nullifier else None
    return json_of(
        OutcomeOut(id=hex_text(asked.id), state=state, nullifier=nullifier, shown_at=moment_of(asked.used_at))
    )


def known(connection: Connection, request_id: str, *, pointer: str = "#path/request_id") -> Asked:
    """The request of that id. Refuses with field-invalid or proof-request-unknown."""
    try:
        digest = raw(request_id, "id")
    except DecodingError as error:
        raise invalid(pointer, str(error)) from error
    asked = rows.asked(connection, digest)
    if asked is None:
        raise unknown(request_id, pointer=pointer)
    return asked


def unknown(request_id: str, *, pointer: str = "#path/request_id") -> Problem:
    """No such request, or none of the asker's."""
    return invalid(pointer, f"there is no request {request_id}", code="proof-request-unknown")

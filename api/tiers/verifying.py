"""A partner shows a proof: checked off the event loop, used up in one transaction, and refused in one way only.

Invariants: every public signal is made here from the stored request and the epoch's header; a request is used once
and a nullifier once in its scope, whoever comes at the same moment; whatever is wrong, the partner is told the same
bytes, at the same steps of time after it asked; the reason is kept for the operator. Of the checks the cheap ones
come first. Mounted by `api.app`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import anyio
import psycopg
import structlog
from fastapi import APIRouter, Depends, Request, Response

from api.door import Door, door_of
from api.openapi import documented
from api.parse import body_of, no_parameters
from api.problems import MEDIA_TYPE, Problem, render
from api.shapes.tiers import ProofTakenOut
from api.tiers import rows, visitors
from api.tiers.answering import json_of
from api.tiers.published import place, tier_names, trusted
from api.tiers.rows import Asked, Partner
from api.tiers.visitors import Visitor
from proofs.json_form import hex_text
from proofs.tier.decoding import DecodingError, Fields, decode
from proofs.tier.response import TierResponse
from proofs.tier.verify import verify_response
from proofs.words import uint_word

router = APIRouter()
log = structlog.get_logger(__name__)

PROOF_BYTES_MAX = 8 * 1024
REFUSAL_STEP_SECONDS = 0.25
"""Refusals are told at whole steps after the asking: several times what the dearest check takes, so that the clock does
not tell a proof that fails from one that was shown before.
"""
PATH = "/v1/tier-proofs/verify"
EXAMPLE = {
    "request_id": "0x" + "5c" * 32,
    "response": {
        "circuit_id": "0x" + "c1" * 32,
        "nullifier": "1",
        "proof": {"pi_a": ["1", "2"], "pi_b": [["1", "2"], ["3", "4"]], "pi_c": ["1", "2"]},
    },
}
REFUSED = Problem("proof-refused", "The proof is not taken.")


class Untaken(Exception):
    """A proof is not taken. `reason` is a word for the operator."""

    def __init__(self, reason: str, asked: bytes | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.asked = asked


@router.post(
    PATH,
    name="post_tier_proof",
    **documented(
        "Take a tier proof",
        "The member's response to your request. Taken, the request is used up and so is the nullifier in its scope."
        " Every refusal is the same, and comes at quarters of a second. Takes no Idempotency-Key: whether a proof was"
        " taken whose answer was lost, `outcome` of the request tells.",
        gives=(200, "The proof holds, and is used up", "ProofTakenOut"),
        takes="TierProof",
        example=EXAMPLE,
        by="partner",
        codes=("tiers-off", "proof-refused", "verifying-busy"),
    ),
)
async def post_tier_proof(request: Request, visitor: Annotated[Visitor, Depends(visitors.partner)]) -> Response:
    no_parameters(request)
    body = await body_of(request, bytes_max=PROOF_BYTES_MAX)
    door, partner = door_of(request), visitor.partner
    begun = anyio.current_time()
    taken = await door.proofs.run(lambda: judged(door, partner, body), merchant_id=partner.partner_id)
    if taken is not None:
        return json_of(taken)
    await anyio.sleep(until_a_step(anyio.current_time() - begun))
    # Names no request, so that two refusals are the same bytes; the id is in the X-Request-Id header.
    return Response(render(REFUSED, instance=PATH), status_code=REFUSED.status, media_type=MEDIA_TYPE)


def until_a_step(elapsed: float) -> float:
    """Seconds to wait so that a refusal is told at a whole step after the asking."""
    return REFUSAL_STEP_SECONDS - elapsed % REFUSAL_STEP_SECONDS


def judged(door: Door, partner: Partner, body: bytes) -> ProofTakenOut | None:
    """What is answered to a proof that is taken, None for one that is not; the reason of that is kept."""
    now = door.now()
    try:
        return _taken(door, partner, body, now)
    except Untaken as untaken:
        with door.pool.connection() as connection, connection.transaction():
            rows.refuse(
                connection,
                partner_id=partner.partner_id,
                request_id=untaken.asked,
                reason=untaken.reason,
                now=now,
            )
        log.info("proof refused", partner=partner.partner_id, reason=untaken.reason)
        return None


def _taken(door: Door, partner: Partner, body: bytes, now: datetime) -> ProofTakenOut:
    """The proof, checked and used up. Raises `Untaken` with the first reason there is."""
    request_id, response = _read(body)
    with door.reading() as connection:
        here = place(connection)
        asked = _open(rows.asked(connection, request_id), partner, request_id, now)
        request = asked.signed.request
        believed = trusted(connection, here, door.tiers.circuits, request.epoch)
        names = tier_names(connection, request.epoch)
    seconds = int(now.timestamp())
    verdict = verify_response(asked.signed, response, believed, now=seconds, partner_key=partner.address)
    if verdict.reason is not None:
        raise Untaken(verdict.reason.name.lower(), request_id)
    _use(door, asked, response.nullifier, now)
    return ProofTakenOut(
        accepted=True,
        request_id=hex_text(asked.id),
        epoch=request.epoch,
        scope=str(request.scope),
        nullifier=str(response.nullifier),
        predicate=request.predicate.in_words(names),
        taken_at=now.isoformat(),
    )


def _read(body: bytes) -> tuple[bytes, TierResponse]:
    """Strictly: one spelling of everything."""
    try:
        fields = Fields.of(decode(body, "body", bytes_max=PROOF_BYTES_MAX), "body", ("request_id", "response"))
        return fields.raw("request_id"), TierResponse.from_json(fields.form["response"], "body.response")
    except DecodingError as error:
        raise Untaken("malformed") from error


def _open(asked: Asked | None, partner: Partner, request_id: bytes, now: datetime) -> Asked:
    """The request, if it is this partner's and waits for an answer."""
    if asked is None:
        raise Untaken("request-unknown", request_id)
    if asked.partner_id != partner.partner_id:
        raise Untaken("request-of-another", request_id)
    if asked.used_at is not None:
        raise Untaken("request-used", request_id)
    if asked.expires_at <= now:
        raise Untaken("request-expired", request_id)
    return asked


_TWICE = {"tier_use_pkey": "request-used", "tier_use_once": "nullifier-used"}


def _use(door: Door, asked: Asked, nullifier: int, now: datetime) -> None:
    """One transaction: of two at once, the second finds what the first has committed."""
    try:
        with door.pool.connection() as connection, connection.transaction():
            rows.use(connection, asked, uint_word(nullifier), now)
    except psycopg.errors.UniqueViolation as error:
        raise Untaken(_TWICE[str(error.diag.constraint_name)], asked.id) from error

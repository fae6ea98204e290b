"""Merchants that sign their own events: what waits for them, and taking a signature in. Mounted by `api.app`.

Invariant: a merchant sees and signs for its own keys alone. Taking in is one transaction of `settlement.sealing.desk`;
sent again, the same signature gets the same promise, so no Idempotency-Key is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.door import Door, door_of
from api.openapi import documented
from api.parse import BODY_BYTES_MAX, body_of, decode, moment, no_parameters
from api.problems import Problem, invalid
from api.shapes.signing import AcceptanceOut, EventMessage, LaneOut, LanesOut, SignedEvent, WaitingOut
from ledger.answers import LegRef
from proofs.json_form import JsonFormError, from_json, hex_text, to_json
from proofs.messages import DOMAIN_NAME, DOMAIN_VERSION, PointsEvent, domain_separator
from proofs.words import WordError
from settlement import tables
from settlement.sealing import desk
from settlement.sealing.self_signed import IntakeRefused, Signed
from settlement.tables import Anchor

router = APIRouter()
SIGNER = Annotated[Caller, Depends(allowed("events:write"))]
WORD_HEX = 64
MS_PER_SECOND = 1_000
EXAMPLE: Mapping[str, Any] = {
    "journal_seq": 17,
    "leg": 1,
    "message": {
        "kind": "1",
        "merchantId": "7",
        "keyId": "4",
        "nonce": "1",
        "occurredAt": "1783684800",
        "issuerId": "7",
        "memberRef": "0x" + "3a" * 32,
        "points": "100",
        "termsId": "1",
        "settleAmount": "0",
        "refEventId": "0x" + "00" * 32,
        "campaignId": "0",
        "level": "0",
        "basis": "0",
        "detailHash": "0x" + "5c" * 32,
    },
    "signature": "0x" + "7e" * 64,
}
_decoder = msgspec.json.Decoder(SignedEvent)
_encode = msgspec.json.Encoder().encode


@router.get(
    "/v1/signatures",
    **documented(
        "What waits for your signature",
        "For each key that you hold yourself: the nonce it goes on with, and the events to sign as EIP-712 typed data.",
        gives=(200, "In the order in which it can be signed", "LanesOut"),
        codes=("field-invalid", "reading-busy"),
    ),
)
async def get_signatures(request: Request, caller: SIGNER) -> Response:
    no_parameters(request)
    door = door_of(request)
    return await door.slow.run(lambda: _offered(door, caller), merchant_id=caller.merchant_id)


def _offered(door: Door, caller: Caller) -> Response:
    """Thousands of events as typed data: long, so it is made where long answers are."""
    with door.reading() as connection:
        anchor = tables.anchor(connection)
        lanes = [lane for lane in desk.lanes(connection) if lane.merchant_id == caller.merchant_id]
        told = [
            LaneOut(
                key_id=lane.key_id,
                address=hex_text(lane.address),
                next_nonce=desk.last_nonce(connection, lane.id) + 1,
                waiting=[
                    WaitingOut(journal_seq=source.seq, leg=source.no, typed_data=_typed_data(anchor, event))
                    for source, event in desk.waiting(connection, lane)
                ],
            )
            for lane in lanes
        ]
    return Response(_encode(LanesOut(lanes=told)), media_type="application/json")


@router.post(
    "/v1/signatures",
    name="post_signature",
    **documented(
        "Sign an event",
        "The answer is the operator's AcceptanceReceipt: keep it, it is owed to you. The nonce is the one after your"
        " key's last. Without journal_seq and leg the message is a VOID, which burns its nonce.",
        gives=(201, "It was taken in", "AcceptanceOut"),
        takes="SignedEvent",
        example=dict(EXAMPLE),
        codes=("signing-off", "signature-refused"),
    ),
)
async def post_signature(request: Request, caller: SIGNER) -> Response:
    no_parameters(request)
    body = decode(_decoder, await body_of(request, bytes_max=BODY_BYTES_MAX))
    signed = _signed(body)
    if signed.event.merchant_id != caller.merchant_id:
        raise invalid("/message/merchantId", "wants your own number")
    answer = await anyio.to_thread.run_sync(_taken_in, door_of(request), signed)
    return Response(_encode(answer), status_code=201, media_type="application/json")


def _taken_in(door: Door, signed: Signed) -> AcceptanceOut:
    with door.pool.connection() as connection:
        anchor = tables.anchor(connection)
        if door.receipt_key is None or anchor is None:
            raise Problem("signing-off", "This alliance gives no acceptance receipts: ask its operator.")
        separator = domain_separator(chain_id=anchor.chain_id, hub=anchor.hub)
        now = int(door.now().timestamp())
        try:
            promise, (r, vs) = desk.take_in(connection, signed, separator=separator, key=door.receipt_key, now=now)
        except IntakeRefused as refused:
            data = {"why": refused.why.value, "place": refused.place}
            told = {"expected": str(refused.expected), "actual": str(refused.actual)}
            raise Problem("signature-refused", f"{refused}.", data=data | told) from refused
    return AcceptanceOut(
        receipt=to_json(promise),
        r=hex_text(r),
        vs=hex_text(vs),
        signer=hex_text(door.receipt_key.address),
        merge_by=moment(promise.merge_by * MS_PER_SECOND),
    )


def _signed(body: SignedEvent) -> Signed:
    if (body.journal_seq is None) != (body.leg is None):
        raise invalid("/leg", "goes with journal_seq")
    source = None if body.journal_seq is None or body.leg is None else LegRef(body.journal_seq, body.leg)
    event = _event(body.message)
    raw = bytes.fromhex(body.signature.removeprefix("0x"))
    return Signed(event, (raw[: WORD_HEX // 2], raw[WORD_HEX // 2 :]), source)


def _event(message: EventMessage) -> PointsEvent:
    try:
        event = from_json(PointsEvent, msgspec.to_builtins(message))
        event.words()
    except (JsonFormError, WordError) as error:
        raise invalid("/message", str(error)) from error
    return event


def _typed_data(anchor: Anchor | None, event: PointsEvent | None) -> dict[str, Any] | None:
    """The event as eth_signTypedData takes it; nonce 0 stands for the signer's own."""
    if anchor is None or event is None:
        return None
    fields = [field.split(" ") for field in PointsEvent.TYPE.split("(")[1][:-1].split(",")]
    domain = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
    return {
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": str(anchor.chain_id),
            "verifyingContract": hex_text(anchor.hub),
        },
        "primaryType": "PointsEvent",
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in domain],
            "PointsEvent": [{"name": name, "type": kind} for kind, name in fields],
        },
        "message": to_json(event),
    }

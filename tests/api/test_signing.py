"""A merchant signs over HTTP: what it is offered is what it signs, and the promise it gets can be checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from fastapi.testclient import TestClient

from api import keys
from api.app import create_app
from api.door import open_door
from proofs.accounts import lane_account
from proofs.json_form import from_json
from proofs.messages import AcceptanceReceipt, PointsEvent, domain_separator, signed_digest
from proofs.signature import address_of, recover
from settlement.batches import seal_next
from settlement.chain.outbox import Intent
from settlement.sealing.desk import LocalReceiptKey
from settlement.sealing.lanes import LaneId
from tests.api.conftest import Caller, Clock
from tests.settlement.chain.field import Field, day

LANE = LaneId(2, 4)
KEY, RECEIPT_KEY = PrivateKey(b"\x31" * 32), LocalReceiptKey(b"\x32" * 32)
EARN_REDEEM_VOID = 1 << 1 | 1 << 2 | 1 << 9


@pytest.fixture
def keyed(field: Field) -> Field:
    """Merchant 2 has opened a key of its own, and a day of trade waits."""
    with field.settlement() as s:
        data = s.alliance.registry.data("addKeys", [(*LANE, address_of(KEY.public_key), EARN_REDEEM_VOID)])
        s.outbox.complete(Intent("own-key", s.alliance.registry.address, data, 300_000))
        seal_next(s, settling=True)
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s)
    return field


@pytest.fixture
def merchant(keyed: Field, clock: Clock) -> Iterator[Caller]:
    with psycopg.connect(keyed.dsn) as connection:
        token = keys.issue(connection, merchant_id=2, environment="test")
    with (
        open_door(keyed.dsn, production=False, readers_max=2, now=clock, receipt_key=RECEIPT_KEY) as door,
        TestClient(create_app(door)) as http,
    ):
        yield Caller(http, token)


def signed(waiting: dict[str, Any], *, nonce: int) -> dict[str, Any]:
    """The body to send: signed by a wallet's own library, from the typed data alone."""
    typed = waiting["typed_data"]
    message = typed["message"] | {"nonce": str(nonce)}
    numbers = {field["name"] for field in typed["types"]["PointsEvent"] if field["type"].startswith("uint")}
    plain = {name: int(value) if name in numbers else value for name, value in message.items()}
    domain = typed["domain"] | {"chainId": int(typed["domain"]["chainId"])}
    types = {name: fields for name, fields in typed["types"].items() if name != "EIP712Domain"}
    made = Account.from_key(KEY.secret).sign_message(encode_typed_data(domain, types, plain))
    vs = made.s | (made.v - 27) << 255
    signature = "0x" + made.r.to_bytes(32, "big").hex() + vs.to_bytes(32, "big").hex()
    place = {"journal_seq": waiting["journal_seq"], "leg": waiting["leg"]}
    return {"message": message, "signature": signature, **place}


def lane_of(merchant: Caller) -> Any:
    (lane,) = merchant.get("/v1/signatures").json()["lanes"]
    return lane


def test_a_wallet_signs_what_is_offered(field: Field, merchant: Caller) -> None:
    lane = lane_of(merchant)
    assert (lane["key_id"], lane["next_nonce"]) == (LANE.key_id, 1)
    offered = lane["waiting"][0]
    body = signed(offered, nonce=1)
    answer = merchant.post("/v1/signatures", body)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    receipt = from_json(AcceptanceReceipt, told["receipt"])
    assert receipt.event_hash == from_json(PointsEvent, body["message"]).hash_struct()
    assert told["signer"] == "0x" + RECEIPT_KEY.address.hex()
    with field.settlement() as s:
        separator = domain_separator(chain_id=s.alliance.anchor.chain_id, hub=s.alliance.anchor.hub)
        r, vs = (bytes.fromhex(told[name][2:]) for name in ("r", "vs"))
        assert recover(signed_digest(separator, receipt.hash_struct()), r, vs) == RECEIPT_KEY.address
        batch = seal_next(s)
        assert batch is not None
        assert next(row.seq for row in batch.done.rows if row.account == lane_account(*LANE)) == 1
    assert merchant.post("/v1/signatures", body).json() == told
    lane = lane_of(merchant)
    assert lane["next_nonce"] == 2
    assert offered not in lane["waiting"]
    refused = merchant.post("/v1/signatures", signed(lane["waiting"][0], nonce=3))
    assert (refused.status_code, refused.json()["data"]["why"]) == (422, "nonce")


def test_nobody_signs_for_another_or_half_a_leg(merchant: Caller) -> None:
    body = signed(lane_of(merchant)["waiting"][0], nonce=1)
    other = body | {"message": body["message"] | {"merchantId": "3"}}
    half = {name: value for name, value in body.items() if name != "leg"}
    wide = body | {"message": body["message"] | {"level": "256"}}
    pointers = ["/message/merchantId", "/leg", "/message"]
    for wrong, pointer in zip((other, half, wide), pointers, strict=True):
        answer = merchant.post("/v1/signatures", wrong)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_nothing_can_only_be_tried(merchant: Caller) -> None:
    body = signed(lane_of(merchant)["waiting"][0], nonce=1)
    answer = merchant.post("/v1/signatures?dry_run=true", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#query/dry_run")
    assert lane_of(merchant)["next_nonce"] == 1

"""From an event over HTTP to a proof under a header on the chain, on real parts throughout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api import keys
from api.app import create_app
from api.door import open_door
from api.statement import batches
from proofs.accounts import OPERATOR_ID
from proofs.json_form import hex_text
from proofs.receipt import check
from settlement.attestations import take_attestations
from settlement.batches import seal_next
from settlement.chain.intents import Intent
from settlement.chain.outbox import Outbox
from settlement.chain.refused import SignerSilent
from settlement.chain.senders import LocalSigner, RemoteSigner
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.web import WebMirror
from settlement.reconcile import reconcile
from settlement.sealing.inclusions import Inclusions
from settlement.submitter import drive
from settlement.vault import Vault
from tests.api.conftest import Caller, Clock
from tests.settlement.chain.field import ATTESTERS, Field, write_attestations
from tests.settlement.chain.tiny import SENDER

ISSUER, ACCEPTOR = 1, 2
AT = "2026-07-10T12:00:00Z"


@pytest.fixture
def http(field: Field, clock: Clock) -> Iterator[TestClient]:
    proofs = Inclusions(vault=field.publication().vault, mirrors=[FolderMirror(field.mirrors[0])])
    with (
        open_door(field.dsn, production=False, readers_max=2, now=clock, inclusions=proofs) as door,
        TestClient(create_app(door)) as http,
    ):
        yield http


def caller(http: TestClient, field: Field, merchant_id: int) -> Caller:
    with psycopg.connect(field.dsn) as connection:
        return Caller(http, keys.issue(connection, merchant_id=merchant_id, environment="test"))


@pytest.fixture
def issuer(http: TestClient, field: Field) -> Caller:
    return caller(http, field, ISSUER)


@pytest.fixture
def acceptor(http: TestClient, field: Field) -> Caller:
    return caller(http, field, ACCEPTOR)


def trade(issuer: Caller, acceptor: Caller) -> None:
    """Ann earns 1,000 points and uses 400 of them elsewhere."""
    paid = {
        "type": "order.paid",
        "id": "paid-1",
        "occurred_at": AT,
        "member": "ann",
        "order": "o",
        "amount_minor": 10_000,
    }
    redeemed = {"occurred_at": AT, "member": "ann", "redemption": "r", "au": 400}
    assert issuer.post("/v1/events", paid).status_code == 201
    assert acceptor.post("/v1/redemptions", redeemed, key="used-1").status_code == 201


def only_inclusion(caller: Caller, event_id: str) -> Any:
    (inclusion,) = caller.get(f"/v1/receipts/{event_id}").json()["inclusions"]
    return inclusion


def test_a_receipt_gets_its_proof_and_the_batch_its_transactions(
    field: Field, issuer: Caller, acceptor: Caller, http: TestClient
) -> None:
    trade(issuer, acceptor)
    assert issuer.get("/v1/receipts/paid-1").json()["inclusions"] == []
    assert http.get("/v1/batches/1").status_code == 404
    with field.settlement() as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        assert only_inclusion(issuer, "paid-1")["state"] == "published"
        for key in ATTESTERS:
            take_attestations(s, write_attestations(s.alliance, field.folder, [(1, batch.header_hash)], key))
        drive(s)
        on_chain = s.alliance.hub.read("headerHash", 1)

    shown = http.get("/v1/batches/1").json()
    assert shown["header_hash"] == hex_text(on_chain)
    assert (shown["state"], shown["settling"], shown["header"]["leafCount"]) == ("confirmed", True, "2")
    assert len(shown["attestations"]) == len(ATTESTERS)
    assert [(tx["purpose"], tx["status"]) for tx in shown["transactions"]] == [("commit", "mined")]
    assert sum(int(net["base_units"]) for net in shown["nets"]) == 0
    assert {net["merchant_id"]: int(net["base_units"]) for net in shown["nets"]}[ACCEPTOR] == 4_000_000

    with psycopg.connect(field.dsn, autocommit=True) as conn:
        of_statement = {each.batch_no: each for each in batches(conn)}[1]
    assert of_statement.header_hash == hex_text(on_chain)
    assert of_statement.leaves_root == shown["header"]["leavesRoot"]
    assert [each.tx_hash for each in of_statement.transactions] == [tx["hash"] for tx in shown["transactions"]]

    for who, event_id, slot in ((issuer, "paid-1", "member"), (acceptor, "used-1", "creditor")):
        inclusion = only_inclusion(who, event_id)
        assert (inclusion["batch_no"], inclusion["state"]) == (1, "confirmed")
        assert inclusion["proof"]["own"]["slot"] == slot
        assert check(inclusion["proof"]) == on_chain


def test_a_cancellation_opens_the_acceptors_own_cash_and_not_the_issuers(
    field: Field, issuer: Caller, acceptor: Caller
) -> None:
    trade(issuer, acceptor)
    acceptor.post("/v1/redemptions/r/cancel", {"occurred_at": AT, "cancellation": "c", "au": 100}, key="back-1")
    with field.settlement() as s:
        assert seal_next(s, settling=True) is not None
    own = only_inclusion(acceptor, "back-1")["proof"]["own"]
    assert own["slot"] == "debtor"
    assert int(own["posting"]["balance"]) > 0, "the acceptor is owed; the issuer, who owes, would stand below zero"


def test_a_leaf_that_holds_nothing_of_the_callers_is_placed_and_not_opened(
    field: Field, issuer: Caller, acceptor: Caller, http: TestClient
) -> None:
    """The operator's fees are cash between merchants, without a member."""
    trade(issuer, acceptor)
    operator = caller(http, field, OPERATOR_ID)
    ended = operator.post("/v1/clearing/cycles", {"occurred_at": AT, "cycle": "one"}, key="end-1")
    assert ended.status_code == 201, ended.text
    with field.settlement() as s:
        assert seal_next(s, settling=True) is not None
    told = operator.get("/v1/receipts/end-1")
    assert told.status_code == 200
    assert [(each["leg"], each["batch_no"]) for each in told.json()["inclusions"]] == [
        (leg["no"], 1) for leg in told.json()["legs"]
    ]


def test_a_server_that_cannot_open_the_file_says_the_place_and_proves_nothing(
    field: Field, issuer: Caller, acceptor: Caller, clock: Clock
) -> None:
    trade(issuer, acceptor)
    with field.settlement() as s:
        seal_next(s)
    wrong = Inclusions(vault=Vault(b"\x07" * 32), mirrors=[FolderMirror(field.mirrors[0])])
    nowhere = Inclusions(vault=field.publication().vault, mirrors=[FolderMirror(field.folder / "nowhere")])
    for proofs in (None, wrong, nowhere):
        with (
            open_door(field.dsn, production=False, readers_max=1, now=clock, inclusions=proofs) as door,
            TestClient(create_app(door)) as http,
        ):
            inclusion = only_inclusion(Caller(http, issuer.token), "paid-1")
        assert (inclusion["batch_no"], inclusion["leaf_no"], inclusion["proof"]) == (1, 1, None)


def test_genesis_is_a_batch_too(field: Field, http: TestClient) -> None:
    with field.settlement() as s:
        anchor = s.alliance.anchor
    shown = http.get("/v1/batches/0").json()
    assert (shown["header"]["leafCount"], shown["attestations"], shown["nets"]) == ("0", [], [])
    assert shown["header"]["openedAt"] == str(anchor.founded_at)


@pytest.mark.parametrize("number", ["-1", "one", "1.0", "0x1", "9" * 16])
def test_a_batch_has_a_number(http: TestClient, number: str) -> None:
    assert http.get(f"/v1/batches/{number}").json()["code"] == "field-invalid"


def cut(point: str) -> None:
    """The process ends when a transaction is signed and not sent."""
    if point == "signed":
        raise InterruptedError


def test_the_operator_sees_settlement_and_its_alerts_and_nobody_else_does(
    field: Field, issuer: Caller, acceptor: Caller, http: TestClient
) -> None:
    operator = caller(http, field, OPERATOR_ID)
    assert operator.get("/v1/settlement").json()["chain"] is None, "nobody has looked yet"
    assert issuer.get("/v1/settlement").status_code == 403
    assert issuer.get("/v1/alerts").status_code == 403
    trade(issuer, acceptor)
    asked_first = ""
    with field.settlement() as s:
        seal_next(s, settling=True)
        empty = FolderMirror(field.folder / "empty")
        away = WebMirror("http://127.0.0.1:9")
        reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=[*s.publication.mirrors, empty, away])
        with pytest.raises(InterruptedError):
            Outbox(s.conn, s.alliance.chain, LocalSigner(SENDER.key), checkpoint=cut).submit(
                Intent("commit:1:0", s.alliance.anchor.hub, b"", 60_000, batch_no=1)
            )
        silent = Outbox(s.conn, s.alliance.chain, RemoteSigner("http://127.0.0.1:9", s.outbox.sender))
        for _ in range(2):
            with pytest.raises(SignerSilent):
                silent.submit(Intent("waits", s.alliance.anchor.hub, b"", 60_000))
            asked_first = asked_first or operator.get("/v1/settlement").json()["on_the_way"][1]["asked_at"]
    seen = operator.get("/v1/settlement").json()
    assert [(each["state"], each["count"]) for each in seen["batches"]] == [("finalised", 1), ("published", 1)]
    assert {each["kind"] for each in seen["costs"]} >= {"deploy", "deposit"}
    assert all(int(each["wei"]) > int(each["gas"]) > 0 for each in seen["costs"])
    sent, asked = seen["on_the_way"]
    assert (sent["purpose"], sent["batch_no"], sent["offers"], sent["sent_at"]) == ("commit:1:0", 1, 1, None)
    assert (asked["purpose"], asked["nonce"], asked["offers"]) == ("waits", sent["nonce"] + 1, 0)
    assert (sent["asked_at"], asked["asked_at"]) == (None, asked_first), "since it was asked first, not last"
    assert int(asked["max_fee_wei"]) > 0
    assert (seen["chain"]["next_batch_no"], seen["chain"]["lag_s"]) == (1, 0)
    assert seen["chain"]["hub_held"] == seen["chain"]["hub_owed"]
    assert {each["merchant_id"]: each["free"] for each in seen["collateral"]}[ISSUER] == "10000000000"
    assert [mirror["behind"] for mirror in seen["mirrors"]] == [[], [], [0, 1], []]
    assert [bool(mirror["down"]) for mirror in seen["mirrors"]] == [False, False, False, True]
    assert seen["alerts_open"] == {"warning": 2}
    first = operator.get("/v1/alerts").json()
    assert {(each["code"], each["place"]) for each in first["data"]} == {
        ("mirror-behind", empty.name),
        ("mirror-behind", away.name),
    }
    assert first["next_cursor"] is None
    path = f"/v1/alerts/{first['data'][0]['id']}/acknowledge"
    assert issuer.post(path, {"by": "lin"}).status_code == 403
    taken = operator.post(path, {"by": "lin"})
    assert (taken.status_code, taken.json()["acknowledged_by"], taken.json()["resolved_at"]) == (200, "lin", None)
    assert operator.post(path, {"by": "mo"}).json() == taken.json(), "the first who says so stays"
    with field.settlement() as s:
        reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=[*s.publication.mirrors, empty, away])
        assert operator.get("/v1/alerts").json()["data"][0]["acknowledged_by"] == "lin", (
            "found again it is the same one"
        )
        reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
    gone = operator.get("/v1/alerts").json()["data"]
    assert [each["resolved_at"] is not None for each in gone] == [True, True]

"""Assisted proving: sealed on the way, proven by the real prover in a process of its own, fetched once by who asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from coincurve import PrivateKey

from proofs.keccak import keccak256
from proofs.tier.policy import Policy, at_least
from proofs.tier.request import ProofRequest, SignedRequest
from proofs.tier.statement import CIRCUIT_ID, alliance_id, nullifier, scope
from proofs.tier.trusted import Trusted
from proofs.tier.verify import verify_response
from settlement.tiers import proving
from settlement.tiers.proving import Answer, Asked, Prover, ProverAway, Sealed, answer, ask, prove, ready
from tests.settlement.tiers.ground import BEGIN, NOW, VAULT, Ground, secret
from tests.settlement.tiers.paper import ADDRESS, CHAIN_ID

PARTNER = PrivateKey(keccak256(b"tongdui-test-partner"))
Conn = psycopg.Connection[Any]


@pytest.fixture
def sealed(ground: Ground) -> Ground:
    ground.enrol("m1", "m2", "idle")
    ground.drive()
    return ground


@pytest.fixture
def conn(sealed: Ground) -> Iterator[Conn]:
    with sealed.conn() as connection:
        ready(connection, VAULT, now=NOW)
        yield connection


def request(policy: Policy, epoch: int = BEGIN) -> SignedRequest:
    """Gold or better, asked by a partner of the tests."""
    made = ProofRequest(
        partner_id=7,
        audience="cafe.example",
        purpose="lounge",
        window_id=1,
        scope=scope(CHAIN_ID, ADDRESS, 7, "lounge", 1),
        policy=policy.packed(),
        epoch=epoch,
        circuit_id=CIRCUIT_ID,
        nonce=bytes(32),
        expires_at=NOW + 600,
        max_uses=policy.max_uses,
        recipient=bytes(20),
    )
    return made.sign(PARTNER, CHAIN_ID, ADDRESS)


GOLD = Policy(tier_mask=at_least(2))


def prover(sealed: Ground) -> Prover:
    return Prover(vault=VAULT, trees=sealed.trees)


def asked_for(conn: Conn, member: str, of: str | None = None) -> tuple[Asked, Sealed]:
    return ask(conn, member, secret(of or member), request(GOLD), use_index=0, now=NOW)


def test_a_proof_is_made_and_fetched_once(sealed: Ground, conn: Conn) -> None:
    asked, job = asked_for(conn, "m1")
    assert answer(conn, asked) is None
    assert prove(conn, prover(sealed), job, now=NOW) == "proven"
    assert prove(conn, prover(sealed), job, now=NOW) == "proven", "handed out again, it leaves no second answer"
    made = answer(conn, asked)
    assert made is not None
    assert made.response is not None
    assert made.response["circuit_id"] == "0x" + CIRCUIT_ID.hex()
    assert made.response["nullifier"] == str(nullifier(secret("m1"), request(GOLD).request.scope, 0))
    assert set(made.response["proof"]) == {"pi_a", "pi_b", "pi_c"}
    assert answer(conn, asked) is None


def test_a_partners_verifier_accepts_what_was_proven_in_a_sealed_epoch(ground: Ground) -> None:
    """From the ledger to a partner: what was bought, the snapshot, the root, the proof, and any partner's verifier."""
    key = json.loads((proving.CIRCUITS / "dev" / "verification_key.json").read_text())
    told = json.loads((proving.CIRCUITS / "dev" / "circuit.json").read_text())
    paper = replace(ground.registry, vk_hash=bytes.fromhex(told["vk_hash"].removeprefix("0x")))
    ground.enrol("m1", "m2", "m3", "idle")
    ground.drive(registry=paper)
    with ground.conn() as conn:
        ready(conn, VAULT, now=NOW)
        answers = {member: shown(conn, ground, member) for member in ("m1", "m2")}
    circuit = {"circuit_id": told["circuit_id"], "setup": "dev", "verification_key": key, "vk_hash": told["vk_hash"]}
    trust = {
        "chain_id": CHAIN_ID,
        "registry": "0x" + ADDRESS.hex(),
        "alliance_id": alliance_id(CHAIN_ID, ADDRESS),
        "circuits": [circuit],
        "epochs": [signed.to_json() for signed in ground.registry.published()],
    }
    trusted = Trusted.from_json(trust, allow_dev=True)
    for response in answers.values():
        assert verify_response(request(GOLD), response, trusted, now=NOW).accepted
        other = request(Policy(tier_mask=at_least(3)))
        assert not verify_response(other, response, trusted, now=NOW).accepted
    assert answers["m1"]["nullifier"] != answers["m2"]["nullifier"]


def shown(conn: Conn, ground: Ground, member: str) -> dict[str, Any]:
    """What the member shows to the partner."""
    asked, job = asked_for(conn, member)
    assert prove(conn, prover(ground), job, now=NOW) == "proven"
    made = answer(conn, asked)
    assert made is not None
    assert made.response is not None
    return made.response


@pytest.mark.parametrize(
    ("member", "of", "refused"),
    [
        ("m1", "m2", "not-this-secret"),
        ("idle", "idle", "policy-unmet"),
        ("m3", "m3", "witness-missing"),
        ("nobody", "m1", "witness-missing"),
    ],
)
def test_what_cannot_be_proven_is_refused_in_a_word(
    sealed: Ground, conn: Conn, member: str, of: str, refused: str
) -> None:
    asked, job = asked_for(conn, member, of)
    assert prove(conn, prover(sealed), job, now=NOW) == refused
    assert answer(conn, asked) == Answer(None, refused)


def test_a_prover_that_fails_or_takes_too_long_says_so(sealed: Ground, conn: Conn, tmp_path: Path) -> None:
    asked, job = asked_for(conn, "m1")
    assert prove(conn, replace(prover(sealed), node="no-such-program"), job, now=NOW) == "failed"
    assert answer(conn, asked) == Answer(None, "failed")
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 30\n")
    sleeper.chmod(0o700)
    slow = replace(prover(sealed), node=str(sleeper), seconds_max=1)
    assert prove(conn, slow, asked_for(conn, "m1")[1], now=NOW) == "failed"


def test_production_proves_with_no_development_keys(sealed: Ground, conn: Conn) -> None:
    _, job = asked_for(conn, "m1")
    assert prove(conn, replace(prover(sealed), production=True), job, now=NOW) == "failed"


def test_what_lies_in_the_queue_and_in_the_table_says_nothing(sealed: Ground, conn: Conn) -> None:
    asked, job = asked_for(conn, "m1")
    prove(conn, prover(sealed), job, now=NOW)
    (row,) = conn.execute("SELECT encode(answer, 'hex') FROM settlement.tier_proving").fetchall()
    told = json.dumps([job.id, job.public_key, job.ciphertext, row[0]])
    number = secret("m1")
    for word in (str(number), f"{number:x}", str(number).encode().hex(), "m1", b"nullifier".hex(), "lounge"):
        assert word not in told.replace(job.id, "")
    assert str(number) not in repr(asked) + repr(job)
    assert asked.reply_key.hex() not in repr(asked)


def test_another_job_another_key_and_other_bytes_open_nothing(sealed: Ground, conn: Conn) -> None:
    _, job = asked_for(conn, "m1")
    _, other = asked_for(conn, "m1")
    flipped = job.ciphertext[:-2] + f"{int(job.ciphertext[-2:], 16) ^ 1:02x}"
    for wrong in (
        replace(job, id=other.id),
        replace(job, public_key="00" * 32),
        replace(job, ciphertext=flipped),
        replace(job, ciphertext="no hex"),
    ):
        assert prove(conn, prover(sealed), wrong, now=NOW) == "not-opened"
    assert conn.execute("SELECT count(*) FROM settlement.tier_proving").fetchone() == (0,)


def test_keys_are_made_in_time_and_destroyed_with_what_nobody_fetched(sealed: Ground, conn: Conn) -> None:
    _, job = asked_for(conn, "m1")
    prove(conn, prover(sealed), job, now=NOW)
    later = NOW + proving.KEY_S_MAX
    ready(conn, VAULT, now=later)
    assert prove(conn, prover(sealed), job, now=later) == "proven", "what waited in the queue can still be opened"
    assert conn.execute("SELECT count(*) FROM settlement.tier_prover").fetchone() == (2,)
    much_later = NOW + 2 * proving.KEY_S_MAX + 1
    ready(conn, VAULT, now=much_later)
    assert prove(conn, prover(sealed), job, now=much_later) == "not-opened"
    assert conn.execute("SELECT count(*) FROM settlement.tier_proving").fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM vault.tier_prover").fetchone() == (2,)


def test_nothing_is_sealed_to_a_key_of_workers_that_are_away(conn: Conn) -> None:
    with pytest.raises(ProverAway):
        ask(conn, "m1", secret("m1"), request(GOLD), use_index=0, now=NOW + proving.KEY_S_MAX)

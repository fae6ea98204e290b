"""Assisted proving: sealed on the way, proven by the real prover in a process of its own, fetched once by who asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from settlement.tiers.proving import (
    Answer,
    Asked,
    Asker,
    NoSuchJob,
    Prover,
    ProverAway,
    Sealed,
    TooManyJobs,
    answer,
    ask,
    prove,
    ready,
)
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


NUMBER = 7
"""Whoever asks; what it is called is told apart."""


def asked_for(
    conn: Conn, member: str, of: str | None = None, *, number: int = NUMBER, now: int = NOW
) -> tuple[Asked, Sealed]:
    return ask(conn, Asker(number, member), secret(of or member), request(GOLD), use_index=0, now=now)


def fetched(conn: Conn, asked: Asked, *, number: int = NUMBER, now: int = NOW) -> Answer | None:
    return answer(conn, asked, member_no=number, now=now)


def over(conn: Conn, asked: Asked, **changes: int) -> bool:
    try:
        fetched(conn, asked, **changes)
    except NoSuchJob:
        return True
    return False


def test_a_proof_is_made_and_fetched_once(sealed: Ground, conn: Conn) -> None:
    asked, job = asked_for(conn, "m1")
    assert fetched(conn, asked) is None
    assert prove(conn, prover(sealed), job, now=NOW) == "proven"
    assert prove(conn, prover(sealed), job, now=NOW) == "over", "handed out again, it leaves no second answer"
    assert over(conn, asked, number=NUMBER + 1), "it is another member's"
    made = fetched(conn, asked)
    assert made is not None
    assert made.response is not None
    assert made.response["circuit_id"] == "0x" + CIRCUIT_ID.hex()
    assert made.response["nullifier"] == str(nullifier(secret("m1"), request(GOLD).request.scope, 0))
    assert set(made.response["proof"]) == {"pi_a", "pi_b", "pi_c"}
    assert over(conn, asked)
    assert conn.execute("SELECT count(*) FROM settlement.tier_proving").fetchone() == (0,)
    assert prove(conn, prover(sealed), job, now=NOW) == "over", "what was fetched is proven for nobody"


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
    made = fetched(conn, asked)
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
    assert fetched(conn, asked) == Answer(None, refused)


def test_a_prover_that_fails_or_takes_too_long_says_so(sealed: Ground, conn: Conn, tmp_path: Path) -> None:
    asked, job = asked_for(conn, "m1")
    assert prove(conn, replace(prover(sealed), node="no-such-program"), job, now=NOW) == "failed"
    assert fetched(conn, asked) == Answer(None, "failed")
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 30\n")
    sleeper.chmod(0o700)
    slow = replace(prover(sealed), node=str(sleeper), seconds_max=1)
    assert prove(conn, slow, asked_for(conn, "m1")[1], now=NOW) == "failed"


def test_a_witness_that_cannot_be_made_fails_in_a_word(sealed: Ground, conn: Conn) -> None:
    """Whoever waits hears of it, and does not wait out its time."""
    asked, job = asked_for(conn, "m1")
    conn.execute("DELETE FROM vault.tier_secret")
    assert prove(conn, prover(sealed), job, now=NOW) == "failed"
    assert fetched(conn, asked) == Answer(None, "failed")


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
    assert conn.execute("SELECT count(answer) FROM settlement.tier_proving").fetchone() == (0,)


def test_keys_are_made_in_time_and_destroyed(sealed: Ground, conn: Conn) -> None:
    asked, _ = asked_for(conn, "m1", now=NOW - 1)
    later = NOW + proving.KEY_S_MAX
    ready(conn, VAULT, now=later)
    assert conn.execute("SELECT count(*) FROM settlement.tier_prover").fetchone() == (2,)
    assert over(conn, asked, now=later)
    _, late = asked_for(conn, "m1", now=later)
    much_later = NOW + 2 * proving.KEY_S_MAX + 1
    ready(conn, VAULT, now=much_later)
    assert conn.execute("SELECT count(*) FROM vault.tier_prover").fetchone() == (2,)
    ready(conn, VAULT, now=later + 2 * proving.KEY_S_MAX + 1)
    assert prove(conn, prover(sealed), late, now=later) == "not-opened"


def test_a_job_and_an_answer_end_in_their_time(sealed: Ground, conn: Conn) -> None:
    """What waited longer than anybody would is not proven; what nobody fetched is destroyed."""
    asked, job = asked_for(conn, "m1")
    late = NOW + proving.JOB_S_MAX
    assert fetched(conn, asked, now=late) is None
    assert over(conn, asked, now=late + 1)
    assert prove(conn, prover(sealed), job, now=late + 1) == "over"
    assert prove(conn, prover(sealed), job, now=late) == "proven"
    assert over(conn, asked, now=late + proving.ANSWER_S_MAX + 1)
    ready(conn, VAULT, now=late + proving.ANSWER_S_MAX + 1)
    assert conn.execute("SELECT count(*) FROM settlement.tier_proving").fetchone() == (0,)


def test_jobs_are_bounded_of_a_member_and_in_all(sealed: Ground, conn: Conn) -> None:
    """Of a dozen asked for at once one member has three; the last place of all is taken once; both are free again."""
    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(lambda _: asks(sealed.dsn, NUMBER), range(12)))
    assert (taken.count("taken"), taken.count("own")) == (proving.JOBS_EACH_MAX, 12 - proving.JOBS_EACH_MAX)
    others = proving.JOBS_OPEN_MAX - proving.JOBS_EACH_MAX - 1
    conn.execute(
        "INSERT INTO settlement.tier_proving (id, asked_at, member_no)"
        " SELECT gen_random_uuid(), %s, 1000 + n FROM generate_series(1, %s) n",
        [NOW, others],
    )
    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(lambda number: asks(sealed.dsn, number), range(5_000, 5_012)))
    assert (taken.count("taken"), taken.count("all")) == (1, 11)
    assert asks(sealed.dsn, NUMBER, now=NOW + proving.JOB_S_MAX) == "own"
    ready(conn, VAULT, now=NOW + proving.JOB_S_MAX + 1)
    assert asks(sealed.dsn, NUMBER, now=NOW + proving.JOB_S_MAX + 1) == "taken"


def asks(dsn: str, number: int, *, now: int = NOW) -> str:
    """What becomes of one more job, on a connection of its own."""
    with psycopg.connect(dsn, autocommit=True) as own:
        try:
            asked_for(own, "m1", number=number, now=now)
        except TooManyJobs as error:
            return "own" if error.own else "all"
    return "taken"


def test_an_answer_is_fetched_once_by_whoever_comes(sealed: Ground, conn: Conn) -> None:
    asked, job = asked_for(conn, "idle")
    assert prove(conn, prover(sealed), job, now=NOW) == "policy-unmet"

    def fetch(_: int) -> bool:
        with psycopg.connect(sealed.dsn, autocommit=True) as own:
            return over(own, asked)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(fetch, range(8))) == [False, *[True] * 7]


def test_an_answer_that_comes_while_it_is_asked_for_waits_for_the_next_asking(sealed: Ground, conn: Conn) -> None:
    asked, job = asked_for(conn, "m1")
    comes = [lambda: prove(conn, replace(prover(sealed), node="no-such-program"), job, now=NOW)]

    class Overtaken(psycopg.Connection[Any]):
        def execute(self, *arguments: Any, **named: Any) -> psycopg.Cursor[Any]:
            done = super().execute(*arguments, **named)
            if comes:
                comes.pop()()
            return done

    with Overtaken.connect(sealed.dsn, autocommit=True) as slow:
        assert fetched(slow, asked) is None
        assert comes == []
        assert fetched(slow, asked) == Answer(None, "failed")


def test_nothing_is_sealed_to_a_key_of_workers_that_are_away(conn: Conn) -> None:
    with pytest.raises(ProverAway):
        asked_for(conn, "m1", now=NOW + proving.KEY_S_MAX)

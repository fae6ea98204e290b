"""Attacks on the protocol of tier proofs, with proofs that hold: each names the refusal that stops it.

A partner is told the same whatever stops it; the reason is read where the operator reads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from api.door import Door
from proofs.bn254.fields import P, R
from proofs.tier.attributes import Attributes
from proofs.tier.epoch_tree import root_from
from proofs.tier.policy import Policy
from proofs.tier.statement import epoch_tag, leaf, scope
from proofs.words import uint_word
from settlement.tiers import commitments
from tests.api.conftest import START
from tests.api.tiers import alliance
from tests.api.tiers.alliance import (
    CLOCK,
    GOLD,
    MEMBERS,
    ONLY_SILVER,
    TODAY,
    key_of,
    let_in,
    own_commitment,
    own_nullifier,
    put,
)
from tests.attacks.tiers.scene import GOLD_OR_HIGHER, Scene
from tests.settlement.tiers.paper import ADDRESS, CHAIN_ID

EPOCH_SECONDS = 86_400


def test_a_proof_counts_once_however_it_comes_again(scene: Scene) -> None:
    """The same proof twice; the same request with a new proof; another request with the nullifier used before."""
    asked, response = scene.answered()
    taken = scene.first.show(asked["id"], response)
    assert taken.status_code == 200, taken.text
    told = taken.json()
    assert told["nullifier"] == str(own_nullifier(MEMBERS[0], asked))
    assert (told["accepted"], told["predicate"]) == (True, asked["predicate"])
    outcome = scene.first.caller.get(f"/v1/proof-requests/{asked['id']}/outcome").json()
    assert (outcome["state"], outcome["nullifier"]) == ("shown", told["nullifier"])
    scene.refused(scene.first.show(asked["id"], response), "request-used")
    another_proof = scene.proof(asked)
    assert another_proof["proof"] != response["proof"]
    scene.refused(scene.first.show(asked["id"], another_proof), "request-used")
    again, replayed = scene.answered()
    assert replayed["nullifier"] == response["nullifier"]
    scene.refused(scene.first.show(again["id"], replayed), "nullifier-used")
    later, fresh = scene.answered(window_id=2)
    assert fresh["nullifier"] != response["nullifier"]
    assert scene.first.show(later["id"], fresh).status_code == 200
    by_reason = scene.operator.get("/v1/tier-refusals?reason=request-used").json()
    assert (by_reason["by_reason"], len(by_reason["data"])) == ({"nullifier-used": 1, "request-used": 2}, 2)


def test_two_transactions_at_once_leave_one_use(scene: Scene, database: str) -> None:
    """The doors check one proof at a time; other servers of the alliance do not wait for them. The row decides."""
    asked, response = scene.answered()
    statement = "INSERT INTO api.tier_use (request_id, scope, nullifier, used_at) VALUES (%s, %s, %s, now())"
    row = (
        bytes.fromhex(asked["id"][2:]),
        uint_word(int(asked["signed"]["request"]["scope"])),
        uint_word(int(response["nullifier"])),
    )
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as elsewhere:
        elsewhere.execute(statement, row)
        shown = pool.submit(scene.first.show, asked["id"], response)
        while not _waiting(database):
            time.sleep(0.01)
        elsewhere.commit()
        scene.refused(shown.result(), "request-used")


def _waiting(database: str) -> bool:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return bool(row and row[0])


def test_only_the_asker_shows_and_only_in_time(scene: Scene) -> None:
    """A request unknown, of somebody else, expired; a partner that was ended."""
    asked, response = scene.answered()
    scene.refused(scene.first.show("0x" + "77" * 32, response), "request-unknown")
    scene.refused(scene.second.show(asked["id"], response), "request-of-another")
    scene.clock.pass_by(seconds=600)
    scene.refused(scene.first.show(asked["id"], response), "request-expired")
    assert scene.operator.http.get(f"/v1/proof-requests/{asked['id']}").status_code == 200
    assert scene.operator.post("/v1/partners/3/end", None).status_code == 200
    assert scene.operator.http.get(f"/v1/proof-requests/{asked['id']}").status_code == 404, "nor is anybody asked"
    ended = scene.first.show(asked["id"], response)
    assert (ended.status_code, ended.json()["code"]) == (401, "credentials-expired")


def test_a_proof_answers_one_request_and_no_other(scene: Scene) -> None:
    """The challenge binds it: shown for another request, of the same partner or another, it does not hold; and what it
    says of the member in one scope says nothing in another.
    """
    asked, response = scene.answered()
    other = scene.first.asked(GOLD_OR_HIGHER, window_id=2)
    scene.refused(scene.first.show(other["id"], response), "proof")
    elsewhere = scene.second.asked(GOLD_OR_HIGHER)
    scene.refused(scene.second.show(elsewhere["id"], response), "proof")
    at_another = scene.proof(elsewhere)
    assert at_another["nullifier"] != response["nullifier"]
    assert scene.second.show(elsewhere["id"], at_another).status_code == 200
    assert scene.first.show(asked["id"], response).status_code == 200


def test_a_scope_of_another_partner_is_not_asked(scene: Scene) -> None:
    foreign = scope(CHAIN_ID, ADDRESS, scene.first.number, "a free upgrade", 1)
    answer = scene.second.ask(GOLD_OR_HIGHER, scope=foreign)
    assert (answer.status_code, answer.json()["data"]) == (422, {"why": "scope"})
    stolen = scene.second.ask(GOLD_OR_HIGHER, partner_id=3)
    assert stolen.json()["data"] == {"why": "partner"}
    forged = scene.second.ask(GOLD_OR_HIGHER, key=key_of(3))
    assert forged.json()["data"] == {"why": "signature"}


def test_an_epoch_counts_in_its_time_and_until_it_is_revoked(scene: Scene) -> None:
    """The old root after its grace; the revoked one; and in its grace it still counts."""
    end = CLOCK.ends(TODAY) + EPOCH_SECONDS
    scene.clock.at = START.fromtimestamp(end - 60, START.tzinfo)
    asked, response = scene.answered(expires_at=end + 600)
    last, at_the_end = scene.answered(expires_at=end + 600, window_id=2)
    assert scene.first.show(asked["id"], response).status_code == 200, "within the grace"
    scene.clock.pass_by(seconds=61)
    scene.refused(scene.first.show(last["id"], at_the_end), "inactive")
    late = scene.first.ask(GOLD_OR_HIGHER)
    assert late.json()["data"] == {"why": "epoch"}


def test_a_revoked_epoch_counts_no_more(scene: Scene) -> None:
    asked, response = scene.answered()
    assert scene.operator.post(f"/v1/epochs/{TODAY}/revoke", None).status_code == 200
    scene.refused(scene.first.show(asked["id"], response), "revoked")
    assert scene.first.ask(GOLD_OR_HIGHER).json()["data"] == {"why": "epoch"}


def test_a_proof_against_another_root_or_epoch_does_not_hold(scene: Scene) -> None:
    """The verifier takes root and epoch from what is anchored: a proof over a tree of one's own, another epoch's tag or
    another alliance's is one for other signals.
    """
    asked, own = scene.first.asked(GOLD_OR_HIGHER), scene.witness()
    forged = [
        _changed(own, salt="1"),
        _changed(own, header={"epoch": TODAY + 1}),
        _changed(own, header={"alliance_id": own["signed"]["header"]["alliance_id"] ^ 1}),
    ]
    for witness in forged:
        witness["signed"]["header"]["root"] = str(_own_root(witness))
        scene.refused(scene.first.show(asked["id"], scene.wallets.prove(MEMBERS[0], witness, asked)), "proof")
    assert scene.first.ask(GOLD_OR_HIGHER, epoch=TODAY - 1).json()["data"] == {"why": "epoch"}
    elsewhere = scene.first.ask(GOLD_OR_HIGHER, place=(CHAIN_ID, bytes(20)))
    assert elsewhere.json()["data"] == {"why": "alliance"}


def _changed(delivered: dict[str, Any], *, header: dict[str, Any] | None = None, **witness: Any) -> dict[str, Any]:
    signed = delivered["signed"]
    return delivered | {
        "witness": delivered["witness"] | witness,
        "signed": signed | {"header": signed["header"] | (header or {})},
    }


def _own_root(delivered: dict[str, Any]) -> int:
    """The root of a tree that its maker says it is in."""
    witness, header = delivered["witness"], delivered["signed"]["header"]
    attributes = Attributes(**{name: int(value) for name, value in witness["attributes"].items()})
    tag = epoch_tag(header["alliance_id"], header["epoch"])
    node = leaf(own_commitment(MEMBERS[0]), tag, attributes, int(witness["salt"]))
    return root_from(node, witness["index"], [int(each) for each in witness["path"]])


def test_an_unpublished_root_is_never_asked_about(scene: Scene, database: str) -> None:
    """Root 0, or none: a row that has no anchored header is no epoch."""
    assert scene.first.ask(GOLD_OR_HIGHER, epoch=0).json()["data"] == {"why": "epoch"}
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE settlement.tier_epoch SET header = NULL, signature = NULL, header_hash = NULL")


def test_a_new_key_in_a_campaign_claims_nothing_twice(scene: Scene, door: Door, database: str, tmp_path: Path) -> None:
    """Who draws a new secret has new nullifiers; a campaign names its first epoch, and younger keys are left out."""
    campaign = Policy(tier_mask=GOLD, key_epoch_max=TODAY)
    asked, response = scene.answered(campaign)
    assert scene.first.show(asked["id"], response).status_code == 200
    mine = let_in(scene.tea, MEMBERS[0])
    new = {"commitment": str(own_commitment("a new key"))}
    assert put(mine, "/v1/me/tier-commitment", new).status_code == 200
    tomorrow = TODAY + 1
    scene.clock.at = START.fromtimestamp(CLOCK.begins(tomorrow) + 60, START.tzinfo)
    alliance.seal(door, database, tmp_path, at=CLOCK.begins(tomorrow) + 60)
    told = let_in(scene.tea, MEMBERS[0]).get(f"/v1/me/tier-witness?epoch={tomorrow}").json()
    assert told["witness"]["attributes"]["key_epoch"] == tomorrow
    again = scene.first.asked(campaign, epoch=tomorrow)
    with pytest.raises(AssertionError, match="failed"):
        scene.wallets.prove(MEMBERS[0], told, again, of="a new key")
    word = uint_word(own_commitment(MEMBERS[0]))
    with psycopg.connect(database, autocommit=True) as conn, pytest.raises(commitments.CommitmentTaken):
        commitments.enrol(conn, CLOCK, MEMBERS[1], word, now=CLOCK.begins(tomorrow))


def test_a_commitment_is_registered_once(scene: Scene) -> None:
    taken = put(
        let_in(scene.tea, MEMBERS[1]), "/v1/me/tier-commitment", {"commitment": str(own_commitment(MEMBERS[0]))}
    )
    assert (taken.status_code, taken.json()["code"]) == (409, "commitment-taken")


def test_narrow_policies_small_cohorts_and_closing_in_are_refused(scene: Scene) -> None:
    assert scene.first.ask(Policy(lo=21, hi=22)).json()["data"] == {"why": "grid"}
    assert scene.first.ask(Policy(tier_mask=ONLY_SILVER)).json()["code"] == "cohort-too-small"
    scene.first.asked(Policy())
    for policy in (Policy(lo=20), GOLD_OR_HIGHER, Policy(lo=100, metric=1), Policy(hi=99)):
        assert scene.first.ask(policy).json()["code"] == "cohort-too-small", "so few are left out"
    careful = alliance.partner(scene.operator, scene.first.door, 5, narrowings_max=0)
    careful.asked(GOLD_OR_HIGHER)
    assert careful.ask(Policy(lo=100)).json()["code"] == "narrowing-budget-spent"
    assert scene.second.ask(Policy(lo=100)).status_code == 201


def test_two_members_who_show_the_same_differ_in_nullifier_and_proof_alone(scene: Scene) -> None:
    """To one request: nothing else that leaves a device is about whose it is, and the partner is told the same."""
    asked = scene.first.asked(GOLD_OR_HIGHER)
    shown = [scene.proof(asked, member) for member in MEMBERS[:2]]
    same = [{name: value for name, value in each.items() if name not in {"nullifier", "proof"}} for each in shown]
    assert same[0] == same[1] == {"circuit_id": asked["signed"]["request"]["circuit_id"]}
    assert shown[0]["nullifier"] != shown[1]["nullifier"]
    parts = ("pi_a", "pi_b", "pi_c")
    assert not any(shown[0]["proof"][part] == shown[1]["proof"][part] for part in parts)
    again = scene.first.asked(GOLD_OR_HIGHER)
    taken = [scene.first.show(asked["id"], shown[0]), scene.first.show(again["id"], scene.proof(again, MEMBERS[1]))]
    told = [each.json() for each in taken]
    differing = {name for name in told[0] if told[0][name] != told[1][name]}
    assert differing == {"request_id", "nullifier"}, "another request, and another member whom nobody knows"


def test_a_member_uses_as_often_as_was_agreed(scene: Scene) -> None:
    """Each use has its own nullifier; one beyond the number cannot be proven."""
    twice = Policy(tier_mask=GOLD, max_uses=2)
    nullifiers = set()
    for use in (0, 1):
        asked = scene.first.asked(twice)
        response = scene.proof(asked, use_index=use)
        assert scene.first.show(asked["id"], response).status_code == 200
        nullifiers.add(response["nullifier"])
    assert len(nullifiers) == 2
    asked = scene.first.asked(twice)
    with pytest.raises(AssertionError, match="failed"):
        scene.proof(asked, use_index=2)
    with pytest.raises(AssertionError, match="failed"):
        scene.proof(scene.first.asked(GOLD_OR_HIGHER), MEMBERS[59])


Bend = Callable[[dict[str, Any]], object]


def _proof_with(response: dict[str, Any], **points: Any) -> dict[str, Any]:
    return response | {"proof": response["proof"] | points}


BENT: dict[str, list[Bend]] = {
    "nullifier": [
        lambda r: r | {"nullifier": str(int(r["nullifier"]) + R)},
        lambda r: r | {"nullifier": "0"},
    ],
    "proof": [lambda r: r | {"nullifier": "1"}],
    "circuit": [lambda r: r | {"circuit_id": "0x" + "00" * 32}],
    "point": [
        lambda r: _proof_with(r, pi_a=["0", "0"]),
        lambda r: _proof_with(r, pi_a=["1", "3"]),
        lambda r: _proof_with(r, pi_a=[str(int(r["proof"]["pi_a"][0]) + P), r["proof"]["pi_a"][1]]),
        lambda r: _proof_with(r, pi_b=[limbs[::-1] for limbs in r["proof"]["pi_b"]]),
    ],
    "malformed": [
        lambda r: r | {"nullifier": int(r["nullifier"])},
        lambda r: r | {"nullifier": " " + r["nullifier"]},
        lambda r: r | {"nullifier": r["nullifier"][:1] + "_" + r["nullifier"][1:]},
        lambda r: r | {"public": []},
        lambda r: _proof_with(r, pi_a=[*r["proof"]["pi_a"], "1"]),
        lambda _: {},
        lambda _: [],
        lambda _: None,
    ],
}


def test_whatever_is_bent_is_refused_alike(scene: Scene) -> None:
    """One proof, bent in every way; in the end it still counts, for a refusal uses nothing up."""
    asked, response = scene.answered()
    for reason, ways in BENT.items():
        for bend in ways:
            scene.refused(scene.first.show(asked["id"], bend(response)), reason)
    for body in (b"", b"{", b"\xff", b'{"request_id":"0x","request_id":"0x"}', b"[" * 4_000, b"9" * 8_000):
        sent = {"Authorization": f"Bearer {scene.first.caller.token}", "content-type": "application/json"}
        answer = scene.first.caller.http.post("/v1/tier-proofs/verify", content=body, headers=sent)
        scene.refused(answer, "malformed")
    assert scene.first.show(asked["id"], response).status_code == 200

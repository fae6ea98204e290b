"""Attacks on a partner's verifier: form, request, keys, epoch, statement, points. Each names the reason it must meet.

To the outside all are one refusal; the reason is the verifier's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from py_ecc import optimized_bn128 as theirs

from proofs import groth16
from proofs.json_form import hex_text
from proofs.tier.header import GRACE_SECONDS
from proofs.tier.policy import Policy
from proofs.tier.request import SignedRequest
from proofs.tier.statement import scope
from proofs.tier.trusted import DEVELOPMENT_KEY, Trusted, TrustError
from proofs.tier.verify import Reason, Verdict, _once, signals_of, verify_response, verify_responses
from tests.attacks.tier import (
    BASE_ORDER,
    FIELD_ORDER,
    FORM,
    HEADER,
    NOW,
    TRUSTED,
    answer,
    asked,
    request,
    trusting,
)
from tests.proofs.tier.answers import DEV
from tests.proofs.tier.vectors import CHAIN_ID, REGISTRY
from tests.proofs.trapdoor import form1, form2, on_twist

Change = Callable[[dict[str, Any]], object]


def negated(point: list[str]) -> list[str]:
    return [point[0], str(BASE_ORDER - int(point[1]))]


def proof(**points: Callable[[Any], Any]) -> Change:
    """Change points of the proof."""

    def change(form: dict[str, Any]) -> None:
        for name, how in points.items():
            form["proof"][name] = how(form["proof"][name])

    return change


def outer(**fields: object) -> Change:
    return lambda form: form.update(fields)


def more(by: int) -> Change:
    """The same nullifier written as a larger number."""
    return lambda form: form.update(nullifier=str(int(form["nullifier"]) + by))


def outside_the_subgroup() -> list[list[str]]:
    """A point of the twist, of another order than r: by chance none is, for only one in 2^254 would be."""
    x, y = form2(on_twist(Random(1)))
    return [x, y]


ALL_ZERO = {"pi_a": ["0", "0"], "pi_b": [["0", "0"], ["0", "0"]], "pi_c": ["0", "0"]}
OTHER = answer(2)

ANSWERS: list[tuple[str, Change, Reason]] = [
    ("nullifier + 1", more(1), Reason.PROOF),
    ("nullifier + r, to count twice", more(FIELD_ORDER), Reason.NULLIFIER),
    ("nullifier 0", outer(nullifier="0"), Reason.NULLIFIER),
    ("nullifier r", outer(nullifier=str(FIELD_ORDER)), Reason.NULLIFIER),
    ("nullifier of 2^256", outer(nullifier=str(2**256)), Reason.FORM),
    ("nullifier as a number", outer(nullifier=5), Reason.FORM),
    ("nullifier 1_0", outer(nullifier="1_0"), Reason.FORM),
    ("nullifier with a blank", outer(nullifier=" 5"), Reason.FORM),
    ("nullifier in hex", outer(nullifier="0x05"), Reason.FORM),
    ("nullifier in Arabic digits", outer(nullifier="٥"), Reason.FORM),
    ("nullifier of a million digits", outer(nullifier="9" * 1_000_000), Reason.FORM),
    ("nullifier true", outer(nullifier=True), Reason.FORM),
    ("nullifier of another member", outer(nullifier=OTHER["nullifier"]), Reason.PROOF),
    ("another circuit", outer(circuit_id="0x" + "11" * 32), Reason.CIRCUIT),
    ("signals sent along", outer(signals=["1"] * 6), Reason.FORM),
    ("no proof", lambda form: form.pop("proof"), Reason.FORM),
    ("all zero", outer(proof=ALL_ZERO), Reason.POINT),
    ("A at infinity", proof(pi_a=lambda _: ["0", "0"]), Reason.POINT),
    ("A with a third coordinate", proof(pi_a=lambda a: [*a, "1"]), Reason.FORM),
    ("A truncated", proof(pi_a=lambda a: a[:1]), Reason.FORM),
    ("A off the curve", proof(pi_a=lambda a: [a[0], str(int(a[1]) ^ 1)]), Reason.POINT),
    ("A's x + p", proof(pi_a=lambda a: [str(int(a[0]) + BASE_ORDER), a[1]]), Reason.POINT),
    ("C's y = p", proof(pi_c=lambda c: [c[0], str(BASE_ORDER)]), Reason.POINT),
    ("-A", proof(pi_a=negated), Reason.PROOF),
    ("-C", proof(pi_c=negated), Reason.PROOF),
    (
        "A and C exchanged",
        lambda form: form["proof"].update(pi_a=form["proof"]["pi_c"], pi_c=form["proof"]["pi_a"]),
        Reason.PROOF,
    ),
    ("B's limbs swapped", proof(pi_b=lambda b: [row[::-1] for row in b]), Reason.POINT),
    ("A and C at infinity", proof(pi_a=lambda _: ["0", "0"], pi_c=lambda _: ["0", "0"]), Reason.POINT),
    ("B at infinity", proof(pi_b=lambda _: [["0", "0"], ["0", "0"]]), Reason.POINT),
    ("B outside the subgroup", proof(pi_b=lambda _: outside_the_subgroup()), Reason.POINT),
    ("B off the twist", proof(pi_b=lambda b: [b[0], [b[1][0], str(int(b[1][1]) ^ 1)]]), Reason.POINT),
    ("B flat", proof(pi_b=lambda b: [*b[0], *b[1]]), Reason.FORM),
    ("the proof of another member", outer(proof=OTHER["proof"]), Reason.PROOF),
    ("a mixture of two proofs", proof(pi_c=lambda _: answer(1)["proof"]["pi_c"]), Reason.PROOF),
]


@pytest.mark.parametrize(("change", "reason"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_answers(change: Change, reason: Reason) -> None:
    form = answer()
    change(form)
    verdict = verify_response(request(), form, TRUSTED, now=NOW)
    assert verdict.reason is reason, verdict.detail
    assert verdict.public() == {"accepted": False}
    assert len(verdict.detail) < 300


def test_the_honest_answer_is_accepted() -> None:
    verdict = verify_response(request(), json.dumps(answer()).encode(), TRUSTED, now=NOW)
    assert verdict.accepted
    assert verdict.public() == {
        "accepted": True,
        "scope": str(request().request.scope),
        "nullifier": answer()["nullifier"],
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{" * 4_000,
        b'{"nullifier":NaN}',
        b'{"nullifier":1e5}',
        json.dumps(answer()).encode()[:-1],
        json.dumps(answer()).encode() + b" " * 4_096,
        json.dumps(answer()).replace('{"circuit_id"', '{"nullifier":"1","circuit_id"', 1).encode(),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_bytes(data: bytes) -> None:
    assert verify_response(request(), data, TRUSTED, now=NOW).reason is Reason.FORM


def other_scope() -> int:
    return scope(CHAIN_ID, REGISTRY, 99, request().request.purpose, request().request.window_id)


def unsigned() -> SignedRequest:
    return replace(request(), signature=b"")


REQUESTS: list[tuple[str, Callable[[], SignedRequest], Reason]] = [
    ("expired to the second", lambda: asked(expires_at=NOW), Reason.EXPIRED),
    ("another nonce: a proof is for one request", lambda: asked(nonce=bytes(32)), Reason.PROOF),
    ("another recipient", lambda: asked(recipient=bytes([1] * 20)), Reason.PROOF),
    ("another audience", lambda: asked(audience="Somebody else"), Reason.PROOF),
    ("a longer time", lambda: asked(expires_at=NOW + 10**6), Reason.PROOF),
    ("a wider policy than was proven", lambda: asked(policy=Policy().packed()), Reason.PROOF),
    ("the scope of another partner", lambda: asked(scope=other_scope()), Reason.SCOPE),
    ("a scope + r", lambda: asked(scope=request().request.scope + FIELD_ORDER), Reason.SCOPE),
    ("uses that do not agree", lambda: asked(max_uses=2), Reason.USES),
    ("lo above hi", lambda: asked(policy=Policy(lo=2, hi=1).packed()), Reason.POLICY),
    ("no tier", lambda: asked(policy=Policy(tier_mask=0).packed()), Reason.POLICY),
    ("no use", lambda: asked(policy=Policy(max_uses=0).packed(), max_uses=0), Reason.POLICY),
    ("bit 249", lambda: asked(policy=request().request.policy | 1 << 249), Reason.POLICY),
    ("an unknown epoch", lambda: asked(epoch=8), Reason.EPOCH),
    ("another circuit", lambda: asked(circuit_id=bytes(32)), Reason.CIRCUIT),
    ("nobody's signature", unsigned, Reason.UNSIGNED),
    ("a signature of zeros", lambda: replace(request(), signature=bytes(64) + b"\x1b"), Reason.UNSIGNED),
    ("somebody else's signature", lambda: replace(asked(nonce=bytes(32)), request=request().request), Reason.STRANGER),
    ("another chain", lambda: replace(request(), chain_id=1), Reason.REGISTRY),
    ("another registry", lambda: replace(request(), registry=bytes(20)), Reason.REGISTRY),
    ("the request of another answer", lambda: request(2), Reason.PROOF),
]


@pytest.mark.parametrize(("make", "reason"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_requests(make: Callable[[], SignedRequest], reason: Reason) -> None:
    verdict = verify_response(make(), answer(), TRUSTED, now=NOW, partner_key=request().signer())
    assert verdict.reason is reason, verdict.detail
    assert verdict.public() == {"accepted": False}


@pytest.mark.parametrize("at", range(6))
def test_each_public_signal_counts(at: int) -> None:
    held = groth16.Proof.from_json(answer()["proof"])
    (circuit,) = TRUSTED.circuits.values()
    signals = signals_of(request(), HEADER, int(answer()["nullifier"])).in_order()
    assert groth16.verify(circuit.key, signals, held)
    for wrong in (signals[at] + 1, signals[at] + FIELD_ORDER, -1):
        assert not groth16.verify(circuit.key, [*signals[:at], wrong, *signals[at + 1 :]], held)
    assert not groth16.verify(circuit.key, signals[:at] + signals[at + 1 :], held)
    assert not groth16.verify(circuit.key, [*signals, 0], held)


@pytest.mark.parametrize(
    ("trusted", "now", "reason"),
    [
        (lambda: trusting(root=HEADER.root + 1), NOW, Reason.PROOF),
        (lambda: trusting({"revoked_epochs": [HEADER.epoch]}), NOW, Reason.REVOKED),
        (lambda: trusting({"epochs": []}), NOW, Reason.EPOCH),
        (lambda: trusting(not_before=NOW + 1), NOW, Reason.INACTIVE),
        (lambda: trusting(not_before=0, not_after=NOW - GRACE_SECONDS), NOW, None),
        (lambda: trusting(not_before=0, not_after=NOW - GRACE_SECONDS - 1), NOW, Reason.INACTIVE),
        (lambda: trusting({"circuits": [], "epochs": []}), NOW, Reason.CIRCUIT),
    ],
)
def test_epochs(trusted: Callable[[], Trusted], now: int, reason: Reason | None) -> None:
    assert verify_response(request(), answer(), trusted(), now=now).reason is reason


def circuit_with(**fields: Any) -> list[dict[str, Any]]:
    return [FORM["circuits"][0] | fields]


def key_with(**fields: Any) -> dict[str, Any]:
    return dict(FORM["circuits"][0]["verification_key"] | fields)


KEY = FORM["circuits"][0]["verification_key"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"circuits": circuit_with(vk_hash="0x" + "22" * 32)}, "not vk_hash"),
        ({"circuits": circuit_with(verification_key=key_with(vk_alpha_1=KEY["IC"][0]))}, "not vk_hash"),
        ({"circuits": circuit_with(verification_key=key_with(IC=[*KEY["IC"][1:], KEY["IC"][0]]))}, "not vk_hash"),
        ({"circuits": circuit_with(verification_key=key_with(vk_delta_2=KEY["vk_gamma_2"]))}, "gamma"),
        ({"circuits": circuit_with(verification_key=key_with(vk_alpha_1=["1", "3", "1"]))}, "curve"),
        ({"circuits": circuit_with(verification_key=key_with(nPublic=5))}, "IC"),
        ({"circuits": circuit_with(verification_key="<html>404</html>")}, "object"),
        ({"circuits": circuit_with(setup="production")}, "setup"),
        ({"circuits": circuit_with(setup=["dev"])}, "setup"),
        ({"circuits": FORM["circuits"] * 2}, "twice"),
        ({"alliance_id": FORM["alliance_id"] ^ 1}, "alliance"),
        ({"epochs": FORM["epochs"] * 2}, "twice"),
        ({"epoch_keys": ["0x" + "33" * 20]}, "not signed by any of epoch_keys"),
        ({"epoch_keys": []}, "not signed by any of epoch_keys"),
        ({"epoch_keys": ["0x33"]}, "epoch_keys"),
        ({"epochs": [FORM["epochs"][0] | {"signature": "0x" + "00" * 65}]}, "not signed"),
        ({"registry": "0x" + "44" * 20}, "alliance"),
        ({"circuits": []}, "not pinned"),
        ({"chain_id": True}, "chain_id"),
        ({"revoked_epochs": ["7"]}, "revoked_epochs"),
        ({"note": "trust me"}, "note"),
    ],
)
def test_trust_files(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Trusted.from_json(FORM | changes, allow_dev=True)


def test_headers_that_do_not_belong() -> None:
    for fields, said in (
        ({"alliance_id": HEADER.alliance_id ^ 1}, "another alliance"),
        ({"circuit_id": bytes(32)}, "not pinned"),
        ({"vk_hash": bytes(32)}, "another verification key"),
    ):
        with pytest.raises(TrustError, match=said):
            trusting(**fields)


def test_a_development_key_has_to_be_asked_for() -> None:
    with pytest.raises(TrustError, match="development key"):
        Trusted.from_json(FORM)
    with pytest.raises(TrustError, match="development key"):
        Trusted.from_json(FORM | {"circuits": circuit_with(setup="ceremony")})


def test_the_development_key_is_known_by_its_hash() -> None:
    """Otherwise whoever hands out the trust file need only call it something else."""
    committed = json.loads((DEV / "circuit.json").read_text())
    assert hex_text(DEVELOPMENT_KEY) == committed["vk_hash"], "circuit made anew: its hash goes into trusted.py"
    assert Trusted.from_json(FORM | {"circuits": circuit_with(setup="ceremony")}, allow_dev=True) == TRUSTED


def test_a_key_that_is_not_its_hash() -> None:
    """Somebody who makes a trust object by hand, or swaps the key in it, is found out as well."""
    ((circuit_id, circuit),) = TRUSTED.circuits.items()
    swapped = replace(TRUSTED, circuits={circuit_id: replace(circuit, vk_hash=bytes(32))})
    assert verify_response(request(), answer(), swapped, now=NOW).reason is Reason.KEY


def test_a_request_is_answered_once_in_a_batch() -> None:
    """Another member's answer to the same request does not count beside the first: here both have a true verdict."""
    digests = [request().digest, request().digest, request(2).digest]
    judged = [Verdict(scope=1, nullifier=number) for number in (1, 2, 3)]
    assert [each.reason for each in _once(digests, judged)] == [None, Reason.REPEATED, None]
    refused_first = [Verdict(Reason.PROOF), *judged[1:]]
    assert [each.reason for each in _once(digests, refused_first)] == [Reason.PROOF, None, None]


def test_other_bytes_of_one_proof_leave_the_same_trace() -> None:
    """(-A, -B, C) holds as well, and a second proof of the member does: both name the nullifier that was used."""
    changed = answer()
    changed["proof"]["pi_a"] = negated(changed["proof"]["pi_a"])
    x, (real, imaginary) = changed["proof"]["pi_b"]
    changed["proof"]["pi_b"] = [x, [str(BASE_ORDER - int(real)), str(BASE_ORDER - int(imaginary))]]
    verdicts = [verify_response(request(), form, TRUSTED, now=NOW) for form in (answer(), changed, answer(1))]
    assert all(verdict.accepted for verdict in verdicts)
    assert len({(verdict.scope, verdict.nullifier) for verdict in verdicts}) == 1


def test_batches() -> None:
    """The bad ones are named, and of two with one nullifier one counts: the first that holds."""
    forged, foreign = answer(2), answer(3)
    forged["proof"]["pi_c"] = negated(forged["proof"]["pi_c"])
    foreign["nullifier"] = "0"
    pairs: list[tuple[SignedRequest, dict[str, Any] | bytes]] = [
        (request(), forged | {"nullifier": answer()["nullifier"]}),
        (request(), answer()),
        (request(), answer(1)),
        (request(2), forged),
        (request(2), answer(2)),
        (request(3), foreign),
        (request(4), b"{}"),
        (request(4), answer(4)),
    ]
    reasons = [verdict.reason for verdict in verify_responses(pairs, TRUSTED, now=NOW)]
    assert reasons == [
        *(Reason.PROOF, None, Reason.REPEATED, Reason.PROOF, None, Reason.NULLIFIER, Reason.FORM, None),
    ]
    assert verify_responses([], TRUSTED, now=NOW) == []
    with pytest.raises(ValueError, match="at most"):
        verify_responses([(request(), b"")] * 1_025, TRUSTED, now=NOW)


def test_a_pair_that_cancels_is_named_in_a_batch() -> None:
    """What is added to C of one proof is taken from C of another. Whoever weighs all alike takes both."""
    forged = [answer(), answer(2)]
    for form, sign in zip(forged, (1, -1), strict=True):
        x, y = (theirs.FQ(int(each)) for each in form["proof"]["pi_c"])
        form["proof"]["pi_c"] = form1(theirs.add((x, y, theirs.FQ(1)), theirs.multiply(theirs.G1, sign % FIELD_ORDER)))
    pairs = [(request(), forged[0]), (request(2), forged[1]), (request(3), answer(3))]
    alike = verify_responses(pairs, TRUSTED, now=NOW, random=bytes)
    assert [each.reason for each in alike] == [None, None, None], "it is the weights that find it out"
    found = verify_responses(pairs, TRUSTED, now=NOW)
    assert [each.reason for each in found] == [Reason.PROOF, Reason.PROOF, None]


def test_the_cheap_comes_before_the_dear() -> None:
    """Everything wrong at once is refused for its form; without that for the request; and so on to the points."""
    form, asks = answer(), asked(scope=other_scope())
    form |= {"nullifier": "0", "circuit_id": "0x" + "11" * 32, "proof": ALL_ZERO}
    found = [verify_response(asks, form | {"more": 1}, TRUSTED, now=NOW).reason]
    found.append(verify_response(asks, form, TRUSTED, now=NOW).reason)
    found.append(verify_response(request(), form, trusting(not_before=NOW + 1), now=NOW).reason)
    form["circuit_id"] = answer()["circuit_id"]
    found.append(verify_response(request(), form, trusting(not_before=NOW + 1), now=NOW).reason)
    found.append(verify_response(request(), form, TRUSTED, now=NOW).reason)
    form["nullifier"] = answer()["nullifier"]
    found.append(verify_response(request(), form, TRUSTED, now=NOW).reason)
    assert found == [Reason.FORM, Reason.SCOPE, Reason.CIRCUIT, Reason.INACTIVE, Reason.NULLIFIER, Reason.POINT]

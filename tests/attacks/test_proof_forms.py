"""Proofs, keys and signals that an attacker would send to the verifier, each with the refusal that names it.

Keys come with a known trapdoor, so every forgery starts from a proof that is true.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from py_ecc import optimized_bn128 as theirs

from proofs import groth16_reference as reference
from proofs.groth16 import (
    SIGNALS_MAX,
    KeyRefused,
    Proof,
    ProofRefused,
    Refusal,
    Refused,
    VerificationKey,
    verify,
    verify_batch,
    why_refused,
)
from tests.proofs.trapdoor import (
    COFACTOR_PRIMES,
    Form,
    P,
    R,
    Trapdoor,
    form1,
    form2,
    g1,
    g2,
    of_order,
    on_twist,
    plus,
    trapdoor,
)

DOOR = trapdoor(11, 6)
KEY = VerificationKey.from_json(DOOR.key)
SIGNALS = [101, 102, 103, 104, 105, 106]
FORM = DOOR.prove(SIGNALS, random.Random(5))
CHANCE = random.Random(12)

Forgery = Callable[[Form], Form]


def changed(**parts: Any) -> Forgery:
    return lambda form: form | parts


def plus_p(form: Form) -> Form:
    x, y = form["pi_a"]
    return form | {"pi_a": [str(int(x) + P), y]}


def imaginary_plus_p(form: Form) -> Form:
    (x0, x1), y = form["pi_b"]
    return form | {"pi_b": [[x0, str(int(x1) + P)], y]}


def limbs_swapped(form: Form) -> Form:
    return form | {"pi_b": [limbs[::-1] for limbs in form["pi_b"]]}


def moved_off(form: Form) -> Form:
    x, y = form["pi_c"]
    return form | {"pi_c": [x, str((int(y) + 1) % P)]}


def disturbed(prime: int) -> Forgery:
    return lambda form: form | {"pi_b": plus(form["pi_b"], of_order(prime, CHANCE))}


def number(text: Any) -> Forgery:
    return lambda form: form | {"pi_a": [text, form["pi_a"][1]]}


ZERO2 = [["0", "0"], ["0", "0"]]
FORMS: list[tuple[str, Forgery, Refusal]] = [
    ("a coordinate of A plus p", plus_p, Refusal.NOT_BELOW_P),
    ("an imaginary part of B plus p", imaginary_plus_p, Refusal.NOT_BELOW_P),
    ("the largest number of 78 digits", number("9" * 78), Refusal.NOT_BELOW_P),
    ("A at infinity", changed(pi_a=["0", "0"]), Refusal.INFINITY),
    ("B at infinity", changed(pi_b=ZERO2), Refusal.INFINITY),
    ("C at infinity", changed(pi_c=["0", "0"]), Refusal.INFINITY),
    ("all zero", changed(pi_a=["0", "0"], pi_b=ZERO2, pi_c=["0", "0"]), Refusal.INFINITY),
    ("C off the curve", moved_off, Refusal.OFF_CURVE),
    ("B with swapped limbs", limbs_swapped, Refusal.OFF_CURVE),
    ("B anywhere on the twist", changed(pi_b=form2(on_twist(CHANCE))), Refusal.OUTSIDE_SUBGROUP),
    *((f"B disturbed by order {prime}", disturbed(prime), Refusal.OUTSIDE_SUBGROUP) for prime in COFACTOR_PRIMES),
    ("B of order 10069", changed(pi_b=form2(of_order(10069, CHANCE))), Refusal.OUTSIDE_SUBGROUP),
    ("a third coordinate", changed(pi_a=[*FORM["pi_a"], "1"]), Refusal.MALFORMED),
    ("infinity as a third coordinate", changed(pi_a=["0", "1", "0"]), Refusal.MALFORMED),
    ("a coordinate short", changed(pi_c=FORM["pi_c"][:1]), Refusal.MALFORMED),
    ("B as four numbers", changed(pi_b=[*FORM["pi_b"][0], *FORM["pi_b"][1]]), Refusal.MALFORMED),
    ("a limb short", changed(pi_b=[["1"], FORM["pi_b"][1]]), Refusal.MALFORMED),
    ("an object for a list", changed(pi_a={"0": "1", "1": "2"}), Refusal.MALFORMED),
    ("a string for a list", changed(pi_a="12"), Refusal.MALFORMED),
    ("a field too many", changed(protocol="groth16"), Refusal.MALFORMED),
    *(
        (f"the number {text!r:.20}", number(text), Refusal.NOT_A_NUMBER)
        for text in (
            *("1_0", " 5", "5 ", "5\n", "+5", "-5", "05", "00", "", "0x5", "5.0", "5e0", "٥", "５", "NaN"),
            *("1" * 79, "9" * 1_000_000, 5, 5.0, True, False, None, ["5"], b"5", float("nan")),
        )
    ),
]


@pytest.mark.parametrize(("forge", "refusal"), [each[1:] for each in FORMS], ids=[each[0] for each in FORMS])
def test_a_form_that_is_no_proof(forge: Forgery, refusal: Refusal) -> None:
    with pytest.raises(ProofRefused) as refused:
        Proof.from_json(forge(FORM))
    assert refused.value.refusal is refusal


@pytest.mark.parametrize("form", [None, [], "proof", 5, [*FORM.values()]])
def test_no_object_at_all(form: Any) -> None:
    for read in (Proof.from_json, VerificationKey.from_json):
        with pytest.raises(Refused) as refused:
            read(form)
        assert refused.value.refusal is Refusal.MALFORMED


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.sampled_from(["0", "1", "2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_whatever_is_sent_is_refused_by_name(data: st.DataObject) -> None:
    """Any value in any field of forms that are otherwise right: no other error than ours comes out."""
    for read, form in ((Proof.from_json, FORM), (VerificationKey.from_json, DOOR.key)):
        name = data.draw(st.sampled_from(sorted(form)))
        value = data.draw(ANYTHING)
        assume(value != form[name])
        with pytest.raises(Refused):
            read(form | {name: value})


@pytest.mark.parametrize("name", ["pi_a", "pi_b", "pi_c"])
def test_a_field_is_missing(name: str) -> None:
    with pytest.raises(ProofRefused) as refused:
        Proof.from_json({field: value for field, value in FORM.items() if field != name})
    assert refused.value.refusal is Refusal.MALFORMED


def negated(text: str) -> str:
    return str(-int(text) % P)


def minus_a(form: Form) -> Form:
    return form | {"pi_a": [form["pi_a"][0], negated(form["pi_a"][1])]}


def minus_b(form: Form) -> Form:
    return form | {"pi_b": [form["pi_b"][0], [negated(limb) for limb in form["pi_b"][1]]]}


def minus_c(form: Form) -> Form:
    return form | {"pi_c": [form["pi_c"][0], negated(form["pi_c"][1])]}


def twin_of_a(form: Form) -> Form:
    """The same y has two more x: a cube root of 1 times the first."""
    cube_root = pow(3, (P - 1) // 3, P)
    return form | {"pi_a": [str(int(form["pi_a"][0]) * cube_root % P), form["pi_a"][1]]}


FALSE: list[tuple[str, Forgery]] = [
    ("minus A", minus_a),
    ("minus B", minus_b),
    ("minus C", minus_c),
    ("another x for A's y", twin_of_a),
    ("A and C exchanged", lambda form: form | {"pi_a": form["pi_c"], "pi_c": form["pi_a"]}),
    ("C of another proof", lambda form: form | {"pi_c": DOOR.prove(SIGNALS, random.Random(6))["pi_c"]}),
    ("generators", changed(pi_a=g1(1), pi_b=g2(1), pi_c=g1(1))),
    ("alpha and beta alone", changed(pi_a=g1(DOOR.alpha), pi_b=g2(DOOR.beta), pi_c=g1(1))),
]


@pytest.mark.parametrize("forge", [each[1] for each in FALSE], ids=[each[0] for each in FALSE])
def test_points_that_prove_nothing(forge: Forgery) -> None:
    assert why_refused(KEY, SIGNALS, Proof.from_json(forge(FORM))) is Refusal.EQUATION


def as_points(form: Form) -> tuple[Any, Any, Any]:
    (ax, ay), b, (cx, cy) = form["pi_a"], form["pi_b"], form["pi_c"]
    x, y = (theirs.FQ2([int(limb) for limb in limbs]) for limbs in b)
    one = theirs.FQ(1)
    return (
        (theirs.FQ(int(ax)), theirs.FQ(int(ay)), one),
        (x, y, theirs.FQ2.one()),
        (theirs.FQ(int(cx)), theirs.FQ(int(cy)), one),
    )


def rescaled(form: Form) -> Form:
    """(k·A, k⁻¹·B, C)."""
    a, b, c = as_points(form)
    return {
        "pi_a": form1(theirs.multiply(a, 12345)),
        "pi_b": form2(theirs.multiply(b, pow(12345, -1, R))),
        "pi_c": form1(c),
    }


def shifted(form: Form) -> Form:
    """(A, B + k·δ, C + k·A)."""
    a, b, c = as_points(form)
    return {
        "pi_a": form1(a),
        "pi_b": form2(theirs.add(b, theirs.multiply(theirs.G2, 678 * DOOR.delta % R))),
        "pi_c": form1(theirs.add(c, theirs.multiply(a, 678))),
    }


@pytest.mark.parametrize("malleate", [rescaled, shifted, lambda form: minus_a(minus_b(form))])
def test_a_proof_made_from_a_proof_is_accepted(malleate: Forgery) -> None:
    """By the pairing, here and everywhere. It shows the same signals, hence the same nullifier, and that is what replay
    is refused by; whoever keyed replay on proof bytes would be paid twice.
    """
    other = malleate(FORM)
    assert other != FORM
    assert verify(KEY, SIGNALS, Proof.from_json(other))
    assert reference.verify(DOOR.key, SIGNALS, other)
    assert not verify(KEY, [SIGNALS[0] + 1, *SIGNALS[1:]], Proof.from_json(other))


BAD_SIGNALS: list[tuple[str, list[Any], Refusal]] = [
    ("none", [], Refusal.SIGNAL_COUNT),
    ("one short", SIGNALS[:5], Refusal.SIGNAL_COUNT),
    ("one more", [*SIGNALS, 0], Refusal.SIGNAL_COUNT),
    ("the nullifier plus r", [SIGNALS[0] + R, *SIGNALS[1:]], Refusal.SIGNAL_NOT_BELOW_R),
    ("the policy minus r", [*SIGNALS[:5], SIGNALS[5] - R], Refusal.SIGNAL_NOT_BELOW_R),
    ("r itself", [R, *SIGNALS[1:]], Refusal.SIGNAL_NOT_BELOW_R),
    ("true for 1", [True, *SIGNALS[1:]], Refusal.SIGNAL_NOT_BELOW_R),
    ("a float", [101.0, *SIGNALS[1:]], Refusal.SIGNAL_NOT_BELOW_R),
    ("a string", ["101", *SIGNALS[1:]], Refusal.SIGNAL_NOT_BELOW_R),
    *(
        (f"signal {at} plus 1", [each + (at == k) for k, each in enumerate(SIGNALS)], Refusal.EQUATION)
        for at in range(6)
    ),
    ("two exchanged", [SIGNALS[1], SIGNALS[0], *SIGNALS[2:]], Refusal.EQUATION),
    ("all zero", [0] * 6, Refusal.EQUATION),
]


@pytest.mark.parametrize(
    ("signals", "refusal"), [each[1:] for each in BAD_SIGNALS], ids=[each[0] for each in BAD_SIGNALS]
)
def test_signals_that_were_not_proven(signals: list[Any], refusal: Refusal) -> None:
    proof = Proof.from_json(FORM)
    assert why_refused(KEY, signals, proof) is refusal
    assert verify_batch(KEY, [(signals, proof), (SIGNALS, proof)]) == [False, True]


def test_a_cancelling_pair_needs_constant_weights() -> None:
    """Two wrong proofs whose errors cancel: C + X and C' − X. Constant weights accept both, random ones neither."""
    forms = [DOOR.prove(SIGNALS, random.Random(seed)) for seed in (21, 22)]
    for form, error in zip(forms, (999, -999), strict=True):
        form["pi_c"] = form1(theirs.add(as_points(form)[2], theirs.multiply(theirs.G1, error % R)))
    pair = [(SIGNALS, Proof.from_json(form)) for form in forms]
    assert [verify(KEY, *each) for each in pair] == [False, False]
    assert verify_batch(KEY, pair, lambda size: bytes([7]) * size) == [True, True]
    assert verify_batch(KEY, pair) == [False, False]
    true = (SIGNALS, Proof.from_json(FORM))
    assert verify_batch(KEY, [true, pair[0], true, pair[1], true]) == [True, False, True, False, True]


def test_gamma_that_is_delta_accepts_forgeries() -> None:
    """Why such keys are refused: C takes back what L says, for any signals, without a trapdoor. −δ is no better."""
    for sign in (1, -1):
        door = Trapdoor(3, 5, 7, sign * 7 % R, (11, 13))
        statement = door.ic[0] + 123456 * door.ic[1]
        forged = {"pi_a": g1(door.alpha), "pi_b": g2(door.beta), "pi_c": g1(-sign * statement)}
        assert _equation_holds(door, forged, [123456])
        with pytest.raises(KeyRefused) as refused:
            VerificationKey.from_json(door.key)
        assert refused.value.refusal is Refusal.GAMMA_IS_DELTA
        assert not reference.verify(door.key, [123456], forged)


def test_beta_that_is_gamma_or_delta_accepts_forgeries() -> None:
    """As powers of tau have it to which nobody contributed: B = γ + δ, A and C undo the rest, for any signals."""
    for sign in (1, -1):
        for known in (7, 11):
            door = Trapdoor(3, sign * known % R, 7, 11, (11, 13))
            statement = door.ic[0] + 123456 * door.ic[1]
            a, c = statement + sign * 3, statement + sign * 3
            if known == door.delta:
                a, c = statement, statement - sign * 3
            forged = {"pi_a": g1(a), "pi_b": g2(7 + 11), "pi_c": g1(c)}
            assert _equation_holds(door, forged, [123456])
            with pytest.raises(KeyRefused) as refused:
                VerificationKey.from_json(door.key)
            assert refused.value.refusal is Refusal.BETA_IS_KNOWN
            assert not reference.verify(door.key, [123456], forged)


def _equation_holds(door: Trapdoor, form: Form, signals: list[int]) -> bool:
    a, b, c = as_points(form)
    statement = door.ic[0] + sum(signal * each for signal, each in zip(signals, door.ic[1:], strict=True))
    first, second = theirs.G1, theirs.G2
    return reference.holds(
        [
            (a, b),
            (theirs.multiply(first, -door.alpha % R), theirs.multiply(second, door.beta)),
            (theirs.multiply(first, -statement % R), theirs.multiply(second, door.gamma)),
            (theirs.neg(c), theirs.multiply(second, door.delta)),
        ]
    )


def third(name: str, value: Any) -> Forgery:
    return lambda form: form | {name: [*form[name][:2], value]}


KEYS: list[tuple[str, Forgery, Refusal]] = [
    ("another protocol", changed(protocol="plonk"), Refusal.MALFORMED),
    ("another curve", changed(curve="bls12381"), Refusal.MALFORMED),
    ("a count that is not that of IC", changed(nPublic=5), Refusal.MALFORMED),
    ("a count that is true", lambda form: form | {"nPublic": True, "IC": form["IC"][:2]}, Refusal.MALFORMED),
    ("no signals", lambda form: form | {"nPublic": 0, "IC": form["IC"][:1]}, Refusal.MALFORMED),
    (
        "too many signals",
        lambda form: form | {"nPublic": SIGNALS_MAX + 1, "IC": form["IC"][:1] * (SIGNALS_MAX + 2)},
        Refusal.MALFORMED,
    ),
    ("IC as an object", changed(IC={}), Refusal.MALFORMED),
    ("a field too many", changed(more=1), Refusal.MALFORMED),
    (
        "alpha without its third coordinate",
        lambda form: form | {"vk_alpha_1": form["vk_alpha_1"][:2]},
        Refusal.MALFORMED,
    ),
    ("alpha projective", third("vk_alpha_1", "2"), Refusal.MALFORMED),
    ("alpha at infinity", third("vk_alpha_1", "0"), Refusal.INFINITY),
    ("delta at infinity", third("vk_delta_2", ["0", "0"]), Refusal.INFINITY),
    ("an IC all zero", lambda form: form | {"IC": [["0", "0", "1"], *form["IC"][1:]]}, Refusal.INFINITY),
    ("beta off the twist", changed(vk_beta_2=[["1", "2"], ["3", "4"], ["1", "0"]]), Refusal.OFF_CURVE),
    ("beta outside G2", changed(vk_beta_2=[*form2(on_twist(CHANCE)), ["1", "0"]]), Refusal.OUTSIDE_SUBGROUP),
    (
        "gamma of order 10069",
        changed(vk_gamma_2=[*form2(of_order(10069, CHANCE)), ["1", "0"]]),
        Refusal.OUTSIDE_SUBGROUP,
    ),
    (
        "alpha plus p",
        lambda form: form | {"vk_alpha_1": [str(int(form["vk_alpha_1"][0]) + P), *form["vk_alpha_1"][1:]]},
        Refusal.NOT_BELOW_P,
    ),
    ("a number with a sign", lambda form: form | {"vk_alpha_1": ["+1", "2", "1"]}, Refusal.NOT_A_NUMBER),
    ("delta put in gamma's place", lambda form: form | {"vk_gamma_2": form["vk_delta_2"]}, Refusal.GAMMA_IS_DELTA),
]


@pytest.mark.parametrize(("forge", "refusal"), [each[1:] for each in KEYS], ids=[each[0] for each in KEYS])
def test_a_form_that_is_no_key(forge: Forgery, refusal: Refusal) -> None:
    with pytest.raises(KeyRefused) as refused:
        VerificationKey.from_json(forge(DOOR.key))
    assert refused.value.refusal is refusal


def test_points_come_checked_by_whatever_way() -> None:
    """No way around the reader: the classes themselves refuse."""
    proof = Proof.from_json(FORM)
    with pytest.raises(ProofRefused):
        Proof(a=(1, 3), b=proof.b, c=proof.c)
    with pytest.raises(ProofRefused):
        Proof(a=(1 + P, 2), b=proof.b, c=proof.c)

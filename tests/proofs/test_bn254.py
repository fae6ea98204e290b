"""Fields, points and pairing against py_ecc, and against the identities that the code rests on."""

from __future__ import annotations

import random
from math import gcd
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc import optimized_bn128 as theirs

from proofs.bn254 import curve, fields, pairing
from proofs.bn254.fields import Fp6, Fp12, P, R, U
from tests.proofs.trapdoor import COFACTOR, COFACTOR_PRIMES, of_order, on_twist

G1, G2 = curve.GENERATOR1, curve.GENERATOR2
FINAL_FACTOR = 2 * U * (6 * U * U + 3 * U + 1)

numbers = st.integers(0, P - 1) | st.sampled_from([0, 1, P - 1])
halves: st.SearchStrategy[Fp6] = st.tuples(*[numbers] * 6)
elements: st.SearchStrategy[Fp12] = st.tuples(halves, halves)
pairs = st.tuples(numbers, numbers)
scalars = st.integers(0, R - 1) | st.sampled_from([0, 1, 2, 31, 32, 33, R - 1])


def theirs_of(x: Fp12) -> Any:
    """An element as py_ecc writes it, Fp[w]/(w¹² − 18w⁶ + 82): i is w⁶ − 9."""
    flat = [0] * 12
    for parity, half in enumerate(x):
        for at in range(3):
            real, imaginary = half[2 * at : 2 * at + 2]
            flat[2 * at + parity] = (real - 9 * imaginary) % P
            flat[2 * at + parity + 6] = imaginary
    return theirs.FQ12(flat)


def affine_of(point: Any) -> Any:
    x, y = theirs.normalize(point)
    if isinstance(x, theirs.FQ):
        return int(x), int(y)
    return tuple(map(int, x.coeffs)), tuple(map(int, y.coeffs))


def in_g2(scalar: int) -> curve.G2:
    found: curve.G2 = affine_of(theirs.multiply(theirs.G2, scalar))
    return found


def in_g1(scalar: int) -> curve.G1:
    found: curve.G1 = affine_of(theirs.multiply(theirs.G1, scalar))
    return found


def test_constants_are_those_of_the_curve() -> None:
    assert (theirs.field_modulus, theirs.curve_order) == (P, R)
    assert (in_g1(1), in_g2(1)) == (G1, G2)
    assert curve.on_curve1(G1)
    assert curve.on_curve2(G2)
    assert tuple(map(int, theirs.b2.coeffs)) == curve.B2


@given(elements, elements)
def test_products_are_py_eccs(x: Fp12, y: Fp12) -> None:
    assert theirs_of(fields.multiply(x, y)) == theirs_of(x) * theirs_of(y)
    assert fields.square(x) == fields.multiply(x, x)


@given(elements)
def test_inverses_and_conjugates(x: Fp12) -> None:
    if any(map(any, x)):
        assert fields.multiply(x, fields.inverse(x)) == fields.ONE
    else:
        with pytest.raises(ValueError, match="invertible"):
            fields.inverse(x)
    assert theirs_of(fields.frobenius(fields.frobenius(x, 3), 3)) == theirs_of(fields.conjugate(x))


@settings(max_examples=3)
@given(elements)
def test_frobenius_raises_to_p(x: Fp12) -> None:
    for n in (1, 2, 3):
        assert theirs_of(fields.frobenius(x, n)) == theirs_of(x) ** (P**n)


@given(elements, pairs, pairs, pairs)
def test_lines_multiply_like_any_element(x: Fp12, c: fields.Fp2, a: fields.Fp2, b: fields.Fp2) -> None:
    line: Fp12 = ((*c, 0, 0, 0, 0), (*a, *b, 0, 0))
    assert fields.times_whole_line(x, c, a, b) == fields.multiply(x, line)
    assert fields.times_line(x, a, b) == fields.times_whole_line(x, (1, 0), a, b)


def cyclotomic(x: Fp12) -> Fp12:
    x = fields.multiply(fields.conjugate(x), fields.inverse(x))
    return fields.multiply(fields.frobenius(x, 2), x)


@given(elements.filter(lambda x: any(map(any, x))))
def test_cyclotomic_squares_and_powers(x: Fp12) -> None:
    x = cyclotomic(x)
    assert fields.cyclotomic_square(x) == fields.square(x)
    assert fields.multiply(x, fields.conjugate(x)) == fields.ONE


def test_the_power_of_u() -> None:
    x = cyclotomic(((1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12)))
    assert theirs_of(fields.power_of_u(x)) == theirs_of(x) ** U


@given(st.integers(0, 2**256), st.integers(2, 6))
def test_signed_digits_are_the_number(number: int, window_bits: int) -> None:
    digits = fields.signed_digits(number, window_bits)
    value = 0
    for digit in digits:
        value = 2 * value + digit
        assert digit == 0 or (digit % 2 and abs(digit) < 1 << window_bits - 1)
    assert value == number
    for at in range(2, len(digits) - window_bits):
        assert sum(map(bool, digits[at : at + window_bits])) <= 1


def test_membership_kills_nothing_but_the_subgroup() -> None:
    """What passes the last test of the walk has an order that divides N and #E'(Fp2) = r·COFACTOR; so it divides r."""
    trace = 6 * U * U + 1
    low, high = 6 * U + 2 + P - trace * P, 1 - trace + trace * trace - P  # X² is tX − p, in 6u+2 + X − X² + X³
    resultant = low * low + low * high * trace + high * high * P
    assert gcd(resultant, R * COFACTOR) == R
    assert COFACTOR_PRIMES[0] * COFACTOR_PRIMES[1] * COFACTOR_PRIMES[2] * COFACTOR_PRIMES[3] == COFACTOR
    assert COFACTOR % R


@pytest.mark.parametrize("scalar", [1, 2, 3, R - 1, R // 2, 6 * U + 2, P % R])
def test_the_walk_accepts_g2(scalar: int) -> None:
    assert len(pairing.lines(in_g2(scalar))) == len(pairing.SQUARED) == 64 + 21 + 2


@pytest.mark.parametrize("seed", range(5))
def test_the_walk_refuses_the_rest_of_the_twist(seed: int) -> None:
    with pytest.raises(pairing.OutsideSubgroup):
        pairing.lines(affine_of(on_twist(random.Random(seed))))


@pytest.mark.parametrize("prime", COFACTOR_PRIMES)
def test_the_walk_refuses_what_small_orders_disturb(prime: int) -> None:
    """A point of G2 plus one of small order, and the latter alone: where cheap tests have gone wrong."""
    for seed in range(3):
        small = of_order(prime, random.Random(seed))
        assert theirs.is_inf(theirs.multiply(small, prime))
        assert not theirs.is_inf(small)
        for point in (small, theirs.add(small, theirs.multiply(theirs.G2, 1000 + seed))):
            assert curve.on_curve2(affine_of(point))
            with pytest.raises(pairing.OutsideSubgroup):
                pairing.lines(affine_of(point))


def test_what_has_met_infinity_is_nowhere() -> None:
    """A walk that adds a point to itself or to its opposite ends with Z = 0, and is at no point at all."""
    nowhere = (0,) * 6
    for first in (G2, (G2[0], (-G2[1][0], -G2[1][1]))):
        at, _ = pairing._plus((*first[0], *first[1], 1, 0), G2)
        for _ in range(2):
            assert at[4:] == (0, 0)
            assert not pairing._is_at(at, G2)
            at, _ = pairing._plus(at, G2)
            at, _ = pairing._doubled(at)
        assert at == nowhere
    assert not pairing._is_at(nowhere, G2)


def test_the_endomorphism_multiplies_by_p() -> None:
    assert pairing.endomorphism(in_g2(5)) == in_g2(5 * P % R)


def test_the_last_exponent_is_the_full_one() -> None:
    lowest = (1 + 6 * U + 12 * U**2 + 12 * U**3, 4 * U + 6 * U**2 + 12 * U**3, 6 * U + 6 * U**2 + 12 * U**3)
    hard = sum(each * P**power for power, each in enumerate((*lowest, lowest[1] - 1)))
    assert hard == FINAL_FACTOR * (P**4 - P**2 + 1) // R
    assert gcd(FINAL_FACTOR, R) == 1


@pytest.mark.parametrize(("left", "right"), [(1, 1), (7, R - 5), (R // 3, 12345678901234567890)])
def test_the_pairing_is_a_power_of_py_eccs(left: int, right: int) -> None:
    usual = theirs.pairing(theirs.multiply(theirs.G2, right), theirs.multiply(theirs.G1, left))
    assert theirs_of(pairing.pairing(in_g1(left), in_g2(right))) == usual ** (FINAL_FACTOR % R)


def test_the_pairing_is_bilinear() -> None:
    assert pairing.pairing(in_g1(6), in_g2(35)) == pairing.pairing(in_g1(15), in_g2(14)) != fields.ONE


def test_walks_of_both_kinds_pair_alike() -> None:
    point, walk = in_g1(9), pairing.lines(in_g2(4))
    fixed = [(curve.negative1(point), pairing.monic(walk))]
    assert pairing.final_exponentiation(pairing.miller([(point, walk)], fixed)) == fields.ONE


FACTORS = (1, 2, -1, 5, 77, 1)
POINTS = [in_g1(factor % R) for factor in FACTORS]
NARROW, WIDE = curve.Multiples(POINTS, 2), curve.Multiples(POINTS, 8)


@settings(max_examples=20, deadline=None)
@given(st.lists(scalars, min_size=6, max_size=6))
def test_sums_are_py_eccs(weights: list[int]) -> None:
    total = sum(weight * factor for weight, factor in zip(weights, FACTORS, strict=True)) % R
    wanted = in_g1(total) if total else None
    assert curve.affine([NARROW.sum(weights), WIDE.sum(weights)]) == [wanted, wanted]


def test_multiples_one_by_one() -> None:
    weights = [1, 2, 3, 2**128, 0, R - 1]
    wanted = [in_g1(weight * factor % R) if weight else None for weight, factor in zip(weights, FACTORS, strict=True)]
    assert curve.affine(NARROW.each(weights)) == curve.affine(WIDE.each(weights)) == wanted


def test_infinity_comes_and_goes() -> None:
    once, back = (*G1, 1), curve.negative1(G1)
    gone = curve.plus_affine(once, back)
    assert curve.affine([curve.plus_affine(once, G1), gone, curve.doubled(gone)]) == [in_g1(2), None, None]
    assert curve.affine([curve.plus_affine(gone, back), curve.INFINITY]) == [back, None]
    assert curve.affine([curve.Multiples([G1, back], 4).sum([5, 5])]) == [None]

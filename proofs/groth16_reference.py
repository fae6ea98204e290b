"""Groth16 over BN254 once more, by py_ecc alone: the oracle of `groth16`, and what to use should it ever be doubted.

Shares nothing with the fast verifier, not even the reading of numbers, and asks the same questions in another way:
membership in G2 by multiplying with r. py_ecc's pairing checks neither that nor the range of signals, so both are
checked here. Tens of times slower. Called by tests, by the maker of the vectors, and by whoever wants a second
opinion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from py_ecc.optimized_bn128 import (
    FQ,
    FQ2,
    add,
    b,
    b2,
    curve_order,
    field_modulus,
    final_exponentiate,
    is_inf,
    is_on_curve,
    multiply,
    neg,
    pairing,
)


class NotAccepted(ValueError):
    """A coordinate, a point, a key or a signal is refused before any pairing."""


def verify(key_form: Mapping[str, Any], signals: Sequence[int], proof_form: Mapping[str, Any]) -> bool:
    """Whether the proof holds, of the same JSON forms as `groth16` reads; False for whatever is refused."""
    try:
        pairs = equation(key_form, signals, proof_form)
    except (ValueError, TypeError, KeyError):
        return False
    return holds(pairs)


def equation(
    key_form: Mapping[str, Any], signals: Sequence[int], proof_form: Mapping[str, Any]
) -> list[tuple[Any, Any]]:
    """(−α, β), (A, B), (−L, γ), (−C, δ) as py_ecc's points; the product of their pairings is 1 for a true proof."""
    alpha, ic = _g1(key_form["vk_alpha_1"][:2]), [_g1(each[:2]) for each in key_form["IC"]]
    beta, gamma, delta = (_g2(key_form[f"vk_{name}_2"][:2]) for name in ("beta", "gamma", "delta"))
    if gamma[0] == delta[0] or beta[0] in (gamma[0], delta[0]):
        raise NotAccepted("two of beta, gamma and delta are one")
    head, middle, tail = _g1(proof_form["pi_a"]), _g2(proof_form["pi_b"]), _g1(proof_form["pi_c"])
    return [(neg(alpha), beta), (head, middle), (neg(_statement(ic, signals)), gamma), (neg(tail), delta)]


def holds(pairs: Sequence[tuple[Any, Any]]) -> bool:
    """Whether the product of the pairings of py_ecc's points (G1, G2) is 1."""
    value = product(pairs)
    return bool(value == value.one())


def product(pairs: Sequence[tuple[Any, Any]]) -> Any:
    """The product of the pairings under one final exponent."""
    value = pairing(pairs[0][1], pairs[0][0], final_exponentiate=False)
    for left, right in pairs[1:]:
        value *= pairing(right, left, final_exponentiate=False)
    return final_exponentiate(value)


def _statement(ic: Sequence[Any], signals: Sequence[int]) -> Any:
    if len(signals) != len(ic) - 1:
        raise NotAccepted("signals")
    total = ic[0]
    for signal, point in zip(signals, ic[1:], strict=True):
        if not 0 <= signal < curve_order:
            raise NotAccepted("signal")
        total = add(total, multiply(point, signal))
    return total


def _coordinate(text: str) -> int:
    value = int(text)
    if str(value) != text or not 0 <= value < field_modulus:
        raise NotAccepted("coordinate")
    return value


def _g1(form: Sequence[str]) -> Any:
    x, y = map(_coordinate, form)
    point = (FQ(x), FQ(y), FQ(1))
    if not is_on_curve(point, b):
        raise NotAccepted("off the curve")
    return point


def _g2(form: Sequence[Sequence[str]]) -> Any:
    x, y = ([_coordinate(each) for each in pair] for pair in form)
    point = (FQ2(x), FQ2(y), FQ2.one())
    if not is_on_curve(point, b2) or not is_inf(multiply(point, curve_order)):
        raise NotAccepted("not in G2")
    return point

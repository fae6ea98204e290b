"""Groth16 keys whose trapdoor is known, so that proofs of any statement, and bad ones of every kind, are at hand.

Whoever knows α, β, γ, δ and the discrete logarithms kᵢ of ICᵢ proves anything: for any a and b,
c = (ab − αβ − γ(k₀ + Σ signalᵢkᵢ))/δ gives the proof (a·G₁, b·G₂, c·G₁). No circuit is needed. Points are py_ecc's,
which is not what is tested. Used by tests, the makers of vectors and benchmarks; never outside of them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from py_ecc.optimized_bn128 import FQ2, G1, G2, add, b2, curve_order, field_modulus, multiply, normalize

R, P = int(curve_order), int(field_modulus)
COFACTOR = 2 * P - R
COFACTOR_PRIMES = (10069, 5864401, 1875725156269, 197620364512881247228717050342013327560683201906968909)

Form = dict[str, Any]


@dataclass(frozen=True)
class Trapdoor:
    """What a ceremony has to destroy."""

    alpha: int
    beta: int
    gamma: int
    delta: int
    ic: tuple[int, ...]

    @cached_property
    def key(self) -> Form:
        """The key in snarkjs's form."""
        return {
            "protocol": "groth16",
            "curve": "bn128",
            "nPublic": len(self.ic) - 1,
            "vk_alpha_1": [*g1(self.alpha), "1"],
            "vk_beta_2": [*g2(self.beta), ["1", "0"]],
            "vk_gamma_2": [*g2(self.gamma), ["1", "0"]],
            "vk_delta_2": [*g2(self.delta), ["1", "0"]],
            "IC": [[*g1(each), "1"] for each in self.ic],
        }

    def prove(self, signals: Sequence[int], chance: random.Random) -> Form:
        """A proof of `signals`, true by the trapdoor alone."""
        a, b = chance.randrange(1, R), chance.randrange(1, R)
        statement = self.ic[0] + sum(signal * each for signal, each in zip(signals, self.ic[1:], strict=True))
        c = (a * b - self.alpha * self.beta - self.gamma * statement) * pow(self.delta, -1, R) % R
        return {"pi_a": g1(a), "pi_b": g2(b), "pi_c": g1(c)}


def trapdoor(seed: int, signals: int) -> Trapdoor:
    """A key for that many signals."""
    chance = random.Random(seed)
    one, two, three, four, *ic = (chance.randrange(1, R) for _ in range(signals + 5))
    return Trapdoor(one, two, three, four, tuple(ic))


def g1(scalar: int) -> list[str]:
    """scalar·G₁ in JSON."""
    return form1(multiply(G1, scalar % R))


def g2(scalar: int) -> list[list[str]]:
    """scalar·G₂ in JSON, real parts first."""
    return form2(multiply(G2, scalar % R))


def form1(point: Any) -> list[str]:
    return [str(int(each)) for each in normalize(point)]


def form2(point: Any) -> list[list[str]]:
    return [[str(int(part)) for part in each.coeffs] for each in normalize(point)]


def on_twist(chance: random.Random) -> Any:
    """A random point of the twist, in py_ecc's form; its order is r by a chance of 2⁻²⁵⁴."""
    while True:
        x = FQ2([chance.randrange(P), chance.randrange(P)])
        if (y := root(x * x * x + b2)) is not None:
            return x, y, FQ2.one()


def of_order(prime: int, chance: random.Random) -> Any:
    """A point of the twist of that order, one of the cofactor's primes."""
    return multiply(on_twist(chance), R * COFACTOR // prime)


def plus(form: list[list[str]], point: Any) -> list[list[str]]:
    """A point in JSON and one of py_ecc's, added."""
    x, y = (FQ2([int(part) for part in each]) for each in form)
    return form2(add((x, y, FQ2.one()), point))


def root(square: Any) -> Any:
    """A square root in Fp2, None where there is none (p = 3 mod 4; the complex method)."""
    a, b = (int(part) for part in square.coeffs)
    norm = pow(a * a + b * b, (P + 1) // 4, P)
    for sign in (1, -1):
        half = (a + sign * norm) * pow(2, -1, P) % P
        real = pow(half, (P + 1) // 4, P)
        if real and real * real % P == half:
            candidate = FQ2([real, b * pow(2 * real, -1, P) % P])
            if candidate * candidate == square:
                return candidate
    return None

"""Groth16 over BN254 for those who check: keys, strictly read proofs, one verdict, or many for little more.

    e(A, B) = e(α, β) · e(L, γ) · e(C, δ),   L = IC₀ + Σ signalᵢ·ICᵢ

A `Proof` or `VerificationKey` that exists has been checked: every coordinate is below p, every point is on its curve,
in its subgroup and not infinity (a proof of the circuit meets infinity by chance of 2⁻²⁵⁴, a forger on purpose), no two
of β, γ and δ are one up to sign (such a key, one without a contribution to its first phase or its second, accepts
forged proofs). Signals are checked with each verdict: as many as the key wants, each in [0, r), for s and s + r would
otherwise prove the same. Functions answer for what the world sends and raise only for what is not a number, a point or
a key.

What a true verdict does not say: that a proof is new. (k·A, k⁻¹·B, C) and (A, B + k·δ, C + k·A) are other proofs of the
same signals, made by anybody from one of them; replay is a matter of (scope, nullifier), never of proof bytes. BN254 is
about 100 bits.

Sources: Groth, "On the size of pairing-based non-interactive arguments" (2016); the JSON forms are snarkjs's. Called by
the tier room of this package and its settlement; `groth16_reference` is the same by another library.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeAlias

from proofs.bn254.curve import (
    G1,
    G2,
    Multiples,
    affine,
    finite,
    negative1,
    on_curve1,
    on_curve2,
)
from proofs.bn254.fields import ONE, Fp12, P, R
from proofs.bn254.pairing import (
    Line,
    MonicLine,
    OutsideSubgroup,
    final_exponentiation,
    lines,
    miller,
    monic,
    pairing,
)
from proofs.keccak import keccak256

Entry: TypeAlias = tuple[Sequence[int], "Proof"]
Random: TypeAlias = Callable[[int], bytes]

SIGNALS_MAX = 64
BATCH_PROOFS_MAX = 256
ALONE_PROOFS_MAX = 8
"""So few are looked at one by one once they are known not to hold together: halving them costs as much."""
WEIGHT_BYTES = 16
WEIGHT_WINDOW_BITS = 5
KEY_WINDOW_BITS = 8
LIMBS = 2

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")
_KEY_FIELDS = {"protocol", "curve", "nPublic", "vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC"}
_KEY_FIELDS_UNREAD = {"vk_alphabeta_12"}  # e(α, β) is computed here, not believed
_PROOF_FIELDS = {"pi_a", "pi_b", "pi_c"}


class Refusal(Enum):
    """Why a key, a proof or a statement is refused, in the order in which it is asked."""

    MALFORMED = "a field is missing or unknown, or a list has another length"
    NOT_A_NUMBER = "a number is not a decimal string in its only spelling"
    NOT_BELOW_P = "a coordinate is not below p"
    INFINITY = "a point is infinity"
    OFF_CURVE = "a point is not on its curve"
    OUTSIDE_SUBGROUP = "a point of the twist has another order than r"
    GAMMA_IS_DELTA = "gamma and delta of the key are one point or opposite: it accepts forged proofs"
    BETA_IS_KNOWN = "beta of the key is gamma or delta, or opposite: it accepts forged proofs"
    SIGNAL_COUNT = "there are more or fewer signals than the key wants"
    SIGNAL_NOT_BELOW_R = "a signal is not in [0, r)"
    EQUATION = "the pairing equation does not hold"


class Refused(ValueError):
    """`refusal` says why, `where` names the field."""

    def __init__(self, refusal: Refusal, where: str) -> None:
        super().__init__(f"{where}: {refusal.value}")
        self.refusal = refusal
        self.where = where


class KeyRefused(Refused):
    """No verification key to be used."""


class ProofRefused(Refused):
    """No proof, whatever the statement."""


class _Prepared(NamedTuple):
    """What follows from the key alone."""

    target: Fp12
    beta: list[MonicLine]
    gamma: list[MonicLine]
    delta: list[MonicLine]
    points: Multiples


@dataclass(frozen=True)
class VerificationKey:
    """The key of one circuit. Raises `KeyRefused`. Its first verdict takes two or three times as long."""

    alpha: G1
    beta: G2
    gamma: G2
    delta: G2
    ic: tuple[G1, ...]

    def __post_init__(self) -> None:
        if not 1 < len(self.ic) <= SIGNALS_MAX + 1:
            raise KeyRefused(Refusal.MALFORMED, "IC")
        for at, point in enumerate((self.alpha, *self.ic)):
            _check1(point, f"IC[{at - 1}]" if at else "vk_alpha_1", KeyRefused)
        for name in ("beta", "gamma", "delta"):
            _check2(getattr(self, name), f"vk_{name}_2", KeyRefused)
        if self.gamma[0] == self.delta[0]:
            raise KeyRefused(Refusal.GAMMA_IS_DELTA, "vk_gamma_2")
        if self.beta[0] in (self.gamma[0], self.delta[0]):
            raise KeyRefused(Refusal.BETA_IS_KNOWN, "vk_beta_2")

    @classmethod
    def from_json(cls, form: Any) -> Self:
        """The key of snarkjs's verification_key.json. Raises `KeyRefused`."""
        if not isinstance(form, Mapping) or form.keys() - _KEY_FIELDS_UNREAD != _KEY_FIELDS:
            raise KeyRefused(Refusal.MALFORMED, "verification_key")
        ic = form["IC"]
        if not isinstance(ic, list) or type(form["nPublic"]) is not int or form["nPublic"] != len(ic) - 1:
            raise KeyRefused(Refusal.MALFORMED, "IC")
        if (form["protocol"], form["curve"]) != ("groth16", "bn128"):
            raise KeyRefused(Refusal.MALFORMED, "protocol")
        read = _Reader(KeyRefused, last=True)
        return cls(
            alpha=read.point1(form["vk_alpha_1"], "vk_alpha_1"),
            beta=read.point2(form["vk_beta_2"], "vk_beta_2"),
            gamma=read.point2(form["vk_gamma_2"], "vk_gamma_2"),
            delta=read.point2(form["vk_delta_2"], "vk_delta_2"),
            ic=tuple(read.point1(each, f"IC[{at}]") for at, each in enumerate(ic[: SIGNALS_MAX + 2])),
        )

    def hash(self) -> bytes:
        """keccak256 of the points in words: alpha, beta, gamma, delta, IC; imaginary parts first, as on chain."""
        numbers = [*self.alpha]
        for (x0, x1), (y0, y1) in (self.beta, self.gamma, self.delta):
            numbers += [x1, x0, y1, y0]
        for x, y in self.ic:
            numbers += [x, y]
        return keccak256(b"".join(number.to_bytes(32, "big") for number in numbers))

    @cached_property
    def prepared(self) -> _Prepared:
        """Lines and multiples, computed once."""
        return _Prepared(
            target=pairing(self.alpha, self.beta),
            beta=monic(lines(self.beta)),
            gamma=monic(lines(self.gamma)),
            delta=monic(lines(self.delta)),
            points=Multiples([self.alpha, *self.ic], KEY_WINDOW_BITS),
        )


@dataclass(frozen=True)
class Proof:
    """Three points. Raises `ProofRefused`. The walk that shows B to be in G2 is kept: the pairing needs it again."""

    a: G1
    b: G2
    c: G1
    lines: list[Line] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check1(self.a, "pi_a", ProofRefused)
        _check1(self.c, "pi_c", ProofRefused)
        object.__setattr__(self, "lines", _check2(self.b, "pi_b", ProofRefused))

    @classmethod
    def from_json(cls, form: Any) -> Self:
        """The proof of {"pi_a": [x, y], "pi_b": [[x₀, x₁], [y₀, y₁]], "pi_c": [x, y]}, real parts first, in decimal
        strings and without third coordinates. Raises `ProofRefused`.
        """
        if not isinstance(form, Mapping) or form.keys() != _PROOF_FIELDS:
            raise ProofRefused(Refusal.MALFORMED, "proof")
        read = _Reader(ProofRefused, last=False)
        a, c = read.point1(form["pi_a"], "pi_a"), read.point1(form["pi_c"], "pi_c")
        return cls(a=a, b=read.point2(form["pi_b"], "pi_b"), c=c)


def verify(key: VerificationKey, signals: Sequence[int], proof: Proof) -> bool:
    """Whether `proof` proves the key's circuit for these public signals."""
    return why_refused(key, signals, proof) is None


def why_refused(key: VerificationKey, signals: Sequence[int], proof: Proof) -> Refusal | None:
    """What `verify` stumbles over, None when it is content."""
    return _signals_refused(key, signals) or (None if _holds(key, signals, proof) else Refusal.EQUATION)


def verify_batch(key: VerificationKey, entries: Sequence[Entry], random: Random = os.urandom) -> list[bool]:
    """`verify` of each (signals, proof), in order, for about a third of the time when nearly all are true.

    Each equation is raised to a weight of its own from `random` and all are multiplied; one that is wrong leaves 1 with
    chance 2⁻¹²⁸ whatever the others are, as long as nobody knows the weights before. Weights that are constant would
    accept two wrong proofs that cancel. A product that is not 1 is halved until the bad ones are named.
    """
    verdicts = [_signals_refused(key, signals) is None for signals, _ in entries]
    sound = [at for at, good in enumerate(verdicts) if good]
    for start in range(0, len(sound), BATCH_PROOFS_MAX):
        part = sound[start : start + BATCH_PROOFS_MAX]
        for at, verdict in zip(part, _sifted(key, [entries[at] for at in part], random), strict=True):
            verdicts[at] = verdict
    return verdicts


def _sifted(key: VerificationKey, entries: Sequence[Entry], random: Random, *, spoiled: bool = False) -> list[bool]:
    """Verdicts of one or more entries; `spoiled` says that one of them at least is known to be wrong."""
    if len(entries) > 1 and not spoiled and _all_hold(key, entries, random):
        return [True] * len(entries)
    if len(entries) <= ALONE_PROOFS_MAX:
        return [_holds(key, *each) for each in entries]
    half = len(entries) // 2
    left = _sifted(key, entries[:half], random)
    return left + _sifted(key, entries[half:], random, spoiled=all(left))


def _signals_refused(key: VerificationKey, signals: Sequence[int]) -> Refusal | None:
    if len(signals) != len(key.ic) - 1:
        return Refusal.SIGNAL_COUNT
    return None if all(type(each) is int and 0 <= each < R for each in signals) else Refusal.SIGNAL_NOT_BELOW_R


def _holds(key: VerificationKey, signals: Sequence[int], proof: Proof) -> bool:
    """e(A, B) · e(−L, γ) · e(−C, δ) = e(α, β)."""
    known = key.prepared
    weighed = affine([known.points.sum([0, 1, *signals])])
    value = miller([(proof.a, proof.lines)], _opposite([*weighed, proof.c], [known.gamma, known.delta]))
    return final_exponentiation(value) == known.target


def _all_hold(key: VerificationKey, entries: Sequence[Entry], random: Random) -> bool:
    """Π e(ρA, B) · e(−(Σρ)α, β) · e(−ΣρL, γ) · e(−ΣρC, δ) = 1, with a weight ρ from 1 to 2¹²⁸ for each entry."""
    known = key.prepared
    weights = [1 + int.from_bytes(random(WEIGHT_BYTES), "big") for _ in entries]
    heads = Multiples([proof.a for _, proof in entries], WEIGHT_WINDOW_BITS).each(weights)
    pairs = [(point, proof.lines) for point, (_, proof) in zip(finite(heads), entries, strict=True)]
    columns = zip(*((1, *signals) for signals, _ in entries), strict=True)
    of_ic = [sum(map(int.__mul__, weights, column)) % R for column in columns]
    sums = (
        known.points.sum([sum(weights), *[0] * len(of_ic)]),
        known.points.sum([0, *of_ic]),
        Multiples([proof.c for _, proof in entries], WEIGHT_WINDOW_BITS).sum(weights),
    )
    fixed = _opposite(affine(sums), [known.beta, known.gamma, known.delta])
    return final_exponentiation(miller(pairs, fixed)) == ONE


def _opposite(points: Sequence[G1 | None], walks: Sequence[list[MonicLine]]) -> list[tuple[G1, list[MonicLine]]]:
    """(−point, walk) of each point that is not infinity; with infinity a pairing is 1."""
    return [(negative1(point), walk) for point, walk in zip(points, walks, strict=True) if point is not None]


def _check1(point: G1, where: str, error: type[Refused]) -> None:
    if not all(type(each) is int and 0 <= each < P for each in point):
        raise error(Refusal.NOT_BELOW_P, where)
    if point == (0, 0):
        raise error(Refusal.INFINITY, where)
    if not on_curve1(point):
        raise error(Refusal.OFF_CURVE, where)


def _check2(point: G2, where: str, error: type[Refused]) -> list[Line]:
    """The walk of a point that is found in G2."""
    if not all(type(each) is int and 0 <= each < P for half in point for each in half):
        raise error(Refusal.NOT_BELOW_P, where)
    if point == ((0, 0), (0, 0)):
        raise error(Refusal.INFINITY, where)
    if not on_curve2(point):
        raise error(Refusal.OFF_CURVE, where)
    try:
        return lines(point)
    except OutsideSubgroup:
        raise error(Refusal.OUTSIDE_SUBGROUP, where) from None


@dataclass(frozen=True)
class _Reader:
    """Reads points from JSON; `last` says whether the third coordinate of snarkjs's keys is there, and is 1."""

    error: type[Refused]
    last: bool

    def point1(self, form: Any, where: str) -> G1:
        x, y = self._coordinates(form, where, "1", "0")
        return self._number(x, where), self._number(y, where)

    def point2(self, form: Any, where: str) -> G2:
        x, y = self._coordinates(form, where, ["1", "0"], ["0", "0"])
        return self._pair(x, where), self._pair(y, where)

    def _coordinates(self, form: Any, where: str, one: Any, zero: Any) -> list[Any]:
        if not isinstance(form, list) or len(form) != 2 + self.last:
            raise self.error(Refusal.MALFORMED, where)
        if self.last and form[2] != one:
            raise self.error(Refusal.INFINITY if form[2] == zero else Refusal.MALFORMED, where)
        return form[:2]

    def _pair(self, form: Any, where: str) -> tuple[int, int]:
        if not isinstance(form, list) or len(form) != LIMBS:
            raise self.error(Refusal.MALFORMED, where)
        return self._number(form[0], where), self._number(form[1], where)

    def _number(self, form: Any, where: str) -> int:
        if not isinstance(form, str) or not _DECIMAL.fullmatch(form):
            raise self.error(Refusal.NOT_A_NUMBER, where)
        return int(form)

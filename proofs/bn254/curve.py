"""The two groups of points: G1 on y² = x³ + 3 over Fp, G2 the part of order r on y² = x³ + 3/ξ over Fp2.

G1 is the whole curve (its cofactor is 1), so a point of it needs to be on the curve only; membership in G2 falls out of
Miller's loop and is asked in `pairing`. Sums run in Jacobian coordinates (x = X/Z², y = Y/Z³; Z = 0 is infinity) and
are brought back to affine form together, for one division. Points must be on the curve. Called by `pairing` and
`proofs.groth16`.

Source of the formulas: Bernstein and Lange, Explicit-Formulas Database, short Weierstrass curves with a = 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, repeat, zip_longest
from typing import TypeAlias

from proofs.bn254.fields import XI, Fp2, P, inverse2, multiply2, signed_digits

G1: TypeAlias = tuple[int, int]
G2: TypeAlias = tuple[Fp2, Fp2]
Jacobian: TypeAlias = tuple[int, int, int]

INFINITY: Jacobian = (1, 1, 0)
GENERATOR1: G1 = (1, 2)
GENERATOR2: G2 = (
    (
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
    ),
    (
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
    ),
)
B1 = 3
B2 = multiply2((B1, 0), inverse2(XI))


def on_curve1(point: G1) -> bool:
    """y² = x³ + 3."""
    x, y = point
    return (y * y - x * x * x - B1) % P == 0


def on_curve2(point: G2) -> bool:
    """y² = x³ + 3/ξ."""
    x, y = point
    cube = multiply2(multiply2(x, x), x)
    return multiply2(y, y) == ((cube[0] + B2[0]) % P, (cube[1] + B2[1]) % P)


def negative1(point: G1) -> G1:
    """The point that gives infinity when added."""
    return point[0], -point[1] % P


def doubled(point: Jacobian) -> Jacobian:
    """2·point: with D = 4XY² and E = 3X², X' = E² − 2D, Y' = E(D − X') − 8Y⁴, Z' = 2YZ."""
    x, y, z = point
    yy = y * y % P
    d = 4 * x * yy % P
    e = 3 * x * x % P
    x3 = (e * e - 2 * d) % P
    return x3, (e * (d - x3) - 8 * yy * yy) % P, 2 * y * z % P


def plus_affine(point: Jacobian, other: G1) -> Jacobian:
    """The sum: with H = x₂Z² − X, S = y₂Z³ − Y and V = XH²,
    X' = S² − H³ − 2V, Y' = S(V − X') − YH³, Z' = ZH.
    """
    x, y, z = point
    x2, y2 = other
    if not z:
        return x2, y2, 1
    zz = z * z % P
    h = (x2 * zz - x) % P
    s = (y2 * zz * z - y) % P
    if not h:
        return INFINITY if s else doubled(point)
    hh = h * h % P
    hhh = hh * h % P
    v = x * hh % P
    x3 = (s * s - hhh - 2 * v) % P
    return x3, (s * (v - x3) - y * hhh) % P, z * h % P


def inverses(numbers: Sequence[int]) -> list[int]:
    """1/n of each, none zero, by one division: the inverse of the product of all, taken apart from behind."""
    before, product = [], 1
    for number in numbers:
        before.append(product)
        product = product * number % P
    inverse, found = pow(product, -1, P), []
    for number, product in zip(reversed(numbers), reversed(before), strict=True):
        found.append(inverse * product % P)
        inverse = inverse * number % P
    return found[::-1]


def affine(points: Sequence[Jacobian]) -> list[G1 | None]:
    """The points as (x, y), infinity as None, for one division."""
    scales = iter(inverses([z for _, _, z in points if z]))
    return [_scaled(x, y, next(scales)) if z else None for x, y, z in points]


def _scaled(x: int, y: int, scale: int) -> G1:
    square = scale * scale % P
    return x * square % P, y * square * scale % P


def finite(points: Sequence[Jacobian]) -> list[G1]:
    """As `affine`, of points none of which is infinity."""
    found = affine(points)
    assert None not in found
    return [point for point in found if point is not None]


class Multiples:
    """Points ready to be multiplied: of each its odd multiples below 2^(window_bits−1), in affine form. Wide windows
    are for points that stay, narrow ones for points used once ("Guide to Elliptic Curve Cryptography", algorithm 3.36).
    """

    def __init__(self, points: Sequence[G1], window_bits: int) -> None:
        self._window_bits = window_bits
        count = 1 << window_bits - 2
        steps = finite([doubled((*point, 1)) for point in points])
        flat = finite(
            [multiple for point, step in zip(points, steps, strict=True) for multiple in _row(point, step, count)]
        )
        self._rows = [flat[at : at + count] for at in range(0, len(flat), count)]

    def each(self, scalars: Sequence[int]) -> list[Jacobian]:
        """scalars[k]·points[k] for each k, scalars >= 0."""
        return [_run(plan) for plan in self._plans(scalars)]

    def sum(self, scalars: Sequence[int]) -> Jacobian:
        """Σ scalars[k]·points[k], scalars >= 0: one run of doublings for all (Straus)."""
        from_below = zip_longest(*map(reversed, self._plans(scalars)), fillvalue=())
        return _run([tuple(chain.from_iterable(summands)) for summands in from_below][::-1])

    def _plans(self, scalars: Sequence[int]) -> list[list[tuple[G1, ...]]]:
        """For each digit of each scalar what is added after its doubling: a multiple, or nothing."""
        return [
            [_of(row, digit) if digit else () for digit in signed_digits(scalar, self._window_bits)]
            for row, scalar in zip(self._rows, scalars, strict=True)
        ]


def _of(row: Sequence[G1], digit: int) -> tuple[G1]:
    """digit·point, of its odd multiples 1, 3, 5 and so on."""
    return (row[digit // 2] if digit > 0 else negative1(row[-digit // 2]),)


def _run(plan: Sequence[tuple[G1, ...]]) -> Jacobian:
    """For each entry a doubling, then its points added."""
    result = INFINITY
    for summands in plan:
        result = doubled(result)
        for point in summands:
            result = plus_affine(result, point)
    return result


def _row(first: G1, step: G1, count: int) -> Iterator[Jacobian]:
    """The points first, first + step, first + 2·step and so on."""
    return accumulate(repeat(step, count - 1), plus_affine, initial=(*first, 1))

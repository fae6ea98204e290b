"""The optimal ate pairing on BN254, laid out for equations of pairings: e(P₁, Q₁)·e(P₂, Q₂)·… in one loop.

    e(P, Q) = ( f · ℓ(T, ψQ)(P) · ℓ(T + ψQ, −ψ²Q)(P) )^((p¹²−1)/r·k),  T = (6u+2)Q,  f = f_{6u+2,Q}(P) by Miller's loop

1. `lines(Q)` walks the loop on the twist and writes down the line of every step before any P is known: c·y + a·x·w +
   b·w³ at P = (x, y). Factors in Fp2 may be left out or put in, the final exponent makes 1 of them.
2. The walk ends at (6u+2)Q + ψQ − ψ²Q, which is −ψ³Q for every Q of order r and, as it turns out, for no other point of
   the twist: that is the whole test whether Q is in G2, and it costs nothing.
3. `miller` multiplies the lines of many pairs at their points into one value, squared once a step for all.
4. `final_exponentiation` brings it into the group of r-th roots of unity.

ψ is the Frobenius seen from the twist, ψ(x, y) = (x̄·ξ^((p−1)/3), ȳ·ξ^((p−1)/2)), and is multiplication by p on G2.
The constant k = 2u(6u²+3u+1), prime to r, makes the last exponent shorter: the values are k-th powers of the usual
pairing, bilinear and non-degenerate as that is. Called by `proofs.groth16`.

Sources: Vercauteren, "Optimal pairings" (2010); Aranha and others, "The realm of the pairings" (2013) for homogeneous
doublings and the shape of lines; Fuentes-Castañeda, Knapp and Rodríguez-Henríquez, "Faster hashing to G2" (2011), §5,
for the last exponent; Dai, Lin, Zhao and Zhou, "Fast subgroup membership testings" (2022) for membership by ψ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from proofs.bn254.curve import G1, G2, inverses
from proofs.bn254.fields import (
    FROBENIUS,
    ONE,
    Fp2,
    Fp12,
    P,
    U,
    conjugate,
    cyclotomic_square,
    frobenius,
    inverse,
    multiply,
    multiply2,
    power_of_u,
    signed_digits,
    square,
    times_line,
    times_whole_line,
)

Homogeneous: TypeAlias = tuple[int, int, int, int, int, int]
"""(X : Y : Z) on the twist, x = X/Z and y = Y/Z, two integers each."""
Line: TypeAlias = tuple[Fp2, Fp2, Fp2]
"""(c, a, b) of c·y + a·x·w + b·w³."""
MonicLine: TypeAlias = tuple[Fp2, Fp2]
"""(a, b) of 1 + a·(x/y)·w + b·(1/y)·w³: a line divided by its c·y."""

DIGITS = signed_digits(6 * U + 2)
SQUARED = (*(squared for digit in DIGITS[1:] for squared in ((True, False) if digit else (True,))), False, False)
"""For each line of the walk, whether the value is squared before: it is at doublings, it is not at additions."""


class OutsideSubgroup(ValueError):
    """A point of the twist is not in G2: its order is not r."""


def lines(q: G2) -> list[Line]:
    """The lines of the walk from `q`, a point on the twist. Raises `OutsideSubgroup` unless q is in G2.

    A step that meets infinity, or adds a point to itself, leaves Z = 0, and from there Z stays 0. No q in G2 ever takes
    one: its multiples on the way are by 2 to 6u²+6u+2, never ±1 where ±q is added. The last test is sound because of
    gcd(N, #E'(Fp2)) = r for N = resultant(6u+2 + X − X² + X³, X² − tX + p), t = 6u²+1, which kills what passes.
    """
    (x0, x1), (y0, y1) = q
    at, steps = (x0, x1, y0, y1, 1, 0), []
    signed = {1: q, -1: (q[0], (-y0, -y1))}
    for digit in DIGITS[1:]:
        at, line = _doubled(at)
        steps.append(line)
        if digit:
            at, line = _plus(at, signed[digit])
            steps.append(line)
    (x, y) = twice = endomorphism(endomorphism(q))
    for point in (endomorphism(q), (x, (-y[0], -y[1]))):
        at, line = _plus(at, point)
        steps.append(line)
    x, y = endomorphism(twice)
    if not _is_at(at, (x, (-y[0], -y[1]))):
        raise OutsideSubgroup
    return steps


def _doubled(at: Homogeneous) -> tuple[Homogeneous, Line]:
    """2T and its tangent. With D = 9Z², G = ξY², H = 2ξYZ, so that the twist's 3/ξ needs no constant:
    X' = 2ξXY(G − 3D), Y' = (G + 3D)² − 12D², Z' = 4GH; tangent −H·y + 3ξX²·x·w + (D − G)·w³.
    """
    x0, x1, y0, y1, z0, z1 = at
    d0, d1 = 9 * (z0 + z1) * (z0 - z1) % P, 18 * z0 * z1 % P
    s, t = (y0 + y1) * (y0 - y1), 2 * y0 * y1
    g0, g1 = (9 * s - t) % P, (s + 9 * t) % P
    s, t = 2 * (y0 * z0 - y1 * z1), 2 * (y0 * z1 + y1 * z0)
    h0, h1 = (9 * s - t) % P, (s + 9 * t) % P
    s, t = 2 * (x0 * y0 - x1 * y1), 2 * (x0 * y1 + x1 * y0)
    m0, m1 = (9 * s - t) % P, (s + 9 * t) % P
    s, t = 3 * (x0 + x1) * (x0 - x1), 6 * x0 * x1
    e0, e1 = g0 - 3 * d0, g1 - 3 * d1
    f0, f1 = g0 + 3 * d0, g1 + 3 * d1
    doubled = (
        *((m0 * e0 - m1 * e1) % P, (m0 * e1 + m1 * e0) % P),
        *(((f0 + f1) * (f0 - f1) - 12 * (d0 + d1) * (d0 - d1)) % P, (2 * f0 * f1 - 24 * d0 * d1) % P),
        *(4 * (g0 * h0 - g1 * h1) % P, 4 * (g0 * h1 + g1 * h0) % P),
    )
    return doubled, ((-h0, -h1), ((9 * s - t) % P, (s + 9 * t) % P), (d0 - g0, d1 - g1))


def _plus(at: Homogeneous, q: G2) -> tuple[Homogeneous, Line]:
    """T + Q and the line through both. With θ = Y − y₂Z, λ = X − x₂Z, E = λ³, G = Xλ², H = E + Zθ² − 2G:
    X' = λH, Y' = θ(G − H) − EY, Z' = ZE; line λ·y − θ·x·w + (θx₂ − λy₂)·w³.
    """
    x, y, z = at[0:2], at[2:4], at[4:6]
    x2, y2 = q
    yz, xz = multiply2(y2, z), multiply2(x2, z)
    theta, lam = (y[0] - yz[0], y[1] - yz[1]), (x[0] - xz[0], x[1] - xz[1])
    square_of = multiply2(lam, lam)
    e, g = multiply2(square_of, lam), multiply2(x, square_of)
    zc = multiply2(z, multiply2(theta, theta))
    h = (e[0] + zc[0] - 2 * g[0], e[1] + zc[1] - 2 * g[1])
    s, t = multiply2(theta, (g[0] - h[0], g[1] - h[1])), multiply2(e, y)
    tx, ly = multiply2(theta, x2), multiply2(lam, y2)
    moved = (*multiply2(lam, h), s[0] - t[0], s[1] - t[1], *multiply2(z, e))
    return moved, (lam, (-theta[0], -theta[1]), (tx[0] - ly[0], tx[1] - ly[1]))


def endomorphism(q: G2) -> G2:
    """ψ(q)."""
    (x0, x1), (y0, y1) = q
    return multiply2((x0, -x1), FROBENIUS[1][2]), multiply2((y0, -y1), FROBENIUS[1][3])


def _is_at(at: Homogeneous, q: G2) -> bool:
    """Whether (X : Y : Z) is the finite point q."""
    x, y, z = at[0:2], at[2:4], at[4:6]
    (xz0, xz1), (yz0, yz1) = multiply2(q[0], z), multiply2(q[1], z)
    differences = (x[0] - xz0, x[1] - xz1, y[0] - yz0, y[1] - yz1)
    return any(part % P for part in z) and not any(part % P for part in differences)


def monic(found: Sequence[Line]) -> list[MonicLine]:
    """The lines divided by their c, for points Q that never change. No line of a Q in G2 has c = 0."""
    norms = inverses([c[0] * c[0] + c[1] * c[1] for c, _, _ in found])
    scales = [(c[0] * norm, -c[1] * norm) for (c, _, _), norm in zip(found, norms, strict=True)]
    return [(multiply2(a, scale), multiply2(b, scale)) for (_, a, b), scale in zip(found, scales, strict=True)]


def miller(pairs: Sequence[tuple[G1, Sequence[Line]]], fixed: Sequence[tuple[G1, Sequence[MonicLine]]] = ()) -> Fp12:
    """The product of Miller's values of all pairs, not yet raised to the final exponent. No point is infinity."""
    points = list(zip(_ratios([point for point, _ in fixed]), (found for _, found in fixed), strict=True))
    value = ONE
    for at, squared in enumerate(SQUARED):
        if squared:
            value = square(value)
        for (x, y), found in pairs:
            c, a, b = found[at]
            value = times_whole_line(value, (c[0] * y % P, c[1] * y % P), (a[0] * x % P, a[1] * x % P), b)
        for (s, t), monics in points:
            a, b = monics[at]
            value = times_line(value, (a[0] * s % P, a[1] * s % P), (b[0] * t % P, b[1] * t % P))
    return value


def _ratios(points: Sequence[G1]) -> list[tuple[int, int]]:
    """(x/y, 1/y) of each point; y is never 0, for no point has order 2."""
    return [
        (x * inverse % P, inverse) for (x, _), inverse in zip(points, inverses([y for _, y in points]), strict=True)
    ]


def final_exponentiation(value: Fp12) -> Fp12:
    """value^((p¹² − 1)/r · k), k = 2u(6u²+3u+1).

    First the easy part (p⁶ − 1)(p² + 1), then the hard part in powers of p:
    (1+6u+12u²+12u³) + (4u+6u²+12u³)p + (6u+6u²+12u³)p² + (−1+4u+6u²+12u³)p³.
    """
    value = multiply(conjugate(value), inverse(value))
    value = multiply(frobenius(value, 2), value)
    u2 = cyclotomic_square(power_of_u(value))
    u6 = multiply(cyclotomic_square(u2), u2)
    uu6 = power_of_u(u6)
    uuu12 = power_of_u(cyclotomic_square(uu6))
    a = multiply(multiply(uuu12, uu6), u6)
    b = multiply(a, conjugate(u2))
    low = multiply(multiply(multiply(a, uu6), value), frobenius(b, 1))
    return multiply(multiply(low, frobenius(a, 2)), frobenius(multiply(b, conjugate(value)), 3))


def pairing(p: G1, q: G2) -> Fp12:
    """e(p, q) of one pair of points, q in G2."""
    return final_exponentiation(miller([(p, lines(q))]))

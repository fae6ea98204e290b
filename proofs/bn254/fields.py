"""The tower Fp ⊂ Fp2 ⊂ Fp6 ⊂ Fp12 over BN254, with reduction put off as long as it pays.

    p = 36u⁴ + 36u³ + 24u² + 6u + 1        Fp2  = Fp[i] / (i² + 1)
    r = 36u⁴ + 36u³ + 18u² + 6u + 1        Fp6  = Fp2[v] / (v³ − ξ),  ξ = 9 + i
                                           Fp12 = Fp6[w] / (w² − v),  so w⁶ = ξ

An element is a tuple of integers, lowest power first and real part before imaginary part; of Fp12 it is (even, odd),
meaning even(v) + odd(v)·w. Python's integers have no width, so sums of products are taken first and each coefficient is
divided by p once, at the end: a product in Fp12 costs 72 multiplications and 12 remainders. A multiplication costs what
four additions do, so Karatsuba's way pays in Fp12 and Fp6, and in Fp2 four products are as good as three.

Arguments and results are remainders modulo p, except where a function says "not reduced". Called by `curve`, `pairing`.
"""

from __future__ import annotations

import itertools
from typing import TypeAlias

U = 4965661367192848881
P = 36 * U**4 + 36 * U**3 + 24 * U**2 + 6 * U + 1
R = 36 * U**4 + 36 * U**3 + 18 * U**2 + 6 * U + 1

Fp2: TypeAlias = tuple[int, int]
Fp6: TypeAlias = tuple[int, int, int, int, int, int]
Fp12: TypeAlias = tuple[Fp6, Fp6]

XI: Fp2 = (9, 1)
ONE: Fp12 = ((1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0))


def multiply2(x: Fp2, y: Fp2) -> Fp2:
    """x·y in Fp2."""
    a, b = x
    c, d = y
    return (a * c - b * d) % P, (a * d + b * c) % P


def inverse2(x: Fp2) -> Fp2:
    """1/x = x̄/(x·x̄). Raises ValueError for zero."""
    a, b = x
    norm = pow(a * a + b * b, -1, P)
    return a * norm % P, -b * norm % P


def power2(x: Fp2, exponent: int) -> Fp2:
    """x^exponent by squaring and multiplying, exponent >= 0. For constants."""
    result: Fp2 = (1, 0)
    for bit in f"{exponent:b}":
        result = multiply2(result, result)
        if bit == "1":
            result = multiply2(result, x)
    return result


def product6(x: Fp6, y: Fp6) -> Fp6:
    """x·y in Fp6, not reduced: (a + bv + cv²)(d + ev + fv²) = ad + ξS + (T + ξcf)v + (U + be)v² with, by Karatsuba,
    S = bf + ce = (b+c)(e+f) − be − cf, T = ae + bd = (a+b)(d+e) − ad − be, U = af + cd = (a+c)(d+f) − ad − cf.
    """
    a0, a1, b0, b1, c0, c1 = x
    d0, d1, e0, e1, f0, f1 = y
    ad0, ad1 = a0 * d0 - a1 * d1, a0 * d1 + a1 * d0
    be0, be1 = b0 * e0 - b1 * e1, b0 * e1 + b1 * e0
    cf0, cf1 = c0 * f0 - c1 * f1, c0 * f1 + c1 * f0
    p0, p1, q0, q1 = b0 + c0, b1 + c1, e0 + f0, e1 + f1
    s0, s1 = p0 * q0 - p1 * q1 - be0 - cf0, p0 * q1 + p1 * q0 - be1 - cf1
    p0, p1, q0, q1 = a0 + b0, a1 + b1, d0 + e0, d1 + e1
    t0, t1 = p0 * q0 - p1 * q1 - ad0 - be0, p0 * q1 + p1 * q0 - ad1 - be1
    p0, p1, q0, q1 = a0 + c0, a1 + c1, d0 + f0, d1 + f1
    u0, u1 = p0 * q0 - p1 * q1 - ad0 - cf0, p0 * q1 + p1 * q0 - ad1 - cf1
    return (
        *(ad0 + 9 * s0 - s1, ad1 + s0 + 9 * s1),
        *(t0 + 9 * cf0 - cf1, t1 + cf0 + 9 * cf1),
        *(u0 + be0, u1 + be1),
    )


def product6_by_line(x: Fp6, a0: int, a1: int, b0: int, b1: int) -> Fp6:
    """x·ℓ in Fp6, not reduced: (c + dv + ev²)(a + bv) = ca + ξeb + ((c+d)(a+b) − ca − db)v + (db + ea)v²."""
    c0, c1, d0, d1, e0, e1 = x
    ca0, ca1 = c0 * a0 - c1 * a1, c0 * a1 + c1 * a0
    db0, db1 = d0 * b0 - d1 * b1, d0 * b1 + d1 * b0
    eb0, eb1 = e0 * b0 - e1 * b1, e0 * b1 + e1 * b0
    p0, p1, q0, q1 = c0 + d0, c1 + d1, a0 + b0, a1 + b1
    return (
        *(ca0 + 9 * eb0 - eb1, ca1 + eb0 + 9 * eb1),
        *(p0 * q0 - p1 * q1 - ca0 - db0, p0 * q1 + p1 * q0 - ca1 - db1),
        *(db0 + e0 * a0 - e1 * a1, db1 + e0 * a1 + e1 * a0),
    )


def multiply(x: Fp12, y: Fp12) -> Fp12:
    """x·y: of (a + bw)(c + dw) = ac + v·bd + (ad + bc)w the last by Karatsuba, (a + b)(c + d) − ac − bd."""
    (a, b), (c, d) = x, y
    a0, a1, a2, a3, a4, a5 = a
    b0, b1, b2, b3, b4, b5 = b
    c0, c1, c2, c3, c4, c5 = c
    d0, d1, d2, d3, d4, d5 = d
    s0, s1, s2, s3, s4, s5 = product6(a, c)
    t0, t1, t2, t3, t4, t5 = product6(b, d)
    m0, m1, m2, m3, m4, m5 = product6(
        (a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4, a5 + b5),
        (c0 + d0, c1 + d1, c2 + d2, c3 + d3, c4 + d4, c5 + d5),
    )
    return (
        ((s0 + 9 * t4 - t5) % P, (s1 + t4 + 9 * t5) % P, (s2 + t0) % P, (s3 + t1) % P, (s4 + t2) % P, (s5 + t3) % P),
        (
            *((m0 - s0 - t0) % P, (m1 - s1 - t1) % P, (m2 - s2 - t2) % P),
            *((m3 - s3 - t3) % P, (m4 - s4 - t4) % P, (m5 - s5 - t5) % P),
        ),
    )


def square(x: Fp12) -> Fp12:
    """x²: of (a + bw)² = a² + v·b² + 2ab·w the even part as (a + b)(a + v·b) − ab − v·ab."""
    a, b = x
    a0, a1, a2, a3, a4, a5 = a
    b0, b1, b2, b3, b4, b5 = b
    t0, t1, t2, t3, t4, t5 = product6(a, b)
    m0, m1, m2, m3, m4, m5 = product6(
        (a0 + b0, a1 + b1, a2 + b2, a3 + b3, a4 + b4, a5 + b5),
        (a0 + 9 * b4 - b5, a1 + b4 + 9 * b5, a2 + b0, a3 + b1, a4 + b2, a5 + b3),
    )
    return (
        (
            *((m0 - t0 - 9 * t4 + t5) % P, (m1 - t1 - t4 - 9 * t5) % P, (m2 - t2 - t0) % P),
            *((m3 - t3 - t1) % P, (m4 - t4 - t2) % P, (m5 - t5 - t3) % P),
        ),
        (2 * t0 % P, 2 * t1 % P, 2 * t2 % P, 2 * t3 % P, 2 * t4 % P, 2 * t5 % P),
    )


def times_line(x: Fp12, a: Fp2, b: Fp2) -> Fp12:
    """x·(1 + a·w + b·w³): (c + dw)(1 + ℓw) = c + v·dℓ + (d + cℓ)w with ℓ = a + bv."""
    c, d = x
    c0, c1, c2, c3, c4, c5 = c
    d0, d1, d2, d3, d4, d5 = d
    s0, s1, s2, s3, s4, s5 = product6_by_line(c, *a, *b)
    t0, t1, t2, t3, t4, t5 = product6_by_line(d, *a, *b)
    return (
        ((c0 + 9 * t4 - t5) % P, (c1 + t4 + 9 * t5) % P, (c2 + t0) % P, (c3 + t1) % P, (c4 + t2) % P, (c5 + t3) % P),
        ((d0 + s0) % P, (d1 + s1) % P, (d2 + s2) % P, (d3 + s3) % P, (d4 + s4) % P, (d5 + s5) % P),
    )


def times_whole_line(x: Fp12, c: Fp2, a: Fp2, b: Fp2) -> Fp12:
    """x·(c + a·w + b·w³): (d + ew)(c + ℓw) = dc + v·eℓ + ((d + e)(c + ℓ) − dc − eℓ)w with ℓ = a + bv."""
    d, e = x
    k0, k1 = c
    d0, d1, d2, d3, d4, d5 = d
    e0, e1, e2, e3, e4, e5 = e
    s0, s1 = d0 * k0 - d1 * k1, d0 * k1 + d1 * k0
    s2, s3 = d2 * k0 - d3 * k1, d2 * k1 + d3 * k0
    s4, s5 = d4 * k0 - d5 * k1, d4 * k1 + d5 * k0
    t0, t1, t2, t3, t4, t5 = product6_by_line(e, *a, *b)
    both = (d0 + e0, d1 + e1, d2 + e2, d3 + e3, d4 + e4, d5 + e5)
    m0, m1, m2, m3, m4, m5 = product6_by_line(both, a[0] + k0, a[1] + k1, *b)
    return (
        ((s0 + 9 * t4 - t5) % P, (s1 + t4 + 9 * t5) % P, (s2 + t0) % P, (s3 + t1) % P, (s4 + t2) % P, (s5 + t3) % P),
        (
            *((m0 - s0 - t0) % P, (m1 - s1 - t1) % P, (m2 - s2 - t2) % P),
            *((m3 - s3 - t3) % P, (m4 - s4 - t4) % P, (m5 - s5 - t5) % P),
        ),
    )


def conjugate(x: Fp12) -> Fp12:
    """x^(p⁶), even − odd·w: the inverse of what lies in the cyclotomic subgroup."""
    even, (a, b, c, d, e, f) = x
    return even, (-a % P, -b % P, -c % P, -d % P, -e % P, -f % P)


def inverse(x: Fp12) -> Fp12:
    """1/x = (a − bw)/(a² − v·b²). Raises ValueError for zero."""
    a, b = x
    s0, s1, s2, s3, s4, s5 = product6(a, a)
    t0, t1, t2, t3, t4, t5 = product6(b, b)
    norm = inverse6(_reduced((s0 - 9 * t4 + t5, s1 - t4 - 9 * t5, s2 - t0, s3 - t1, s4 - t2, s5 - t3)))
    return conjugate((_reduced(product6(a, norm)), _reduced(product6(b, norm))))


def inverse6(x: Fp6) -> Fp6:
    """1/x for x = a + bv + cv²: by the adjoint A = a² − ξbc, B = ξc² − ab, C = b² − ac over N = aA + ξ(cB + bC)."""
    a, b, c = x[0:2], x[2:4], x[4:6]
    aa, bb, cc = multiply2(a, a), multiply2(b, b), multiply2(XI, multiply2(c, c))
    ab, ac, bc = multiply2(a, b), multiply2(a, c), multiply2(XI, multiply2(b, c))
    adjoint = _reduced((aa[0] - bc[0], aa[1] - bc[1], cc[0] - ab[0], cc[1] - ab[1], bb[0] - ac[0], bb[1] - ac[1]))
    norm = product6(x, adjoint)
    n0, n1 = inverse2((norm[0] % P, norm[1] % P))
    return _reduced(product6(adjoint, (n0, n1, 0, 0, 0, 0)))


def cyclotomic_square(x: Fp12) -> Fp12:
    """x² for x with x^(p⁴−p²+1) = 1, as every value has after the easy part of the final exponent.

    Three squares in Fp4 = Fp2[y]/(y² − ξ), each of two coefficients three powers of w apart: Granger and Scott,
    "Faster squaring in the cyclotomic subgroup of sixth degree extensions" (2010), §3.2.
    """
    (a0, a1, c0, c1, e0, e1), (b0, b1, d0, d1, f0, f1) = x
    # powers of w: a + b·w + c·w² + d·w³ + e·w⁴ + f·w⁵
    s0, s1, t0, t1 = _square4(a0, a1, d0, d1)
    u0, u1, v0, v1 = _square4(b0, b1, e0, e1)
    w0, w1, x0, x1 = _square4(c0, c1, f0, f1)
    return (
        (
            *((3 * s0 - 2 * a0) % P, (3 * s1 - 2 * a1) % P),
            *((3 * u0 - 2 * c0) % P, (3 * u1 - 2 * c1) % P),
            *((3 * w0 - 2 * e0) % P, (3 * w1 - 2 * e1) % P),
        ),
        (
            *((3 * (9 * x0 - x1) + 2 * b0) % P, (3 * (x0 + 9 * x1) + 2 * b1) % P),
            *((3 * t0 + 2 * d0) % P, (3 * t1 + 2 * d1) % P),
            *((3 * v0 + 2 * f0) % P, (3 * v1 + 2 * f1) % P),
        ),
    )


def _square4(a0: int, a1: int, b0: int, b1: int) -> tuple[int, int, int, int]:
    """(a + by)² = a² + ξb² + 2ab·y, not reduced."""
    bb0, bb1 = (b0 + b1) * (b0 - b1), 2 * b0 * b1
    return (
        (a0 + a1) * (a0 - a1) + 9 * bb0 - bb1,
        2 * a0 * a1 + bb0 + 9 * bb1,
        2 * (a0 * b0 - a1 * b1),
        2 * (a0 * b1 + a1 * b0),
    )


def _reduced(x: Fp6) -> Fp6:
    a, b, c, d, e, f = x
    return a % P, b % P, c % P, d % P, e % P, f % P


def _powers(x: Fp2) -> tuple[Fp2, ...]:
    """x⁰ … x⁵."""
    return tuple(itertools.accumulate([x] * 5, multiply2, initial=(1, 0)))


_ONCE = power2(XI, (P - 1) // 6)
_TWICE = multiply2(_ONCE, (_ONCE[0], -_ONCE[1]))
FROBENIUS = (_powers((1, 0)), _powers(_ONCE), _powers(_TWICE), _powers(multiply2(_ONCE, _TWICE)))
"""FROBENIUS[n][k] = ξ^(k(pⁿ−1)/6), the factor that w^k takes on when raised to pⁿ."""


def frobenius(x: Fp12, n: int) -> Fp12:
    """x^(pⁿ) for n = 1, 2, 3: coefficients conjugated when n is odd, times the factor of their power of w."""
    factors, sign = FROBENIUS[n], -1 if n % 2 else 1
    even, odd = x
    return _twisted(even, sign, factors[0::2]), _twisted(odd, sign, factors[1::2])


def _twisted(x: Fp6, sign: int, factors: tuple[Fp2, ...]) -> Fp6:
    a, b, c = (multiply2((x[at], sign * x[at + 1]), factors[at // 2]) for at in (0, 2, 4))
    return *a, *b, *c


def power_of_u(x: Fp12) -> Fp12:
    """x^u in the cyclotomic subgroup, where an inverse is a conjugate: by signed digits, so few are not zero."""
    odd_powers = {1: x}
    squared = cyclotomic_square(x)
    for power in range(3, 1 << U_WINDOW_BITS - 1, 2):
        odd_powers[power] = multiply(odd_powers[power - 2], squared)
    odd_powers |= {-power: conjugate(value) for power, value in odd_powers.items()}
    result = odd_powers[U_DIGITS[0]]
    for digit in U_DIGITS[1:]:
        result = cyclotomic_square(result)
        if digit:
            result = multiply(result, odd_powers[digit])
    return result


def signed_digits(number: int, window_bits: int = 2) -> tuple[int, ...]:
    """`number` >= 0 in binary with digits 0 and odd |d| < 2^(window_bits−1), highest first: of any window_bits digits
    in a row at most one is not zero. With window_bits = 2 the non-adjacent form, its leading 1 0 −1 written as 1 1.
    """
    digits: list[int] = []
    whole = 1 << window_bits
    while number:
        zeros = (number & -number).bit_length() - 1
        number >>= zeros
        digit = number % whole
        digit -= whole if digit > whole // 2 else 0
        digits += [*[0] * zeros, digit]
        number = (number - digit) // 2
    if digits[-3:] == [-1, 0, 1]:
        digits[-3:] = [1, 1]
    return tuple(reversed(digits))


U_WINDOW_BITS = 4
U_DIGITS = signed_digits(U, U_WINDOW_BITS)

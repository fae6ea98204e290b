"""secp256k1 in plain affine integers: who signed, and signatures with a nonce of one's choice.

Slow, and from the definition (SEC 1 §4.1): the other opinion beside libsecp256k1, the EVM and our JavaScript. None is
the point at infinity.
"""

from __future__ import annotations

from typing import TypeAlias

from proofs.keccak import keccak256

Point: TypeAlias = "tuple[int, int] | None"

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G: Point = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def plus(left: Point, right: Point) -> Point:
    """The sum of two points."""
    if left is None or right is None:
        return left or right
    if left[0] == right[0]:
        if (left[1] + right[1]) % P == 0:
            return None
        slope = 3 * left[0] * left[0] * pow(2 * left[1], -1, P)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, P)
    x = (slope * slope - left[0] - right[0]) % P
    return x, (slope * (left[0] - x) - left[1]) % P


def times(number: int, point: Point) -> Point:
    """`number` · `point`."""
    total: Point = None
    while number:
        if number & 1:
            total = plus(total, point)
        point, number = plus(point, point), number >> 1
    return total


def lifted(x: int, odd: int) -> Point:
    """The point with this x and parity of y; None where there is none."""
    square = (x**3 + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        return None
    return x, y if y & 1 == odd else P - y


def address(point: Point) -> bytes:
    """The 20 bytes of a public key."""
    assert point is not None
    return keccak256(b"".join(each.to_bytes(32, "big") for each in point))[12:]


def signer(digest: int, r: int, s: int, odd: int) -> bytes | None:
    """Who signed, by SEC 1; None for r or s out of range, high s, or where no key belongs to it."""
    if not 0 < r < N or not 0 < s <= N // 2:
        return None
    nonce_point = lifted(r, odd)
    if nonce_point is None:
        return None
    inverse = pow(r, -1, N)
    found = plus(times(s * inverse % N, nonce_point), times(-digest * inverse % N, G))
    return None if found is None else address(found)


def signed(key: int, digest: int, nonce: int) -> tuple[int, int, int]:
    """(r, s, parity), low s."""
    point = times(nonce, G)
    assert point is not None
    r, s = point[0] % N, pow(nonce, -1, N) * (digest + point[0] * key) % N
    return (r, s, point[1] & 1) if s <= N // 2 else (r, N - s, 1 - point[1] & 1)

"""Poseidon's round constants and matrices over the scalar field of BN254, made and not copied: the Grain LFSR of the
paper, run from the parameters of each width.

Invariants: for t = 2..17 they are those of circomlib (round numbers included), which the circuit is compiled with; a
width is made once a process. Source: "Poseidon: A New Hash Function for Zero-Knowledge Proof Systems", appendices E
and F. Called by `proofs.poseidon` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import compress

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""The order of BN254's groups: the field of every value that is hashed and of every public signal."""

FIELD_BITS = R.bit_length()
FULL_ROUNDS = 8
PARTIAL_ROUNDS = (56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68)
"""By width, t = 2 first: what keeps the margin of security of the paper at a multiple that suits circuits."""
WIDTH_MIN = 2
WIDTH_MAX = WIDTH_MIN + len(PARTIAL_ROUNDS) - 1

_STATE_BITS = 80
_TAPS = (0, 13, 23, 38, 51, 62)
_STRIDE_BITS = _STATE_BITS - _TAPS[-1]
_WARM_UP_BITS = 160
_PRIME_FIELD, _POWER_BOX = 1, 0

Row = tuple[int, ...]
Matrix = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Constants:
    """What a width is made of: `rounds[i]` is added before round i's boxes, `matrix` mixes after them."""

    width: int
    partial_rounds: int
    rounds: Matrix
    matrix: Matrix


@cache
def constants(width: int) -> Constants:
    """The constants of `width` field elements, 2 to 17; a few milliseconds the first time."""
    partial_rounds = PARTIAL_ROUNDS[width - WIDTH_MIN]
    wanted = (FULL_ROUNDS + partial_rounds) * width
    # A value of 254 bits is below R three times in four; the rest are drawn again.
    draws = 2 * wanted + 2 * width
    while True:
        values = _values(width, partial_rounds, draws)
        made = _sorted_out(values, width, wanted)
        if made is not None:
            rounds, matrix = made
            return Constants(width, partial_rounds, rounds, matrix)
        draws *= 2


def _sorted_out(values: list[int], width: int, wanted: int) -> tuple[Matrix, Matrix] | None:
    """Round constants are the values below R; what follows the last of them makes the matrix. None if too few."""
    kept: list[int] = []
    for at, value in enumerate(values):
        if len(kept) == wanted:
            points = values[at : at + 2 * width]
            if len(points) < 2 * width:
                return None
            return tuple(tuple(kept[i : i + width]) for i in range(0, wanted, width)), _cauchy(points, width)
        if value < R:
            kept.append(value)
    return None


def _cauchy(points: list[int], width: int) -> Matrix:
    """The Cauchy matrix 1 / (x + y), which is MDS; at the widths there are, the first draw has no clash."""
    reduced = [point % R for point in points]
    assert len(set(reduced)) == len(reduced)
    xs, ys = reduced[:width], reduced[width:]
    return tuple(tuple(pow(x + y, -1, R) for y in ys) for x in xs)


def _values(width: int, partial_rounds: int, count: int) -> list[int]:
    """`count` numbers of 254 bits as the generator draws them, most significant bit first."""
    bits = _shrunk(_stream(_seed(width, partial_rounds), _WARM_UP_BITS + 5 * count * FIELD_BITS))
    return [int(bits[at : at + FIELD_BITS], 2) for at in range(0, len(bits) - FIELD_BITS + 1, FIELD_BITS)]


def _seed(width: int, partial_rounds: int) -> str:
    fields = ((_PRIME_FIELD, 2), (_POWER_BOX, 4), (FIELD_BITS, 12), (width, 12), (FULL_ROUNDS, 10))
    return "".join(f"{value:0{bits}b}" for value, bits in (*fields, (partial_rounds, 10))) + "1" * 30


def _stream(seed: str, count: int) -> str:
    """`count` bits of the register after its seed, as text.

    The recurrence's polynomial f has f(x)^2 = f(x^2) over GF(2), so the same taps spread by a power of two hold as
    well: the further the stream has come, the more bits a step yields, and all of it is a few hundred steps.
    """
    bits, length, spread = int(seed[::-1], 2), _STATE_BITS, 1
    while length < _STATE_BITS + count:
        while length >= 2 * spread * _STATE_BITS:
            spread *= 2
        start, mask = length - spread * _STATE_BITS, (1 << spread * _STRIDE_BITS) - 1
        fresh = 0
        for tap in _TAPS:
            fresh ^= bits >> start + spread * tap
        bits |= (fresh & mask) << length
        length += spread * _STRIDE_BITS
    return f"{bits:0{length}b}"[::-1][_STATE_BITS : _STATE_BITS + count]


def _shrunk(raw: str) -> str:
    """The self-shrinking mode: of each pair of bits after the warm-up the second counts, if the first is 1."""
    useful = raw[_WARM_UP_BITS:]
    firsts = useful[0::2].encode().translate(bytes.maketrans(b"01", b"\x00\x01"))
    return "".join(compress(useful[1::2], firsts))

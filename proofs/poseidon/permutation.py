"""Poseidon in plain Python, as fast as its integers allow: full rounds, the partial rounds as a recurrence, and
the same written out for pairs, of which a tree has one for each member.

Invariants: inputs are field elements (the caller checks); the answer is the first element of the state, whose first
element began as 0, as in circomlib. Called by `proofs.poseidon` alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import cache

from proofs.poseidon.grain import FULL_ROUNDS, Matrix, R, constants
from proofs.poseidon.recurrence import dot, recurrence

HALF = FULL_ROUNDS // 2


def hashed(inputs: Sequence[int]) -> int:
    """The hash of 1 to 16 field elements."""
    made = constants(len(inputs) + 1)
    first, *others = made.rounds
    state = [start + more for start, more in zip((0, *inputs), first, strict=True)]
    state = _full(state, made.matrix, others[:HALF])
    state = _partial(state)
    after = made.rounds[HALF + made.partial_rounds + 1 :]
    state = _full(state, made.matrix, after)
    boxed = [value * pow(value, 4, R) for value in state]
    return dot(made.matrix[0], boxed) % R


def _full(state: list[int], matrix: Matrix, added: Sequence[tuple[int, ...]]) -> list[int]:
    """Rounds in which every element passes the box. Constants of a round are already in the state when it begins."""
    for constants_after in added:
        boxed = []
        for value in state:
            square = value * value % R
            boxed.append(square * square % R * value % R)
        state = [(dot(row, boxed) + more) % R for row, more in zip(matrix, constants_after, strict=True)]
    return state


def _partial(state: list[int]) -> list[int]:
    order = len(state) - 1
    made = recurrence(len(state))
    u, others = state[0], state[1:]
    us, ys = deque[int](maxlen=order), deque[int](maxlen=order + 1)
    for row, more in zip(made.first, made.first_added, strict=True):
        square = u * u % R
        ys.appendleft(square * square % R * u % R)
        u = (dot(row, [*ys, *others]) + more) % R
        us.appendleft(u)
    step = made.step
    for more in made.added:
        square = u * u % R
        ys.appendleft(square * square % R * u % R)
        u = (dot(step, [*ys, *us]) + more) % R
        us.appendleft(u)
    known = [*us, *list(ys)[:order]]
    return [u, *((dot(row, known) + more) % R for row, more in zip(made.last, made.last_added, strict=True))]


@cache
def pair_hash() -> Callable[[int, int], int]:
    """`hashed` for two inputs with every loop but those over rounds written out."""
    made, linear = constants(3), recurrence(3)
    (k0, k1, k2), *rounds = made.rounds
    opening, closing = rounds[:HALF], rounds[HALF + made.partial_rounds :]
    ((m00, m01, m02), (m10, m11, m12), (m20, m21, m22)) = made.matrix
    ((f0, f1, f2), (g0, g1, g2, g3)) = linear.first
    first_added, second_added = linear.first_added
    s0, s1, s2, s3, s4 = linear.step
    added = linear.added
    ((p0, p1, p2, p3), (q0, q1, q2, q3)) = linear.last
    p_added, q_added = linear.last_added

    def full(a: int, b: int, c: int, more: Sequence[tuple[int, ...]]) -> tuple[int, int, int]:
        for n0, n1, n2 in more:
            square = a * a % R
            a = square * square % R * a % R
            square = b * b % R
            b = square * square % R * b % R
            square = c * c % R
            c = square * square % R * c % R
            a, b, c = (
                (m00 * a + m01 * b + m02 * c + n0) % R,
                (m10 * a + m11 * b + m12 * c + n1) % R,
                (m20 * a + m21 * b + m22 * c + n2) % R,
            )
        return a, b, c

    def pair(left: int, right: int) -> int:
        u, x1, x2 = full(k0, left + k1, right + k2, opening)
        square = u * u % R
        y2 = square * square % R * u % R
        u1 = (f0 * y2 + f1 * x1 + f2 * x2 + first_added) % R
        square = u1 * u1 % R
        y1 = square * square % R * u1 % R
        u = (g0 * y1 + g1 * y2 + g2 * x1 + g3 * x2 + second_added) % R
        for more in added:
            square = u * u % R
            y = square * square % R * u % R
            u, u1 = (s0 * y + s1 * y1 + s2 * y2 + s3 * u + s4 * u1 + more) % R, u
            y2, y1 = y1, y
        b = (p0 * u + p1 * u1 + p2 * y1 + p3 * y2 + p_added) % R
        c = (q0 * u + q1 * u1 + q2 * y1 + q3 * y2 + q_added) % R
        a, b, c = full(u, b, c, closing)
        return (m00 * (a * pow(a, 4, R)) + m01 * (b * pow(b, 4, R)) + m02 * (c * pow(c, 4, R))) % R

    return pair

"""Poseidon's partial rounds as a linear recurrence, so that a round of them costs one reduction besides its box.

In a partial round only the first element u passes the box (y = u^5); the d = t - 1 others are a linear system that is
fed with y. The system's matrix satisfies its own characteristic polynomial, therefore the next u is a fixed combination
of the last d + 1 values of y and the last d values of u, plus a constant of the round; the others are never computed
until the last partial round, where the last values of u and y determine them.

    u' = m y0 + r1 y1 + .. + rd yd - p1 u0 - .. - pd u(d-1) + D

Invariant: equal to the textbook rounds for every input, which the tests check at every width. Called by
`proofs.poseidon.permutation` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from operator import mul

from proofs.poseidon.grain import FULL_ROUNDS, Matrix, R, Row, constants


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Rows are to be multiplied with what stands behind them, sums taken modulo R; newest values stand first.

    `first[k]` on (y_k .. y_0, x) plus `first_added[k]`: the (k+1)-th value of u, for k < d; x are the other elements
    where the partial rounds begin. `step` on (y0 .. yd, u0 .. u(d-1)) plus one of `added`: the next u. `last` rows on
    (u0 .. u(d-1), y0 .. y(d-1)) plus `last_added`: the other elements at the end, constants of the next round included.
    """

    first: Matrix
    first_added: Row
    step: Row
    added: Row
    last: Matrix
    last_added: Row


def dot(row: Iterable[int], values: Iterable[int]) -> int:
    """The sum of products, not reduced."""
    return sum(map(mul, row, values))


@cache
def recurrence(width: int) -> Recurrence:
    """The recurrence of a width. Some milliseconds the first time."""
    made, order = constants(width), width - 1
    corner, into = made.matrix[0][0], made.matrix[0][1:]
    fed, inner = [row[0] for row in made.matrix[1:]], [list(row[1:]) for row in made.matrix[1:]]
    # Constants go through the linear system as well: `shift` is what they add to the others, `base` what to u.
    half = FULL_ROUNDS // 2
    rounds = made.rounds[half : half + made.partial_rounds + 1]
    base, shift = [0], [0] * order
    for added in rounds[1:]:
        base.append((dot(into, shift) + added[0]) % R)
        shift = [(dot(row, shift) + more) % R for row, more in zip(inner, added[1:], strict=True)]
    seen = [list(into)]
    for _ in range(order):
        seen.append(_row_times(seen[-1], inner))
    answers = [dot(row, fed) % R for row in seen]
    powers = _characteristic(inner)
    taps = [
        (corner * power + answers[at] + sum(powers[one] * answers[at - one - 1] for one in range(at))) % R
        for at, power in enumerate(powers)
    ]
    first = tuple((corner, *answers[:at], *seen[at]) for at in range(order))
    at_end, at_end_added = _end(
        corner, inner=inner, fed=fed, seen=seen[:order], answers=answers, constant=(base[-order:], shift)
    )
    return Recurrence(
        first=first,
        first_added=tuple(base[1 : order + 1]),
        step=(corner, *taps, *(-power % R for power in powers)),
        added=tuple(
            (base[at + 1] + sum(powers[one] * base[at - one] for one in range(order))) % R
            for at in range(order, made.partial_rounds)
        ),
        last=at_end,
        last_added=at_end_added,
    )


def _end(
    corner: int,
    *,
    inner: list[list[int]],
    fed: list[int],
    seen: list[list[int]],
    answers: list[int],
    constant: tuple[list[int], list[int]],
) -> tuple[Matrix, Row]:
    """How the other elements follow from the last d values of u and of y: what u told about them, solved."""
    order, (base, shift) = len(inner), constant
    power, columns = _power(inner, order), [fed]
    for _ in range(order - 1):
        columns.append([dot(row, columns[-1]) % R for row in inner])
    told = [_row_times(row, _inverse(seen)) for row in power]
    rows = []
    for at, row in enumerate(told):
        # y number j fed the others directly, and by them each later u; both are known and taken off.
        of_y = [
            (
                columns[order - 1 - j][at]
                - sum(row[i] * answers[i - j - 1] for i in range(j + 1, order))
                - corner * row[j]
            )
            % R
            for j in range(order)
        ]
        rows.append((*reversed(row), *reversed(of_y)))
    added = tuple((more - dot(row, base)) % R for more, row in zip(shift, told, strict=True))
    return tuple(rows), added


def _power(inner: list[list[int]], exponent: int) -> list[list[int]]:
    """The matrix to a power of one or more."""
    power = inner
    for _ in range(exponent - 1):
        power = [_row_times(row, inner) for row in power]
    return power


def _row_times(row: Sequence[int], matrix: list[list[int]]) -> list[int]:
    return [dot(row, column) % R for column in zip(*matrix, strict=True)]


def _characteristic(matrix: list[list[int]]) -> list[int]:
    """p1 .. pd of x^d + p1 x^(d-1) + .. + pd, by Faddeev and LeVerrier."""
    order, found = len(matrix), list[int]()
    product = [list(row) for row in matrix]
    for degree in range(1, order + 1):
        power = -sum(product[at][at] for at in range(order)) * pow(degree, -1, R) % R
        found.append(power)
        for at in range(order):
            product[at][at] = (product[at][at] + power) % R
        product = [_row_times(row, product) for row in matrix]
    return found


def _inverse(matrix: list[list[int]]) -> list[list[int]]:
    """By Gauss and Jordan. The first element of u tells everything about the others, so an inverse exists."""
    order = len(matrix)
    rows = [[*row, *(int(at == one) for one in range(order))] for at, row in enumerate(matrix)]
    for at in range(order):
        found = next(one for one in range(at, order) if rows[one][at])
        rows[at], rows[found] = rows[found], rows[at]
        scale = pow(rows[at][at], -1, R)
        rows[at] = [value * scale % R for value in rows[at]]
        for one in range(order):
            if one != at and (factor := rows[one][at]):
                rows[one] = [(value - factor * lead) % R for value, lead in zip(rows[one], rows[at], strict=True)]
    return [row[order:] for row in rows]

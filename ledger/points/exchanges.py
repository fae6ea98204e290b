"""Which points of a member an exchange takes: the fewest that give as many of the other currency. Pure arithmetic.

Each (issuer, terms) is one leg, and a leg's points follow from its AU: points = ceil(AU · den / num). Where a point is
worth less than an AU not every number of points is such a ceiling; such a leg is rounded to the nearest one: down in
what is offered, up in what is taken, never above what is offered. The verb calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ledger.commands import PublishExchange, PublishTerms
from ledger.points.lots import by_terms, take, value_au
from ledger.slice import Lot


class Exchanged(NamedTuple):
    """`given` points of the other issuer for `parts` of lots; none where what is offered is too little."""

    given: int
    parts: list[tuple[Lot, int]]


def points_of(au: int, terms: PublishTerms) -> int:
    """Points of a leg that moves `au`: the ceiling."""
    return -(-au * terms.au_den // terms.au_num)


def rounded_down(points: int, terms: PublishTerms) -> int:
    """The most points, up to `points`, that a leg can have."""
    return points_of(value_au(points, terms), terms)


def rounded_up(points: int, terms: PublishTerms) -> int:
    """The fewest points, from `points` > 0 on, that a leg can have."""
    return points_of((points - 1) * terms.au_num // terms.au_den + 1, terms)


def choose(mine: list[Lot], terms: Mapping[int, PublishTerms], points: int, rate: PublishExchange) -> Exchanged:
    """What `points` of `mine`, lots in drawing order, give at `rate`, and which of them are taken for it."""
    offered = take(mine, points)
    most = {each: rounded_down(there, terms[each]) for each, there in by_terms(offered).items()}
    given = sum(most.values()) * rate.num // rate.den
    fewest = _limited(offered, most, -(-given * rate.den // rate.num))
    wanted = {each: rounded_up(needed, terms[each]) for each, needed in by_terms(fewest).items()}
    return Exchanged(given, _limited(offered, wanted, points) if given else [])


def _limited(offered: list[tuple[Lot, int]], most: Mapping[int, int], points: int) -> list[tuple[Lot, int]]:
    """Up to `points` of what is offered, in order, but of each set of terms no more than `most` says."""
    left, parts = dict(most), []
    for lot, there in offered:
        taken = min(there, left.get(lot.terms_id, 0), points)
        if taken:
            left[lot.terms_id] -= taken
            points -= taken
            parts.append((lot, taken))
    return parts

"""The same events in three ways in which books are often kept: a part's worth as a double, or rounded, or cut off, each
event on its own, with nothing that remembers what was rounded.

They are told the same amounts as the ledger and asked two things at the end. What of an order or a redemption that was
given back whole in parts is missing or too much, by their own account of the whole; and how far the worth of all
points, booked event by event, is from what the points that are left are worth. Called by `bench.drift.balances` and
`exact`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from ledger.commands import PublishTerms

Number = int | float
Part = Callable[[int, int], Number]


def as_double(num: int, den: int) -> float:
    """Kept as it comes out."""
    return num / den


def rounded(num: int, den: int) -> int:
    """To the nearest, halves up; for amounts from 0 on."""
    return (2 * num + den) // (2 * den)


def cut_off(num: int, den: int) -> int:
    """The floor."""
    return num // den


PARTS: Mapping[str, Part] = {"asDouble": as_double, "roundedEach": rounded, "cutOffEach": cut_off}


@dataclass(slots=True)
class Miss:
    """Things that were given back whole: how many, how many of them do not come out, and by how much together."""

    whole: int = 0
    missed: int = 0
    off: Number = 0

    def add(self, off: Number) -> None:
        """One more, that comes out if nothing is off."""
        self.whole += 1
        if off:
            self.missed += 1
            self.off += abs(off)

    def told(self) -> dict[str, Number]:
        """For the record."""
        return {"givenBackWhole": self.whole, "notExact": self.missed, "off": self.off}


@dataclass(slots=True)
class Naive:
    """Books in which a part is what `part` says."""

    part: Part
    orders: Miss = field(default_factory=Miss)
    points: Miss = field(default_factory=Miss)
    fees: Miss = field(default_factory=Miss)
    worth: dict[int, Number] = field(default_factory=lambda: defaultdict(int))

    def move(self, terms: PublishTerms, points: int) -> None:
        """Points under these terms came (+) or went (-)."""
        amount = self.part(abs(points) * terms.au_num, terms.au_den)
        self.worth[terms.terms_id] += amount if points > 0 else -amount

    def drift_au(self, terms: Mapping[int, PublishTerms], points: Mapping[int, int]) -> float:
        """AU, of all terms together, by which the worth booked is not that of the points that are there."""
        off = [
            abs(Fraction(self.worth[each]) - Fraction(points[each] * terms[each].au_num, terms[each].au_den))
            for each in terms
        ]
        return float(sum(off))

    def told(self, terms: Mapping[int, PublishTerms], points: Mapping[int, int]) -> dict[str, object]:
        """For the record."""
        return {
            "orders, points": self.orders.told(),
            "redemptions, points": self.points.told(),
            "redemptions, fees in AU": self.fees.told(),
            "worthOffAu": self.drift_au(terms, points),
        }

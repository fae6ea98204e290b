"""The dice of random play: what exists, most likely, and now and then what does not.

The dice are a `random.Random` or whatever has its methods, so that Hypothesis and a seeded run throw the same. What
exists is read from the oracle, never from the ledger: a fault in the ledger cannot hide the command that shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tests.oracle.oracle import Oracle
from tests.properties.worlds import MEMBERS, MERCHANTS

T = TypeVar("T")


@dataclass
class Dice:
    """Where they are thrown: who is there, and what time it is."""

    dice: Random
    oracle: Oracle
    at_ms: int = 0
    serial: int = 0

    def chance(self, percent: int) -> bool:
        return self.dice.randrange(100) < percent

    def one_of(self, things: list[T]) -> T:
        """Any; mostly one of the last."""
        return self.dice.choice(things[-12:] if self.chance(70) else things)

    def name(self) -> str:
        """A new one; sometimes an old one."""
        return f"n{self.serial if self.chance(97) else self.dice.randrange(self.serial + 1)}"

    def name_for(self, purpose: str, merchant: int, again: int = 4) -> str:
        """A new one; in so many of a hundred one that was used for the same before."""
        if not self.chance(again):
            return self.name()
        used = sorted(name for what, party, name in self.oracle.books.names if (what, party) == (purpose, merchant))
        return self.one_of(used) if used else self.name()

    def merchant(self) -> int:
        if self.chance(4):
            return self.dice.choice(list(self.oracle.books.merchants))
        return self.dice.choice(MERCHANTS) if self.chance(99) else 99

    def member(self) -> str:
        if self.chance(20):
            return self.one_of(list(self.oracle.books.members))
        return self.dice.choice(MEMBERS) if self.chance(99) else "nobody"

    def points(self) -> int:
        return self.dice.choice((1, 2, 7, 50, 333, self.dice.randrange(1, 3_000)))

    def holder(self) -> tuple[str, int]:
        """A member and an issuer of whom it most likely has points."""
        mine = [pair for pair, points in self.oracle.balances().items() if points > 0]
        return self.dice.choice(mine) if mine and self.chance(85) else (self.member(), self.merchant())

    def order(self) -> tuple[int, str]:
        orders = list(self.oracle.books.orders)
        return self.one_of(orders) if orders and self.chance(98) else (self.merchant(), "missing")

    def draw(self, *states: str) -> tuple[int, str]:
        """A redemption, most likely in one of the states."""
        anything = self.chance(8)
        draws = [name for name, draw in self.oracle.books.draws.items() if anything or draw.state in states]
        return self.one_of(draws) if draws and self.chance(98) else (self.merchant(), "missing")

    def part_of(self, name: tuple[int, str]) -> int | None:
        """Of its AU: all (None), or some of it, or too much."""
        draw = self.oracle.books.draws.get(name)
        au = draw.au() if draw else 1
        return self.dice.choice((None, max(1, au), max(1, au // 2), max(1, au // 3), au + 1))

    def newcomer(self) -> str:
        """Most likely not one of those who were there from the beginning."""
        newcomers = [name for name in self.oracle.books.members if name not in MEMBERS]
        return self.one_of(newcomers) if newcomers and self.chance(80) else self.member()

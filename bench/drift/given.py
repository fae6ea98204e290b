"""Orders and redemptions that parts can still be given back of, as the rule book prices them: integers alone.

What is left of either follows from what was not given back and from nothing else; so parts add up to the whole in
whatever order they come. Pure; called by `bench.drift.exact`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from bench.drift.naive import Number
from ledger.commands import PublishTerms

BPS = 10_000
BOOKS = 3
"""Naive ones, each with its own opinion."""


def points_of(au: int, terms: PublishTerms) -> int:
    """The fewest points that are worth `au`."""
    return -(-au * terms.au_den // terms.au_num)


def worth_of(points: int, terms: PublishTerms) -> int:
    """Whole AU."""
    return points * terms.au_num // terms.au_den


def share(au: int, bps: int) -> int:
    """Whole AU, what is less than one dropped."""
    return au * bps // BPS


def zeros() -> list[Number]:
    return [0] * BOOKS


@dataclass(slots=True, eq=False)
class Bought:
    """An order of which `left` minor units were not refunded; `taken` points and `fee` AU are what the ledger says by
    now, `naive` what the other books took.
    """

    issuer: int
    member: str
    name: str
    amount: int
    points: int
    terms: PublishTerms
    fee_bps: int
    left: int
    fee: int
    taken: int = 0
    parts: int = 0
    place: int = 0
    naive: list[Number] = field(default_factory=zeros)

    def standing(self, left: int) -> int:
        """Points that stand when so much is left."""
        return self.points * left // self.amount

    def fee_of(self, standing: int) -> int:
        """The issuance fee when so many points stand."""
        return share(worth_of(standing, self.terms), self.fee_bps)


class Priced(NamedTuple):
    """A leg, or what a part of it comes to."""

    issuer: int
    terms: PublishTerms
    au: int
    points: int
    fee: int

    def less(self, other: Priced) -> Priced:
        """The difference, which is what is given back."""
        return self._replace(au=self.au - other.au, points=self.points - other.points, fee=self.fee - other.fee)


@dataclass(slots=True, eq=False)
class Spent:
    """A redemption of which `left` AU were not given back; `restored` and `fee` are what the ledger says came back."""

    acceptor: int
    name: str
    fee_bps: int
    legs: Sequence[Priced]
    left: int
    restored: int = 0
    fee: int = 0
    parts: int = 0
    place: int = 0
    naive_points: list[Number] = field(default_factory=zeros)
    naive_fees: list[Number] = field(default_factory=zeros)

    def standing(self, left: int) -> Iterator[Priced]:
        """The legs as they are when `left` AU are left: as if no more had been redeemed in the first place."""
        for leg in self.legs:
            au = min(leg.au, left)
            left -= au
            yield leg if au == leg.au else self._priced(leg, au)

    def _priced(self, leg: Priced, au: int) -> Priced:
        fee = 0 if leg.issuer == self.acceptor else share(au, self.fee_bps)
        return Priced(leg.issuer, leg.terms, au, points_of(au, leg.terms), fee)


T = TypeVar("T", Bought, Spent)


class Window(Generic[T]):
    """Some of them, by name and in no order; when there is no room, one of them has to go."""

    def __init__(self, size: int) -> None:
        self.items: list[T] = []
        self.by_name: dict[str, T] = {}
        self._size = size
        self._turn = 0

    def add(self, item: T) -> None:
        if len(self.items) >= self._size:
            self._turn = (self._turn + 1) % self._size
            self.remove(self.items[self._turn])
        item.place = len(self.items)
        self.items.append(item)
        self.by_name[item.name] = item

    def remove(self, item: T) -> None:
        """It was given back whole, or is forgotten."""
        last = self.items.pop()
        if last is not item:
            self.items[item.place], last.place = last, item.place
        del self.by_name[item.name]

"""Lots: which are drawn first, what they offer, what they give. Pure arithmetic over the slice's lots; verbs call it.

Invariants: lots are drawn in the order (expires_at, confirmed_at, id), an expiry being exclusive; a group, the lots of
one issuer and terms in one redemption, gives points = ceil(au · den / num) and so never more than a point of dust.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ledger.commands import PublishTerms
from ledger.slice import Lot

UNCONFIRMED = 2**63


def draw_order(lot: Lot) -> tuple[int, int, tuple[int, int]]:
    """The sort key of the order in which lots are drawn."""
    expires = UNCONFIRMED if lot.expires_at_ms is None else lot.expires_at_ms
    confirmed = UNCONFIRMED if lot.confirmed_at_ms is None else lot.confirmed_at_ms
    return (expires, confirmed, lot.id)


def is_open(lot: Lot) -> bool:
    """Confirmed, with something left. Whether its time is over is not asked here."""
    return lot.remaining > 0 and lot.confirmed_at_ms is not None


def is_over(lot: Lot, at_ms: int) -> bool:
    """Open, and its time is over at `at_ms`."""
    return is_open(lot) and lot.expires_at_ms is not None and lot.expires_at_ms <= at_ms


def spendable(lots: Iterable[Lot], at_ms: int) -> list[Lot]:
    """What can be redeemed at `at_ms`, in drawing order."""
    return sorted(
        (lot for lot in lots if is_open(lot) and lot.expires_at_ms is not None and at_ms < lot.expires_at_ms),
        key=draw_order,
    )


class Draw:
    """What a redemption takes of one issuer's points under one set of terms: one leg.

    The group as a whole offers floor(points · num / den) AU, so that what is left of one lot adds up with the next;
    its points for `au` are the ceiling, given lot by lot, so that only the last lot drawn keeps anything.
    """

    __slots__ = ("_offers", "_seen", "au", "terms")

    def __init__(self, terms: PublishTerms) -> None:
        self.terms = terms
        self.au = 0
        self._seen = 0
        self._offers: list[tuple[Lot, int]] = []

    def add(self, lot: Lot, au_asked: int) -> int:
        """Let `lot` contribute up to `au_asked`; answers the AU it adds."""
        self._seen += lot.remaining
        more = min(au_asked, self._seen * self.terms.au_num // self.terms.au_den - self.au)
        self.au += more
        self._offers.append((lot, more))
        return more

    @property
    def points(self) -> int:
        """Points for the AU so far."""
        return -(-self.au * self.terms.au_den // self.terms.au_num)

    @property
    def dust(self) -> int:
        """What the points are worth above the AU, in 1/au_den AU; the issuer's."""
        return self.points * self.terms.au_num - self.au * self.terms.au_den

    def parts(self) -> list[tuple[Lot, int, int]]:
        """(lot, points, AU) of each lot that gives."""
        left, parts = self.points, []
        for lot, au in self._offers:
            given = min(lot.remaining, left)
            left -= given
            if given:
                parts.append((lot, given, au))
        return parts


def draw(
    lots: Iterable[Lot], terms: Mapping[int, PublishTerms], *, au: int, at_ms: int, skipped: Collection[int] = ()
) -> list[Draw]:
    """Up to `au` from `lots`, leaving out the issuers in `skipped`: one Draw per (issuer, terms), in lot order."""
    draws: dict[int, Draw] = {}
    for lot in spendable(lots, at_ms):
        if not au:
            break
        if lot.issuer in skipped:
            continue
        group = draws.setdefault(lot.terms_id, Draw(terms[lot.terms_id]))
        au -= group.add(lot, au)
    return [group for group in draws.values() if group.au]


def take(lots: Iterable[Lot], points: int) -> list[tuple[Lot, int]]:
    """(lot, points) for up to `points`, from `lots` in the order given."""
    parts = []
    for lot in lots:
        given = min(lot.remaining, points)
        points -= given
        if given:
            parts.append((lot, given))
    return parts


def split(parts: Iterable[tuple[Lot, int]], points: int) -> tuple[list[tuple[Lot, int]], list[tuple[Lot, int]]]:
    """The first `points` of what was taken, and the rest."""
    first, rest = [], []
    for lot, given in parts:
        now = min(given, points)
        points -= now
        if now:
            first.append((lot, now))
        if given > now:
            rest.append((lot, given - now))
    return first, rest


def by_terms(parts: Iterable[tuple[Lot, int]]) -> dict[int, int]:
    """Points of each set of terms, in the order in which the first of each is drawn."""
    points: dict[int, int] = {}
    for lot, given in parts:
        points[lot.terms_id] = points.get(lot.terms_id, 0) + given
    return points


def value_au(points: int, terms: PublishTerms) -> int:
    """AU that `points` are worth, floored."""
    return points * terms.au_num // terms.au_den

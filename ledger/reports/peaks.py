"""Positions entry by entry over a range of the journal: how deep each party was in debt, and what changed hands. Pure.

A position is cash + fees − settled in AU. Gross interchange is the AU that acceptors took of other issuers' points,
less what was cancelled; points on us and fees are no part of it. `ledger.reports.tally` and `positions` use it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ledger.accounts import CHAIN, Family
from ledger.answers import JournalPosting, Receipt
from proofs.kinds import Kind

_ACCEPTING = {Kind.REDEEM: 1, Kind.EXCHANGE_OUT: 1, Kind.REFUND_REDEEM: -1}


def clearing(postings: Iterable[JournalPosting]) -> Counter[int]:
    """By party, what postings change of its position, zeros included."""
    changed = Counter[int]()
    for (family, _, party), _, _, amount, _ in postings:
        if family in {Family.CASH, Family.FEES}:
            changed[party] += amount
        elif family == Family.SETTLED and party != CHAIN:
            changed[party] -= amount
    return changed


class Peaks:
    """`position` now, `lowest` after any entry (the one before the first included), `gross_interchange` so far."""

    def __init__(self, opening: Mapping[int, int]) -> None:
        self.position: Counter[int] = Counter(opening)
        self.lowest = dict(opening)
        self.gross_interchange = 0

    def add(self, receipt: Receipt) -> Counter[int]:
        """Take the next entry in; answers what it changed of each party's position."""
        changed = clearing(receipt.postings)
        for party, amount in changed.items():
            self.position[party] += amount
            self.lowest[party] = min(self.lowest.get(party, 0), self.position[party])
        for leg in receipt.legs:
            if leg.signer != leg.issuer:
                self.gross_interchange += _ACCEPTING.get(Kind(leg.kind), 0) * leg.au
        return changed

    def peak_debit(self) -> dict[int, int]:
        """By party, the lowest position where it was below zero, else 0."""
        return {party: min(0, lowest) for party, lowest in sorted(self.lowest.items())}

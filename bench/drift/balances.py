"""Exact balances: what every account must hold after the legs that were seen, remainders in 1/den AU among them.

Invariants: integers alone; a leg's figures were held against the rule before it is told here. Nothing is taken from the
ledger's postings but to see that they continue their accounts and sum to zero. Called by `bench.drift.exact`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction

from bench.drift.naive import PARTS, Naive
from ledger.accounts import (
    AccountName,
    Family,
    cash,
    fees,
    member,
    outstanding,
    rounded,
    rounding,
    settled,
)
from ledger.answers import Leg, Receipt
from ledger.commands import PublishTerms
from ledger.slice import Slice
from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.kinds import ADDS, ON_ISSUANCE, Kind

TO_SIGNER = frozenset(
    {Kind.REDEEM, Kind.EXCHANGE_OUT, Kind.REFUND_EARN, Kind.EXPIRE, Kind.ADJUST_DOWN, Kind.TRANSFER_IN}
)
"""Legs whose AU go to whoever signs them; of the others whoever signs pays."""
UNTOUCHED = (0, 0)


class Drifted(AssertionError):
    """The ledger says something else than what is exact."""


def same(what: str, said: object, exact: object) -> None:
    """Raises `Drifted` naming both."""
    if said != exact:
        raise Drifted(f"{what}: {said} in the ledger, exactly {exact}")


class Balances:
    """By party, by (issuer, member), by terms. `last` is what postings said: the n-th of its account, and the balance.
    `freed` is what stood behind points that repaid a debt, in 1/den AU.
    """

    def __init__(self) -> None:
        self.terms: dict[int, PublishTerms] = {}
        self.terms_of: dict[int, list[PublishTerms]] = defaultdict(list)
        self.last: dict[AccountName, tuple[int, int]] = {}
        self.cash: Counter[int] = Counter()
        self.fees: Counter[int] = Counter()
        self.settled: Counter[int] = Counter()
        self.members: Counter[tuple[int, str | None]] = Counter()
        self.points: Counter[int] = Counter()
        self.in_lots: Counter[int] = Counter()
        self.reserved: Counter[int] = Counter()
        self.dust: Counter[int] = Counter()
        self.freed: Counter[int] = Counter()
        self.naive = [Naive(part) for part in PARTS.values()]
        self.postings = 0

    def see_postings(self, receipt: Receipt) -> None:
        """Each continues its account; each unit's sum to zero."""
        units: dict[int, int] = {}
        for account, n, _, amount, balance in receipt.postings:
            before = self.last.get(account, UNTOUCHED)
            if (n, balance) != (before[0] + 1, before[1] + amount):
                raise Drifted(f"{account.label()}: {balance} at {n} after {before} and {amount}")
            self.last[account] = n, balance
            units[account.unit] = units.get(account.unit, 0) + amount
        self.postings += len(receipt.postings)
        if any(units.values()):
            raise Drifted(f"entry {receipt.seq} does not sum to zero: {units}")

    def see_leg(self, leg: Leg) -> None:
        """What it moves: points of the member, the fee to the operator, AU between who signs and the other side."""
        kind, terms = Kind(leg.kind), self.terms.get(leg.terms_id)
        backed = terms is not None and terms.mode == ON_ISSUANCE
        if terms is not None and leg.points:
            points = leg.points if kind in ADDS else -leg.points
            self.members[leg.issuer, leg.member] += points
            self.points[terms.terms_id] += points
            for books in self.naive:
                books.move(terms, points)
        if leg.fee_au:
            self.fees[leg.signer] -= leg.fee_au
            self.fees[OPERATOR_ID] += leg.fee_au
        au = leg.au if kind in TO_SIGNER else -leg.au
        self.cash[leg.signer] += au
        self.cash[RESERVE_ID if backed else leg.issuer] -= au
        if backed:
            self.reserved[leg.terms_id] -= au
        if kind is Kind.FEE:
            self.fees[leg.signer] += leg.au
            self.fees[leg.issuer] -= leg.au

    def leave_dust(self, terms: PublishTerms, points: int, au: int) -> None:
        """Behind points that were paid for there is the reserve, whose dust is what it holds above their worth."""
        if terms.mode != ON_ISSUANCE:
            self.dust[terms.terms_id] += points * terms.au_num - au * terms.au_den

    def free(self, terms: PublishTerms, points: int) -> None:
        """Points of a redemption came back and repaid a debt: they are in no lot, and need nothing behind them."""
        if terms.mode == ON_ISSUANCE:
            self.freed[terms.terms_id] += points * terms.au_num

    def agree(self, state: Slice) -> None:
        """Every account of the slice holds what is exact, lots hold what members have, positions sum to zero."""
        self._follow_reserve()
        for account in {*state.accounts, *self._named(state)}:
            same(account.label(), state.accounts[account][1], self._exactly(account, state))
        same("positions together", sum(self.cash.values()) + sum(self.fees.values()), 0)
        left: Counter[tuple[int, str | None]] = Counter()
        of_terms: Counter[int] = Counter()
        for lot in state.lots.values():
            if lot.remaining:
                left[lot.issuer, lot.member] += lot.remaining
                of_terms[lot.terms_id] += lot.remaining
        same("points in lots", left, +self.members)
        same("points in lots by terms", of_terms, +self.in_lots)

    def _follow_reserve(self) -> None:
        """Dust of points that were paid for is what the reserve holds above what those in lots are worth."""
        for terms in self.terms.values():
            if terms.mode == ON_ISSUANCE:
                held = self.reserved[terms.terms_id] * terms.au_den
                self.dust[terms.terms_id] = held - self.in_lots[terms.terms_id] * terms.au_num

    def _named(self, state: Slice) -> Iterator[AccountName]:
        """Every account that the legs speak of, whether the ledger has posted to it or not."""
        for no, terms in self.terms.items():
            yield from (rounding(terms.issuer_id, no), rounded(terms.issuer_id, no), outstanding(terms.issuer_id))
        for families in ((self.cash, cash), (self.fees, fees), (self.settled, settled)):
            yield from map(families[1], families[0])
        for issuer, name in self.members:
            yield member(issuer, state.members[name or ""] or 0)

    def _exactly(self, account: AccountName, state: Slice) -> int:
        match Family(account.family):
            case Family.CASH:
                return self.cash[account.party]
            case Family.FEES:
                return self.fees[account.party]
            case Family.SETTLED:
                return self.settled[account.party]
            case Family.OUTSTANDING:
                return -sum(self.points[each.terms_id] for each in self.terms_of[account.party])
            case Family.MEMBER:
                return self.members[account.unit, state.people[account.party].name]
            case Family.ROUNDING:
                return self.dust[-account.unit]
            case Family.ROUNDED:
                return -self.dust[-account.unit]
            case _:
                return 0

    def rounding_off(self, state: Slice) -> float:
        """AU by which the accounts of remainders miss what is exact."""
        off = [
            Fraction(abs(state.accounts[rounding(each.issuer_id, no)][1] - self.dust[no]), each.au_den)
            for no, each in self.terms.items()
        ]
        return float(sum(off))

    def remainders_au(self) -> dict[str, float]:
        """What is kept of what was rounded: issuers' dust where they pay on redemption; what the reserve has above what
        it stands for, all of it in the issuers' names, and what of that points left there which repaid debts.
        """
        kept = {no: Fraction(self.dust[no], each.au_den) for no, each in self.terms.items()}
        backed = [no for no, each in self.terms.items() if each.mode == ON_ISSUANCE]
        return {
            "issuersDust": float(sum(kept[no] for no in kept if no not in backed)),
            "reserveAboveWorth": float(sum(kept[no] for no in backed)),
            "leftThereByDebtsRepaid": float(sum(Fraction(self.freed[no], self.terms[no].au_den) for no in backed)),
        }

"""What a member has passes to another account of the same person, and back: the plan of a merge and its postings. Pure;
merge and unmerge call it.

Lots keep what they are and change their owner, with TRANSFER legs in public; pending lots change it without, for they
are not public. A debt of the one is paid by what the other has: an ADJUST_UP leg for who owes, an ADJUST_DOWN leg for
who pays, out of its lots and else as its debt. As everywhere, everything is posted before any row changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledger import accounts
from ledger.answers import LegRef
from ledger.commands import PublishTerms
from ledger.entry import Entry
from ledger.points import wallet
from ledger.points.lots import draw_order, is_open, take
from ledger.records import KeptLot, PaidDebt
from ledger.slice import Lot, Member, Slice
from proofs.kinds import Kind

Parts = list[tuple[Lot, int]]
"""(lot, points) out of it or into it."""


class Debt(NamedTuple):
    """`points` that `debtor` owes the issuer and `payer` pays, `parts` of them out of lots."""

    issuer: int
    points: int
    debtor: Member
    payer: Member
    parts: Parts


class Handover(NamedTuple):
    """What passes from one account to the other: debts first, then what is left of the lots, then pending ones."""

    debts: list[Debt]
    lots: Parts
    pending: list[Lot]


def plan(state: Slice, member: Member, into: Member) -> Handover:
    """Everything `member` has and owes, for `into`."""
    debts = [debt for issuer in sorted(state.registry.merchants) if (debt := _debt(state, issuer, member, into))]
    given = {lot.id: points for debt in debts for lot, points in debt.parts}
    mine = sorted(state.lots_of[member.no], key=draw_order)
    lots = [(lot, lot.remaining - given.get(lot.id, 0)) for lot in mine if is_open(lot)]
    return Handover(debts, lots, [lot for lot in mine if lot.remaining and not is_open(lot)])


def open_lots(state: Slice, member: Member, issuer: int) -> list[Lot]:
    """All that the member has of this issuer's confirmed points, expired or not, in drawing order."""
    return sorted((lot for lot in state.lots_of[member.no] if lot.issuer == issuer and is_open(lot)), key=draw_order)


def _debt(state: Slice, issuer: int, member: Member, into: Member) -> Debt | None:
    """Whose debt to the issuer the other one pays; if both owe, all of it is `into`'s afterwards."""
    owed = wallet.owed(state, issuer, member.no)
    if owed:
        return Debt(issuer, owed, member, into, take(open_lots(state, into, issuer), owed))
    parts = take(open_lots(state, member, issuer), wallet.owed(state, issuer, into.no))
    return Debt(issuer, sum(points for _, points in parts), into, member, parts) if parts else None


def post_debt(entry: Entry, debt: Debt) -> None:
    """The payer's legs and the debtor's, under the same terms."""
    for share in _shares(entry.slice, debt.issuer, debt.points, debt.parts):
        _take(entry, debt.payer, share)
        _give(entry, debt.debtor, share)


def post_debt_again(entry: Entry, debt: Debt, taken: Parts) -> None:
    """The debtor owes again, `taken` out of lots that it has had since; the payer's debt is gone first, then its lots
    have their points again.
    """
    for share in _shares(entry.slice, debt.issuer, debt.points, taken):
        _take(entry, debt.debtor, share)
    for share in reversed(_shares(entry.slice, debt.issuer, debt.points, debt.parts)):
        _give(entry, debt.payer, share)


class _Share(NamedTuple):
    """Points under one set of terms, `from_lots` of them out of lots."""

    terms: PublishTerms
    points: int
    from_lots: int


def _shares(state: Slice, issuer: int, points: int, parts: Parts) -> list[_Share]:
    """What lots give under each terms, then the rest under the issuer's newest."""
    given: dict[int, int] = {}
    for lot, each in parts:
        given[lot.terms_id] = given.get(lot.terms_id, 0) + each
    found = [_Share(state.registry.terms[terms_id], each, each) for terms_id, each in given.items()]
    rest = points - sum(given.values())
    return [*found, _Share(state.registry.terms_of[issuer][-1], rest, 0)] if rest else found


def _take(entry: Entry, member: Member, share: _Share) -> None:
    terms, points, from_lots = share
    wallet.debit(entry, Kind.ADJUST_DOWN, member=member, terms=terms, points=points, from_lots=from_lots)


def _give(entry: Entry, member: Member, share: _Share) -> None:
    wallet.credit(entry, Kind.ADJUST_UP, member=member, terms=share.terms, points=share.points)


def post_lots(entry: Entry, lots: Parts, giver: Member, taker: Member) -> None:
    """Two legs for each set of terms. What stands behind the points does not move."""
    by_terms: dict[int, int] = {}
    for lot, points in lots:
        by_terms[lot.terms_id] = by_terms.get(lot.terms_id, 0) + points
    for terms_id, points in by_terms.items():
        if points:
            terms = entry.slice.registry.terms[terms_id]
            out = _leg(entry, Kind.TRANSFER_OUT, giver, terms, points=points)
            arrived = _leg(entry, Kind.TRANSFER_IN, taker, terms, points=points, ref=LegRef(entry.seq, out))
            issuer = terms.issuer_id
            mine, theirs = (accounts.member(issuer, each.no) for each in (giver, taker))
            entry.move(points, debit=accounts.outstanding(issuer), credit=mine, leg=out)
            entry.move(points, debit=theirs, credit=accounts.outstanding(issuer), leg=arrived)


def _leg(
    entry: Entry, kind: Kind, member: Member, terms: PublishTerms, *, points: int, ref: LegRef | None = None
) -> int:
    issuer = terms.issuer_id
    return entry.leg(
        kind, signer=issuer, issuer=issuer, member=member.name, points=points, terms_id=terms.terms_id, ref=ref
    )


def post_pending(entry: Entry, lots: Iterable[Lot], giver: Member, taker: Member) -> None:
    """Pending points change their account; the issuer's side does not move."""
    points: dict[int, int] = {}
    for lot in lots:
        points[lot.issuer] = points.get(lot.issuer, 0) + lot.remaining
    for issuer, each in points.items():
        entry.move(each, debit=accounts.pending(issuer, taker.no), credit=accounts.pending(issuer, giver.no))


def change_lots(entry: Entry, parts: Parts, sign: int) -> None:
    """Take `parts` out of their lots (-1), or put them back (+1)."""
    for lot, points in parts:
        lot.remaining += sign * points
        entry.change_lot(lot, points=sign * points)


def kept(lots: Iterable[Lot]) -> tuple[KeptLot, ...]:
    """Lots as they are, for the record."""
    return tuple(KeptLot(lot.id, lot.remaining) for lot in lots)


def paid(debts: Sequence[Debt]) -> tuple[PaidDebt, ...]:
    """Debts for the record."""
    return tuple(
        PaidDebt(each.issuer, each.points, each.debtor.no, tuple(KeptLot(lot.id, points) for lot, points in each.parts))
        for each in debts
    )

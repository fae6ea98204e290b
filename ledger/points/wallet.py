"""Points into a member's account and out of it: the leg, both sides' postings, the debt, the reserve. Verbs call it.

A member owes an issuer what its account lacks to what open authorisations hold of it; while it owes, no lot of that
issuer holds anything, so that Σ remaining = max(0, balance − held) and debt = max(0, held − balance), always. Whatever
comes in repays the debt first; only the rest becomes a lot, and only for the rest an issuer pays on issuance.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger import accounts
from ledger.answers import LegRef, LotId
from ledger.commands import PublishTerms
from ledger.entry import NO_REWARD, Entry, Reward
from ledger.points import reserve
from ledger.slice import Lot, Member, Role, Slice
from proofs.kinds import Kind


class Credit(NamedTuple):
    """The number of the leg, and how many of its points repaid a debt."""

    leg: int
    repaid: int


def owed(state: Slice, issuer: int, member_no: int) -> int:
    """Points that the member owes the issuer."""
    held = state.accounts[accounts.held(issuer, member_no)][1]
    return max(0, held - state.accounts[accounts.member(issuer, member_no)][1])


def shown(state: Slice, issuer: int, member_no: int, change: int) -> int:
    """By how many points `change` moves what the member has in public, where owing counts as having none. The public
    balance contains what is held, and it is all that a leaf shows: the reserve is paid by it.
    """
    before = state.accounts[accounts.member(issuer, member_no)][1]
    return abs(max(0, before + change) - max(0, before))


def kept_and_shown(state: Slice, issuer: int, member_no: int, points: int) -> tuple[int, int]:
    """Of `points` that come in: those that become a lot, and those that lift the public balance above zero."""
    kept = points - min(points, owed(state, issuer, member_no))
    return kept, shown(state, issuer, member_no, points)


def credit(
    entry: Entry,
    kind: Kind,
    *,
    member: Member,
    terms: PublishTerms,
    points: int,
    ref: LegRef | None = None,
    fee_au: int = 0,
    reward: Reward = NO_REWARD,
) -> Credit:
    """`points` > 0 from their issuer, who signs, to `member`."""
    issuer = terms.issuer_id
    kept, lifted = kept_and_shown(entry.slice, issuer, member.no, points)
    au = reserve.price_in(entry.slice, terms, lifted)
    leg = entry.leg(
        kind,
        signer=issuer,
        issuer=issuer,
        member=member.name,
        points=points,
        terms_id=terms.terms_id,
        au=au,
        ref=ref,
        fee_au=fee_au,
        reward=reward,
    )
    entry.move(points, debit=accounts.member(issuer, member.no), credit=accounts.outstanding(issuer), leg=leg)
    if reserve.is_backed(terms):
        reserve.pay_in(entry, terms, points=kept, au=au, payer=issuer, leg=leg)
    return Credit(leg, points - kept)


def debit(
    entry: Entry,
    kind: Kind,
    *,
    member: Member,
    terms: PublishTerms,
    points: int,
    from_lots: int,
    ref: LegRef | None = None,
    fee_au: int = 0,
) -> int:
    """`points` > 0 from `member` back to their issuer, who signs; `from_lots` of them left lots of these terms, the
    rest becomes debt. Answers the number of the leg.
    """
    issuer = terms.issuer_id
    au = reserve.price_out(entry.slice, terms, shown(entry.slice, issuer, member.no, -points))
    leg = entry.leg(
        kind,
        signer=issuer,
        issuer=issuer,
        member=member.name,
        points=points,
        terms_id=terms.terms_id,
        au=au,
        ref=ref,
        fee_au=fee_au,
    )
    entry.move(points, debit=accounts.outstanding(issuer), credit=accounts.member(issuer, member.no), leg=leg)
    if reserve.is_backed(terms):
        reserve.pay_out(entry, terms, points=from_lots, au=au, payee=issuer, leg=leg)
    return leg


def take_back(
    entry: Entry,
    kind: Kind,
    *,
    member: Member,
    terms: PublishTerms,
    taken: int,
    parts: list[tuple[Lot, int]],
    ref: LegRef | None = None,
    fee_au: int = 0,
) -> None:
    """`taken` points back to their issuer, `parts` of them out of lots: a leg for each set of terms that lots give
    under, the fee with the first. What becomes debt goes under `terms`, last: what the reserve gives back for a leg
    follows from the balance, so lots have to go before it falls below zero.
    """
    given = {terms.terms_id: 0}
    for lot, points in parts:
        given[lot.terms_id] = given.get(lot.terms_id, 0) + points
    debt = taken - sum(given.values())
    if debt:
        given[terms.terms_id] = given.pop(terms.terms_id)
    for terms_id, from_lots in given.items():
        points = from_lots + (debt if terms_id == terms.terms_id else 0)
        if points:
            rate = entry.slice.registry.terms[terms_id]
            debit(entry, kind, member=member, terms=rate, points=points, from_lots=from_lots, ref=ref, fee_au=fee_au)
            fee_au = 0


def depart(entry: Entry, kind: Kind, *, member: Member, terms: PublishTerms, points: int) -> int:
    """`points` > 0 of `terms` leave `member` for another member; the reserve stays behind them. Answers the leg."""
    issuer = terms.issuer_id
    leg = entry.leg(kind, signer=issuer, issuer=issuer, member=member.name, points=points, terms_id=terms.terms_id)
    entry.move(points, debit=accounts.outstanding(issuer), credit=accounts.member(issuer, member.no), leg=leg)
    return leg


def arrive(entry: Entry, kind: Kind, *, member: Member, terms: PublishTerms, points: int, ref: LegRef) -> Credit:
    """The points of the leg `ref` come to `member`. What repays a debt is no lot any more: what the reserve held behind
    it returns to the issuer.
    """
    issuer = terms.issuer_id
    repaid = min(points, owed(entry.slice, issuer, member.no))
    au = reserve.price_out(entry.slice, terms, points - shown(entry.slice, issuer, member.no, points))
    leg = entry.leg(
        kind,
        signer=issuer,
        issuer=issuer,
        member=member.name,
        points=points,
        terms_id=terms.terms_id,
        au=au,
        ref=ref,
    )
    entry.move(points, debit=accounts.member(issuer, member.no), credit=accounts.outstanding(issuer), leg=leg)
    if reserve.is_backed(terms):
        reserve.pay_out(entry, terms, points=repaid, au=au, payee=issuer, leg=leg)
    return Credit(leg, repaid)


def gain(
    entry: Entry,
    kind: Kind,
    *,
    role: Role,
    member: Member,
    terms: PublishTerms,
    points: int,
    expires_at_ms: int,
    ref: LegRef | None = None,
) -> int:
    """`points` > 0 to `member` that no order earned: the entry's last posting and its first lot, if a debt leaves
    anything. Answers what repaid a debt.
    """
    leg, repaid = credit(entry, kind, member=member, terms=terms, points=points, ref=ref)
    kept = points - repaid
    if kept:
        lot = Lot(
            id=LotId(entry.seq, 1),
            issuer=terms.issuer_id,
            member_no=member.no,
            member=member.name,
            terms_id=terms.terms_id,
            role=role.value,
            points=kept,
            standing=kept,
            remaining=kept,
            confirmed_at_ms=entry.at_ms,
            expires_at_ms=expires_at_ms,
            earned_by=LegRef(entry.seq, leg),
        )
        entry.add_lot(lot, points=kept)
    return repaid


def draw_down(entry: Entry, parts: list[tuple[Lot, int]]) -> None:
    """Take `parts` out of their lots; called when everything is posted."""
    for lot, points in parts:
        lot.remaining -= points
        entry.change_lot(lot, points=-points)

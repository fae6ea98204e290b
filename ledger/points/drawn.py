"""The legs of a redemption after they were chosen: divided, held, captured, given back, let go. Verbs call it.

Who owes pays the acceptor the AU applied, the acceptor owes the operator floor(AU · bps / 10000), and the dust below a
point stays with the issuer. On us, issuer and acceptor being one, nothing changes hands and no fee accrues, but an
issuer that paid on issuance gets its reserve back. Held points are still the member's in public, and their backing is
still the reserve's. Whatever comes back to a member repays its debt to that issuer first. Postings come first here,
lots are changed by `restore` when everything is posted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from ledger import accounts
from ledger.answers import LegRef, LotId
from ledger.commands import PublishTerms
from ledger.entry import Entry
from ledger.points import reserve, wallet
from ledger.records import Drawn, DrawnLot, Redemption
from ledger.slice import Lot, Member, Role, Slice
from ledger.units import BPS
from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.kinds import Kind


class Deal(NamedTuple):
    """Who accepts points from whom, and the acceptor's fee when the redemption was made."""

    acceptor: int
    member: Member
    fee_bps: int


class Returned(NamedTuple):
    """A leg whose points left their hold or came back; `repaid` of them repaid a debt and reach no lot."""

    drawn: Drawn
    repaid: int


def of(state: Slice, acceptor: int, record: Redemption) -> Deal:
    """The deal of a redemption. The member is whoever owns its lots today, should the member have been merged."""
    owners = [state.lots[lot.lot].member_no for each in record.draws for lot in each.lots]
    return Deal(acceptor, state.person(owners[0] if owners else record.member_no), record.fee_bps)


def price(deal: Deal, issuer: int, au: int) -> int:
    """floor(AU · bps / 10000) of a leg; none on us."""
    return 0 if issuer == deal.acceptor else au * deal.fee_bps // BPS


def total(draws: Iterable[Drawn]) -> int:
    """AU that the legs apply together."""
    return sum(each.au for each in draws)


def loss(state: Slice, deal: Deal, draws: Iterable[Drawn]) -> int:
    """AU by which giving these back lowers the acceptor's position: what it was paid less the fees."""
    return sum(_paid(state, deal, each) - each.fee_au for each in draws)


def divide(
    draws: Iterable[Drawn], terms: Mapping[int, PublishTerms], deal: Deal, *, au: int
) -> tuple[list[Drawn], list[Drawn]]:
    """(first, rest): the first `au` in drawing order, leg by leg and lot by lot, and what is left of the legs.

    The first part of a leg is priced as if it had been all: ceil(AU · den / num) points, floor of the fee; the rest is
    the difference, which may be less than a point.
    """
    first, rest = [], []
    for each in draws:
        part = min(each.au, au)
        au -= part
        if part == each.au:
            first.append(each)
        elif not part:
            rest.append(each)
        else:
            kept = _first_of(each, terms[each.terms_id], deal, part)
            first.append(kept)
            rest.append(_less(each, kept))
    return first, rest


def _first_of(drawn: Drawn, terms: PublishTerms, deal: Deal, au: int) -> Drawn:
    points = left = -(-au * terms.au_den // terms.au_num)
    au_left, lots = au, []
    for lot in drawn.lots:
        given, applied = min(lot.points, left), min(lot.au, au_left)
        left, au_left = left - given, au_left - applied
        if given:
            lots.append(DrawnLot(lot.lot, given, applied))
    return replace(drawn, points=points, au=au, fee_au=price(deal, drawn.issuer, au), lots=tuple(lots))


def _less(drawn: Drawn, first: Drawn) -> Drawn:
    """What `first` leaves of `drawn`; of a lot that gave all its points to `first` only AU may be left."""
    kept = {lot.lot: lot for lot in first.lots}
    parts = [_difference(lot, kept.get(lot.lot)) for lot in drawn.lots]
    return replace(
        drawn,
        points=drawn.points - first.points,
        au=drawn.au - first.au,
        fee_au=drawn.fee_au - first.fee_au,
        lots=tuple(part for part in parts if part.points or part.au),
    )


def _difference(lot: DrawnLot, kept: DrawnLot | None) -> DrawnLot:
    return lot if kept is None else DrawnLot(lot.lot, lot.points - kept.points, lot.au - kept.au)


def hold(entry: Entry, deal: Deal, drawn: Drawn) -> None:
    """The leg's points are held for the member, and its AU promised where the issuer would owe it."""
    held = accounts.held(drawn.issuer, deal.member.no)
    entry.move(drawn.points, debit=held, credit=accounts.holds(drawn.issuer))
    if _owes(entry.slice, deal, drawn):
        promised = accounts.promised(drawn.issuer)
        entry.move(drawn.au, debit=accounts.promised(accounts.ALLIANCE), credit=promised)


def unhold(entry: Entry, deal: Deal, drawn: Drawn) -> None:
    """The other way round."""
    if drawn.points:
        held = accounts.held(drawn.issuer, deal.member.no)
        entry.move(drawn.points, debit=accounts.holds(drawn.issuer), credit=held)
    if _owes(entry.slice, deal, drawn):
        promised = accounts.promised(drawn.issuer)
        entry.move(drawn.au, debit=promised, credit=accounts.promised(accounts.ALLIANCE))


def let_go(entry: Entry, deal: Deal, drawn: Drawn) -> Returned:
    """A held leg ends without a capture. What repays a debt leaves its backing to the issuer, as dust."""
    repaid = min(drawn.points, wallet.owed(entry.slice, drawn.issuer, deal.member.no))
    unhold(entry, deal, drawn)
    _leave_to_issuer(entry, _terms(entry.slice, drawn), repaid)
    return Returned(drawn, repaid)


def capture(entry: Entry, deal: Deal, drawn: Drawn) -> Drawn:
    """The postings of one captured leg, no longer held; answers it with the leg's number.

    Whoever holds a promise is paid, even if the points behind it were taken back meanwhile. Only corrections and
    claw-backs may leave a member below zero in public, so what is missing is lent before the leg and taken back after.
    """
    terms, issuer, points = _terms(entry.slice, drawn), drawn.issuer, drawn.points
    missing = max(0, points - entry.slice.accounts[accounts.member(issuer, deal.member.no)][1])
    if missing:
        _lend(entry, deal, terms, missing)
    leg = _leg(entry, Kind.REDEEM, deal, drawn, fee_au=drawn.fee_au)
    entry.move(points, debit=accounts.outstanding(issuer), credit=accounts.member(issuer, deal.member.no), leg=leg)
    if au := _paid(entry.slice, deal, drawn):
        entry.move(au, debit=accounts.cash(deal.acceptor), credit=accounts.cash(_payer(terms)), leg=leg)
    if drawn.fee_au:
        entry.move(drawn.fee_au, debit=accounts.fees(OPERATOR_ID), credit=accounts.fees(deal.acceptor))
    reserve.move_dust(entry, terms, _dust(terms, drawn))
    if missing:
        _take_back(entry, deal, terms, missing)
    return replace(drawn, leg=LegRef(entry.seq, leg))


def give_back(entry: Entry, deal: Deal, drawn: Drawn) -> Returned:
    """A captured leg, or the rest of one, comes back to its member: cash, fee and dust as if it had not been."""
    repaid = min(drawn.points, wallet.owed(entry.slice, drawn.issuer, deal.member.no))
    post_return(entry, deal, drawn)
    _leave_to_issuer(entry, _terms(entry.slice, drawn), repaid)
    return Returned(drawn, repaid)


def post_return(entry: Entry, deal: Deal, drawn: Drawn) -> None:
    """The postings of a REFUND_REDEEM leg of at least one point."""
    assert drawn.points
    terms, issuer = _terms(entry.slice, drawn), drawn.issuer
    leg = _leg(entry, Kind.REFUND_REDEEM, deal, drawn, fee_au=-drawn.fee_au, ref=drawn.leg)
    member = accounts.member(issuer, deal.member.no)
    entry.move(drawn.points, debit=member, credit=accounts.outstanding(issuer), leg=leg)
    if au := _paid(entry.slice, deal, drawn):
        entry.move(au, debit=accounts.cash(_payer(terms)), credit=accounts.cash(deal.acceptor), leg=leg)
    if drawn.fee_au:
        entry.move(drawn.fee_au, debit=accounts.fees(deal.acceptor), credit=accounts.fees(OPERATOR_ID))
    reserve.move_dust(entry, terms, -_dust(terms, drawn))


def restore(entry: Entry, deal: Deal, returned: Returned, *, was_applied: bool = False) -> int:
    """Put the points back into the lots they came from, but for those that repaid a debt: the first ones drawn.
    `was_applied`: their AU were a captured redemption's. Answers how many points reached a lot.
    """
    swallowed, restored = returned.repaid, 0
    for part in returned.drawn.lots:
        back = part.points - min(part.points, swallowed)
        swallowed -= part.points - back
        _refill(entry, deal.member, part, points=back, au=-part.au if was_applied else 0)
        restored += back
    return restored


def forfeit(entry: Entry, deal: Deal, returned: Returned) -> int:
    """What of a held leg would come back to a member who has left is its issuer's again, as a correction: nobody could
    use it, and it would end by nothing. Answers how many points.
    """
    points = returned.drawn.points - returned.repaid
    if points:
        terms = _terms(entry.slice, returned.drawn)
        wallet.debit(entry, Kind.ADJUST_DOWN, member=deal.member, terms=terms, points=points, from_lots=points)
    return points


def show(entry: Entry, draws: Iterable[Drawn], *, sign: int = 1) -> None:
    """Let the receipt list lots whose points were taken before, with the AU now applied to them."""
    for each in draws:
        for part in each.lots:
            entry.change_lot(entry.slice.lots[part.lot], points=0, au=sign * part.au)


def _refill(entry: Entry, owner: Member, part: DrawnLot, *, points: int, au: int) -> None:
    """An empty lot stays behind when its owner is merged: what it gets back is the other account's. If accounts were
    parted again and the other one has points in it, a lot like it is made.
    """
    lot = entry.slice.lots[part.lot]
    if lot.member_no != owner.no and lot.remaining:
        if points:
            entry.add_lot(_like(entry, lot, owner, points), points=points)
        return
    if lot.member_no != owner.no:
        entry.own(lot, owner)
    lot.remaining += points
    entry.change_lot(lot, points=points, au=au)


def _like(entry: Entry, lot: Lot, owner: Member, points: int) -> Lot:
    made = sum(move.lot.seq == entry.seq for move in entry.lots)
    return Lot(
        id=LotId(entry.seq, made + 1),
        issuer=lot.issuer,
        member_no=owner.no,
        member=owner.name,
        terms_id=lot.terms_id,
        role=Role.TRANSFERRED.value,
        points=points,
        standing=points,
        remaining=points,
        confirmed_at_ms=lot.confirmed_at_ms,
        expires_at_ms=lot.expires_at_ms,
        earned_by=lot.earned_by,
    )


def _leg(entry: Entry, kind: Kind, deal: Deal, drawn: Drawn, *, fee_au: int, ref: LegRef | None = None) -> int:
    return entry.leg(
        kind,
        signer=deal.acceptor,
        issuer=drawn.issuer,
        member=deal.member.name,
        points=drawn.points,
        terms_id=drawn.terms_id,
        au=_paid(entry.slice, deal, drawn),
        ref=ref,
        fee_au=fee_au,
    )


def _lend(entry: Entry, deal: Deal, terms: PublishTerms, points: int) -> None:
    """An ADJUST_UP leg: points the member has not, to be taken back in this entry."""
    issuer = terms.issuer_id
    au = reserve.price_in(entry.slice, terms, wallet.shown(entry.slice, issuer, deal.member.no, points))
    leg = _adjust(entry, Kind.ADJUST_UP, deal, terms, points=points, au=au)
    entry.move(points, debit=accounts.member(issuer, deal.member.no), credit=accounts.outstanding(issuer), leg=leg)
    if reserve.is_backed(terms):
        reserve.pay_in(entry, terms, points=0, au=au, payer=issuer, leg=leg)


def _take_back(entry: Entry, deal: Deal, terms: PublishTerms, points: int) -> None:
    """An ADJUST_DOWN leg, all of it below zero: the reserve gives nothing back for it."""
    issuer = terms.issuer_id
    leg = _adjust(entry, Kind.ADJUST_DOWN, deal, terms, points=points)
    entry.move(points, debit=accounts.outstanding(issuer), credit=accounts.member(issuer, deal.member.no), leg=leg)


def _adjust(entry: Entry, kind: Kind, deal: Deal, terms: PublishTerms, *, points: int, au: int = 0) -> int:
    issuer = terms.issuer_id
    return entry.leg(
        kind,
        signer=issuer,
        issuer=issuer,
        member=deal.member.name,
        points=points,
        terms_id=terms.terms_id,
        au=au,
    )


def _leave_to_issuer(entry: Entry, terms: PublishTerms, points: int) -> None:
    """Points in no lot need no reserve: what stood behind them is the issuer's dust, used before it pays again."""
    if points and reserve.is_backed(terms):
        reserve.move_dust(entry, terms, points * terms.au_num)


def _terms(state: Slice, drawn: Drawn) -> PublishTerms:
    return state.registry.terms[drawn.terms_id]


def _payer(terms: PublishTerms) -> int:
    return RESERVE_ID if reserve.is_backed(terms) else terms.issuer_id


def _owes(state: Slice, deal: Deal, drawn: Drawn) -> bool:
    """Whether the issuer owes the acceptor what is applied: neither on us nor paid on issuance."""
    return drawn.issuer != deal.acceptor and not reserve.is_backed(_terms(state, drawn))


def _paid(state: Slice, deal: Deal, drawn: Drawn) -> int:
    """AU that change hands for a leg: none where issuer and acceptor are one and nothing was paid on issuance."""
    on_us = drawn.issuer == deal.acceptor
    return 0 if on_us and not reserve.is_backed(_terms(state, drawn)) else drawn.au


def _dust(terms: PublishTerms, drawn: Drawn) -> int:
    """What the leg's points are worth above its AU, in 1/au_den AU; below zero for the rest of a divided leg."""
    return drawn.points * terms.au_num - drawn.au * terms.au_den

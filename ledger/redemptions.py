"""What redeeming and authorising share: which lots may be drawn, whether every issuer's collateral bears it, what is
posted. Verbs call it.

Each (issuer, terms) drawn is one leg: who owes pays the acceptor the AU applied, the acceptor owes the operator
floor(AU · bps / 10000), and the dust below a point stays with the issuer. On us, issuer and acceptor being one, nothing
changes hands and no fee accrues, but an issuer that paid on issuance gets its reserve back.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger import accounts, reserve
from ledger.answers import LegRef
from ledger.commands import Authorize, OpenMerchant, Redeem
from ledger.entry import Entry
from ledger.lots import Draw, draw
from ledger.records import Drawn, DrawnLot, RecordKind, RecordName
from ledger.refusals import Refused
from ledger.slice import Lot, Member, Slice
from ledger.units import BPS
from ledger.wants import Wants
from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.kinds import Kind

HELD = "held"
"""Authorised: the points are promised to the acceptor."""
CAPTURED = "captured"
"""The acceptor has been paid; what was given back is no longer among the draws."""
RELEASED = "released"
"""Voided or lapsed: nothing is held any more."""
DISPUTED = "disputed"
"""Captured once, held again until the dispute ends."""


class Chosen(NamedTuple):
    """Who pays whom with what, and the issuers whose lots were left out."""

    acceptor: OpenMerchant
    member: Member
    draws: list[Draw]
    skipped: list[int]


def name(acceptor: int, redemption: str) -> RecordName:
    """Where a redemption's record stands."""
    return RecordName(RecordKind.REDEMPTION.value, acceptor, redemption)


def wants(command: Redeem | Authorize, want: Wants) -> None:
    want.merchants.add(command.merchant_id)
    want.members.add(command.member)
    want.spenders.add(command.member)
    want.records.add(name(command.merchant_id, command.redemption))


def choose(command: Redeem | Authorize, state: Slice) -> Chosen:
    """Refusals in order: merchant-unknown, merchant-closed, member-unknown, redemption-exists, issuer-over-limit,
    nothing-to-redeem, balance-too-low.
    """
    acceptor = state.registry.merchants.get(command.merchant_id)
    if acceptor is None:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if state.registry.is_closed(command.merchant_id):
        raise Refused("merchant-closed", "merchant_id", merchant_id=command.merchant_id)
    member = state.member(command.member)
    if member is None:
        raise Refused("member-unknown", "member", member=command.member)
    if state.records[name(command.merchant_id, command.redemption)] is not None:
        raise Refused("redemption-exists", "redemption", redemption=command.redemption)
    draws, skipped = _within_limits(command, state, state.lots_of[member.no])
    au = sum(each.au for each in draws)
    if command.at_most and not au:
        raise Refused("nothing-to-redeem", "member", asked_au=command.au)
    if not command.at_most and au < command.au:
        raise Refused("balance-too-low", "au", asked_au=command.au, available_au=au)
    return Chosen(acceptor, member, draws, skipped)


def why(command: Redeem | Authorize, chosen: Chosen, *, fee_au: int) -> dict[str, int | str]:
    """What the receipt says: asked and applied, the fee, the issuers left out."""
    applied = sum(each.au for each in chosen.draws)
    told: dict[str, int | str] = {"asked_au": command.au, "au": applied, "fee_au": fee_au}
    return told | {"skipped": ",".join(map(str, chosen.skipped))} if chosen.skipped else told


def owed_au(acceptor: OpenMerchant, each: Draw) -> int:
    """AU that change hands for a leg: none where issuer and acceptor are one and nothing was paid on issuance."""
    on_us = each.terms.issuer_id == acceptor.merchant_id
    return 0 if on_us and not reserve.is_backed(each.terms) else each.au


def fee_au(acceptor: OpenMerchant, each: Draw) -> int:
    """floor(AU · bps / 10000) of a leg; none on us."""
    return 0 if each.terms.issuer_id == acceptor.merchant_id else each.au * acceptor.redemption_fee_bps // BPS


def drawn(each: Draw, fee: int, leg: LegRef | None = None) -> Drawn:
    """A leg as the redemption's record keeps it."""
    lots = tuple(DrawnLot(lot.id, points, au) for lot, points, au in each.parts())
    return Drawn(
        issuer=each.terms.issuer_id,
        terms_id=each.terms.terms_id,
        points=each.points,
        au=each.au,
        fee_au=fee,
        lots=lots,
        leg=leg,
    )


def post(entry: Entry, acceptor: OpenMerchant, member: Member, each: Draw) -> Drawn:
    """The postings of one captured leg."""
    issuer, points = each.terms.issuer_id, each.points
    au, fee = owed_au(acceptor, each), fee_au(acceptor, each)
    leg = entry.leg(
        Kind.REDEEM,
        signer=acceptor.merchant_id,
        issuer=issuer,
        member=member.name,
        points=points,
        terms_id=each.terms.terms_id,
        au=au,
        fee_au=fee,
    )
    entry.move(points, debit=accounts.outstanding(issuer), credit=accounts.member(issuer, member.no), leg=leg)
    if au:
        payer = RESERVE_ID if reserve.is_backed(each.terms) else issuer
        entry.move(au, debit=accounts.cash(acceptor.merchant_id), credit=accounts.cash(payer), leg=leg)
    if fee:
        entry.move(fee, debit=accounts.fees(OPERATOR_ID), credit=accounts.fees(acceptor.merchant_id))
    reserve.move_dust(entry, each.terms, each.dust)
    return drawn(each, fee, LegRef(entry.seq, leg))


def give(entry: Entry, member: Member, draws: list[Draw]) -> None:
    """Take what was drawn out of the lots."""
    for each in draws:
        for lot, points, au in each.parts():
            lot.remaining -= points
            entry.change_lot(lot, points=-points, au=au)
    entry.slice.lots_of[member.no] = [lot for lot in entry.slice.lots_of[member.no] if lot.remaining]


def _within_limits(command: Redeem | Authorize, state: Slice, lots: list[Lot]) -> tuple[list[Draw], list[int]]:
    """The draw that every issuer's collateral can bear, and the issuers left out: those that are closed, and in each
    round one more.
    """
    skipped = sorted({lot.issuer for lot in lots if state.registry.is_closed(lot.issuer)})
    while True:
        draws = draw(lots, state.registry.terms, au=command.au, at_ms=command.at_ms, skipped=skipped)
        over = next((each for each in _owed(command, draws).items() if not bears(state, *each)), None)
        if over is None:
            return draws, skipped
        if command.over_limit == "decline":
            raise Refused("issuer-over-limit", "au", issuer=over[0], leg_au=over[1])
        skipped.append(over[0])


def _owed(command: Redeem | Authorize, draws: list[Draw]) -> dict[int, int]:
    """What each issuer would owe the acceptor; what the reserve pays nobody owes."""
    owed: dict[int, int] = {}
    for each in draws:
        issuer = each.terms.issuer_id
        if issuer != command.merchant_id and not reserve.is_backed(each.terms):
            owed[issuer] = owed.get(issuer, 0) + each.au
    return owed


def position(state: Slice, merchant_id: int) -> int:
    """What a merchant is owed (+) or owes (-): cash + fees − settled."""
    owed = state.accounts[accounts.cash(merchant_id)][1] + state.accounts[accounts.fees(merchant_id)][1]
    return owed - state.accounts[accounts.settled(merchant_id)][1]


def bears(state: Slice, issuer: int, au: int) -> bool:
    """Whether −position + leg stays within collateral · haircut; what open authorisations promise counts too."""
    merchant = state.registry.merchants[issuer]
    if merchant.credit_limit_au is None:
        return True
    promised = state.accounts[accounts.promised(issuer)][1]
    return au - position(state, issuer) - promised <= merchant.credit_limit_au * merchant.haircut_bps // BPS

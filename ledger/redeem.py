"""Redeem: a member pays AU at a merchant with points of any issuers. The verb; called by the book.

Each (issuer, terms) drawn is one leg: the issuer owes the acceptor the AU applied, the acceptor owes the operator
floor(AU · bps / 10000), and the dust below a point stays with the issuer. On us, issuer and acceptor being one, nothing
changes hands and no fee accrues.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import OpenMerchant, Redeem
from ledger.entry import Entry
from ledger.lots import Draw, draw
from ledger.refusals import Refused
from ledger.slice import Claim, Lot, Slice, Used
from ledger.units import BPS
from ledger.wants import Wants
from proofs.accounts import OPERATOR_ID
from proofs.kinds import Kind


def wants(command: Redeem, want: Wants) -> None:
    want.merchants.add(command.merchant_id)
    want.members.add(command.member)
    want.spenders.add(command.member)
    want.claims.add(_claim(command))


def redeem(command: Redeem, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, member-unknown, redemption-exists, issuer-over-limit, nothing-to-redeem,
    balance-too-low.
    """
    merchant = entry.slice.registry.merchants.get(command.merchant_id)
    if merchant is None:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    member_no = entry.slice.members[command.member]
    if member_no is None:
        raise Refused("member-unknown", "member", member=command.member)
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("redemption-exists", "redemption", redemption=command.redemption)
    lots = entry.slice.lots_of[member_no]
    draws, skipped = _within_limits(command, entry.slice, lots)
    au = sum(each.au for each in draws)
    if command.at_most and not au:
        raise Refused("nothing-to-redeem", "member", asked_au=command.au)
    if not command.at_most and au < command.au:
        raise Refused("balance-too-low", "au", asked_au=command.au, available_au=au)
    fee = sum([_post(entry, merchant, member_no, command.member, each) for each in draws])
    _give(entry, draws)
    entry.claim(_claim(command))
    entry.slice.lots_of[member_no] = [lot for lot in lots if lot.remaining]
    why: dict[str, int | str] = {"asked_au": command.au, "au": au, "fee_au": fee}
    return why | {"skipped": ",".join(map(str, skipped))} if skipped else why


def _claim(command: Redeem) -> Claim:
    return Claim(Used.REDEMPTION, command.merchant_id, command.redemption)


def _within_limits(command: Redeem, state: Slice, lots: list[Lot]) -> tuple[list[Draw], list[int]]:
    """The draw that every issuer's collateral can bear, and the issuers left out; each round leaves out one more."""
    skipped: list[int] = []
    while True:
        draws = draw(lots, state.registry.terms, au=command.au, at_ms=command.at_ms, skipped=skipped)
        over = next((each for each in _owed(command, draws).items() if not _bears(state, *each)), None)
        if over is None:
            return draws, skipped
        if command.over_limit == "decline":
            raise Refused("issuer-over-limit", "au", issuer=over[0], leg_au=over[1])
        skipped.append(over[0])


def _owed(command: Redeem, draws: list[Draw]) -> dict[int, int]:
    """What each issuer would owe the acceptor."""
    owed: dict[int, int] = {}
    for each in draws:
        issuer = each.terms.issuer_id
        if issuer != command.merchant_id:
            owed[issuer] = owed.get(issuer, 0) + each.au
    return owed


def _bears(state: Slice, issuer: int, au: int) -> bool:
    """Whether −position + leg stays within collateral · haircut; fees accrued and what was settled count."""
    merchant = state.registry.merchants[issuer]
    if merchant.credit_limit_au is None:
        return True
    cash, fees, settled = (state.accounts[name(issuer)][1] for name in (accounts.cash, accounts.fees, accounts.settled))
    return au - (cash + fees - settled) <= merchant.credit_limit_au * merchant.haircut_bps // BPS


def _post(entry: Entry, merchant: OpenMerchant, member_no: int, member: str, each: Draw) -> int:
    """The postings of one leg; answers its fee."""
    issuer, acceptor, points = each.terms.issuer_id, merchant.merchant_id, each.points
    owed = each.au if issuer != acceptor else 0
    fee = owed * merchant.redemption_fee_bps // BPS
    leg = entry.leg(
        Kind.REDEEM,
        signer=acceptor,
        issuer=issuer,
        member=member,
        points=points,
        terms_id=each.terms.terms_id,
        au=owed,
        fee_au=fee,
    )
    entry.move(points, debit=accounts.outstanding(issuer), credit=accounts.member(issuer, member_no), leg=leg)
    if owed:
        entry.move(owed, debit=accounts.cash(acceptor), credit=accounts.cash(issuer), leg=leg)
    if fee:
        entry.move(fee, debit=accounts.fees(OPERATOR_ID), credit=accounts.fees(acceptor))
    if each.dust:
        terms_id = each.terms.terms_id
        entry.move(each.dust, debit=accounts.rounding(issuer, terms_id), credit=accounts.rounded(issuer, terms_id))
    return fee


def _give(entry: Entry, draws: list[Draw]) -> None:
    for each in draws:
        for lot, points, au in each.parts():
            lot.remaining -= points
            entry.change_lot(lot, points=-points, au=au)

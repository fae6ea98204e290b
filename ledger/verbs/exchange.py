"""Exchange: points of one issuer become points of another at the published rate. The verb; called by the book.

q = floor(p · num / den) with the smallest p that gives q. The new issuer takes in the old points as an acceptor does:
it is owed what they are worth, at the lots' own terms, by the old issuer or by the reserve; then it gives q of its own
under its terms in force, valid as if confirmed now. Neither pays a fee.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger import accounts
from ledger.answers import LegRef
from ledger.commands import Exchange, OpenMerchant, PublishExchange, PublishTerms
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import exchanges, limits, lots, orders, reserve, wallet
from ledger.points.exchanges import Exchanged
from ledger.refusals import Refused
from ledger.slice import Claim, Member, Role, Slice, Used
from ledger.units import AMOUNT_MAX
from ledger.wants import Wants
from proofs.accounts import RESERVE_ID
from proofs.kinds import Kind


class _Parties(NamedTuple):
    """Who takes in and gives, to whom, at which rate and terms."""

    issuer: OpenMerchant
    member: Member
    rate: PublishExchange
    terms: PublishTerms


def wants(command: Exchange, want: Wants) -> None:
    want.member_with(command.member, command.from_issuer_id)
    want.member_with(command.member, command.to_issuer_id)
    want.spenders.add(command.member)
    want.claims.add(_claim(command))


def exchange(command: Exchange, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, same-issuer, member-unknown, member-closed, member-frozen,
    exchange-exists, merchant-closed, merchant-frozen, rate-missing, terms-missing, balance-too-low,
    exchange-too-small, points-too-many, issuer-over-limit.
    """
    _issuers(command, entry.slice)
    parties = _parties(command, entry.slice)
    chosen = _chosen(command, parties, entry.slice)
    taken = lots.by_terms(chosen.parts)
    _limit(entry.slice, command.from_issuer_id, taken)
    received = sum(lots.value_au(points, entry.slice.registry.terms[each]) for each, points in taken.items())
    limits.check_issuing(entry.slice, parties.terms, parties.member.no, chosen.given, received_au=received)
    outs = [_take_in(entry, parties, terms_id, points) for terms_id, points in taken.items()]
    repaid = wallet.gain(
        entry,
        Kind.EXCHANGE_IN,
        role=Role.EXCHANGED,
        member=parties.member,
        terms=parties.terms,
        points=chosen.given,
        expires_at_ms=orders.expiry(parties.issuer, command.at_ms),
        ref=LegRef(entry.seq, outs[0]),
    )
    wallet.draw_down(entry, chosen.parts)
    entry.claim(_claim(command))
    return {"asked": command.points, "taken": sum(taken.values()), "given": chosen.given, "repaid": repaid}


def _claim(command: Exchange) -> Claim:
    return Claim(Used.EXCHANGE, command.from_issuer_id, command.exchange)


def _issuers(command: Exchange, state: Slice) -> None:
    for field, issuer in (("from_issuer_id", command.from_issuer_id), ("to_issuer_id", command.to_issuer_id)):
        if issuer not in state.registry.merchants:
            raise Refused("merchant-unknown", field, issuer_id=issuer)
    if command.from_issuer_id == command.to_issuer_id:
        raise Refused("same-issuer", "to_issuer_id", issuer_id=command.to_issuer_id)


def _parties(command: Exchange, state: Slice) -> _Parties:
    registry, member = state.registry, membership.spender(state, command.member)
    if state.claims[_claim(command)] is not None:
        raise Refused("exchange-exists", "exchange", exchange=command.exchange)
    if registry.is_closed(command.from_issuer_id):
        raise Refused("merchant-closed", "from_issuer_id", issuer_id=command.from_issuer_id)
    if registry.is_frozen(command.to_issuer_id):
        raise Refused("merchant-frozen", "to_issuer_id", issuer_id=command.to_issuer_id)
    rate = registry.exchange_at(command.from_issuer_id, command.to_issuer_id, command.at_ms)
    if rate is None:
        raise Refused("rate-missing", "to_issuer_id", at_ms=command.at_ms)
    terms = registry.terms_at(command.to_issuer_id, command.at_ms)
    if terms is None:
        raise Refused("terms-missing", "to_issuer_id", issuer_id=command.to_issuer_id, at_ms=command.at_ms)
    return _Parties(registry.merchants[command.to_issuer_id], member, rate, terms)


def _chosen(command: Exchange, parties: _Parties, state: Slice) -> Exchanged:
    mine = [lot for lot in state.lots_of[parties.member.no] if lot.issuer == command.from_issuer_id]
    mine = lots.spendable(mine, command.at_ms)
    available = sum(lot.remaining for lot in mine)
    if available < command.points:
        issuer = command.from_issuer_id
        raise Refused("balance-too-low", "points", issuer=issuer, asked=command.points, available=available)
    chosen = exchanges.choose(mine, state.registry.terms, command.points, parties.rate)
    if not chosen.given:
        raise Refused("exchange-too-small", "points", asked=command.points)
    if chosen.given > AMOUNT_MAX:
        raise Refused("points-too-many", "points", points=chosen.given, points_max=AMOUNT_MAX)
    return chosen


def _limit(state: Slice, issuer: int, taken: dict[int, int]) -> None:
    """What the old issuer would owe, and owes already, has to stay within its collateral, as in a redemption."""
    rates = [(state.registry.terms[terms_id], points) for terms_id, points in taken.items()]
    au = sum(lots.value_au(points, terms) for terms, points in rates if not reserve.is_backed(terms))
    asked = au or any(reserve.is_backed(terms) for terms, _ in rates)
    if asked and not limits.bears(state, issuer, au):
        raise Refused("issuer-over-limit", "points", issuer=issuer, leg_au=au)


def _take_in(entry: Entry, parties: _Parties, terms_id: int, points: int) -> int:
    """One EXCHANGE_OUT leg, signed by the new issuer; answers its number."""
    terms = entry.slice.registry.terms[terms_id]
    issuer, signer, au = terms.issuer_id, parties.issuer.merchant_id, lots.value_au(points, terms)
    leg = entry.leg(
        Kind.EXCHANGE_OUT,
        signer=signer,
        issuer=issuer,
        member=parties.member.name,
        points=points,
        terms_id=terms_id,
        au=au,
    )
    mine = accounts.member(issuer, parties.member.no)
    entry.move(points, debit=accounts.outstanding(issuer), credit=mine, leg=leg)
    payer = RESERVE_ID if reserve.is_backed(terms) else issuer
    entry.move(au, debit=accounts.cash(signer), credit=accounts.cash(payer), leg=leg)
    reserve.move_dust(entry, terms, points * terms.au_num - au * terms.au_den)
    return leg

"""Expire: what of a member's lots is over at an instant ends. The verb; called by the book.

An expiry is exclusive: a lot that expires at `at_ms` is over at `at_ms`. Each (issuer, terms) is one leg. Nothing
changes hands where the issuer pays on redemption; one that paid on issuance gets the worth back from the reserve less
the operator's share: floor(AU · (10000 − breakage_bps) / 10000) is the issuer's, the rest accrues with the fees.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import Expire
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import reserve, wallet
from ledger.points.lots import by_terms, draw_order, is_over
from ledger.refusals import Refused
from ledger.slice import Member
from ledger.units import BPS
from ledger.wants import Wants
from proofs.accounts import OPERATOR_ID
from proofs.kinds import Kind


def wants(command: Expire, want: Wants) -> None:
    want.members.add(command.member)
    want.spenders.add(command.member)


def expire(command: Expire, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, nothing-to-expire."""
    member = membership.known(entry.slice, command.member)
    over = sorted((lot for lot in entry.slice.lots_of[member.no] if is_over(lot, command.at_ms)), key=draw_order)
    if not over:
        raise Refused("nothing-to-expire", "member", member=command.member, at_ms=command.at_ms)
    parts = [(lot, lot.remaining) for lot in over]
    fee = sum(_post(entry, member, terms_id, points) for terms_id, points in by_terms(parts).items())
    wallet.draw_down(entry, parts)
    return {"lots": len(parts), "fee_au": fee}


def operators_share(au: int, breakage_bps: int) -> int:
    """What the operator keeps of `au` that return: all but the issuer's part, which is floored."""
    return au - au * (BPS - breakage_bps) // BPS


def _post(entry: Entry, member: Member, terms_id: int, points: int) -> int:
    """One leg; answers the operator's share."""
    terms = entry.slice.registry.terms[terms_id]
    issuer = entry.slice.registry.merchants[terms.issuer_id]
    fee = operators_share(reserve.price_out(entry.slice, terms, points), issuer.breakage_bps)
    wallet.debit(entry, Kind.EXPIRE, member=member, terms=terms, points=points, from_lots=points, fee_au=fee)
    if fee:
        entry.move(fee, debit=accounts.fees(OPERATOR_ID), credit=accounts.fees(terms.issuer_id))
    return fee

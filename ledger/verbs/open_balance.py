"""Open a balance: points a member brought from the issuer's old system. The verb; called by the book.

A balance is named by where it comes from and whose it was there, so that asking under another key gives nothing twice.
They are an adjustment in the member's favour under the issuer's terms in force, valid as long as they were there, or as
if they were confirmed now.
"""

from __future__ import annotations

from ledger.commands import OpenBalance
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import corrections, limits, orders, wallet
from ledger.refusals import Refused
from ledger.slice import Claim, Role, Used
from ledger.wants import Wants
from proofs.kinds import Kind


def wants(command: OpenBalance, want: Wants) -> None:
    want.member_with(command.member, command.issuer_id)
    want.claims.add(_claim(command))


def open_balance(command: OpenBalance, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-frozen, member-unknown, member-closed, opening-exists,
    terms-missing, already-expired, issuer-over-limit.
    """
    merchant = entry.slice.registry.merchants.get(command.issuer_id)
    if merchant is None:
        raise Refused("merchant-unknown", "issuer_id", issuer_id=command.issuer_id)
    if entry.slice.registry.is_frozen(command.issuer_id):
        raise Refused("merchant-frozen", "issuer_id", issuer_id=command.issuer_id)
    member = membership.known(entry.slice, command.member)
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("opening-exists", "source", source=command.source, member=command.member)
    terms = corrections.terms_for(entry.slice, command.issuer_id, command.at_ms)
    expires_at_ms = command.expires_at_ms
    if expires_at_ms is None:
        expires_at_ms = orders.expiry(merchant, command.at_ms)
    if expires_at_ms <= command.at_ms:
        raise Refused("already-expired", "expires_at_ms", expires_at_ms=expires_at_ms, at_ms=command.at_ms)
    limits.check_issuing(entry.slice, terms, member.no, command.points)
    repaid = wallet.gain(
        entry,
        Kind.ADJUST_UP,
        role=Role.OPENING,
        member=member,
        terms=terms,
        points=command.points,
        expires_at_ms=expires_at_ms,
    )
    entry.claim(_claim(command))
    return {"points": command.points, "repaid": repaid, "expires_at_ms": expires_at_ms}


def _claim(command: OpenBalance) -> Claim:
    """The member by the name it had in the old system: a blank is in neither name."""
    return Claim(Used.OPENING.value, command.issuer_id, f"{command.source} {command.member}")

"""Dispute: an issuer drawn on disputes a captured redemption, whose legs leave the net until it ends. The verb; called
by the book.

What is sealed is never rewritten: every leg gets one that gives it back, cash and fee included, and the points are held
instead, for neither the member to spend nor the acceptor to claim. The issuer's promise stands meanwhile, so that
disputing frees no collateral. An issuer disputes a redemption once: what was resolved against it stands, or the
acceptor would wait for ever.
"""

from __future__ import annotations

from msgspec.structs import replace

from ledger.commands import Dispute
from ledger.entry import Entry
from ledger.points import drawn, redemptions
from ledger.refusals import Refused
from ledger.slice import Claim, Used
from ledger.wants import Wants


def wants(command: Dispute, want: Wants) -> None:
    redemptions.wants_existing(command.merchant_id, command.redemption, want)
    want.claims.add(_claim(command))


def dispute(command: Dispute, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: redemption-unknown, not-captured, not-drawn-on, disputed-before."""
    record = redemptions.captured(entry.slice, command.merchant_id, command.redemption)
    if all(each.issuer != command.by_merchant_id for each in record.draws):
        raise Refused("not-drawn-on", "by_merchant_id", by_merchant_id=command.by_merchant_id)
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("disputed-before", "redemption", redemption=command.redemption)
    deal = drawn.of(entry.slice, command.merchant_id, record)
    for each in record.draws:
        drawn.post_return(entry, deal, each)
        drawn.hold(entry, deal, each)
    drawn.show(entry, record.draws, sign=-1)
    held = tuple(replace(each, leg=None) for each in record.draws)
    name = redemptions.name(command.merchant_id, command.redemption)
    entry.record(name, replace(record, state=redemptions.DISPUTED, draws=held))
    entry.claim(_claim(command))
    return {"au": drawn.total(held), "fee_au": -sum(each.fee_au for each in held)}


def _claim(command: Dispute) -> Claim:
    """By the acceptor's name of the redemption, and who disputes it: a blank is in neither."""
    return Claim(Used.DISPUTE.value, command.merchant_id, f"{command.by_merchant_id} {command.redemption}")

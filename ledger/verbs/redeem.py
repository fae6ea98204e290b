"""Redeem: a member pays AU at a merchant with points of any issuers, captured at once. The verb; called by the book."""

from __future__ import annotations

from ledger.commands import Redeem
from ledger.entry import Entry
from ledger.points import drawn, redemptions
from ledger.wants import Wants


def wants(command: Redeem, want: Wants) -> None:
    redemptions.wants(command, want)


def redeem(command: Redeem, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-closed, member-unknown, member-closed, member-frozen,
    redemption-exists, issuer-over-limit, nothing-to-redeem, balance-too-low.
    """
    chosen = redemptions.choose(command, entry.slice)
    deal = redemptions.deal(chosen)
    draws = [drawn.capture(entry, deal, each) for each in redemptions.priced(chosen)]
    redemptions.give(entry, chosen.member, chosen.draws)
    name = redemptions.name(command.merchant_id, command.redemption)
    entry.record(name, redemptions.record(chosen, redemptions.CAPTURED, draws))
    return redemptions.why(command, chosen, draws)

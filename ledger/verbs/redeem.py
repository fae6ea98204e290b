"""Redeem: a member pays AU at a merchant with points of any issuers, captured at once. The verb; called by the book."""

from __future__ import annotations

from ledger import redemptions
from ledger.commands import Redeem
from ledger.entry import Entry
from ledger.records import Redemption
from ledger.wants import Wants


def wants(command: Redeem, want: Wants) -> None:
    redemptions.wants(command, want)


def redeem(command: Redeem, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-closed, member-unknown, redemption-exists, issuer-over-limit,
    nothing-to-redeem, balance-too-low.
    """
    chosen = redemptions.choose(command, entry.slice)
    drawn = [redemptions.post(entry, chosen.acceptor, chosen.member, each) for each in chosen.draws]
    redemptions.give(entry, chosen.member, chosen.draws)
    record = Redemption(
        member_no=chosen.member.no,
        member=chosen.member.name,
        state=redemptions.CAPTURED,
        fee_bps=chosen.acceptor.redemption_fee_bps,
        draws=tuple(drawn),
    )
    entry.record(redemptions.name(command.merchant_id, command.redemption), record)
    return redemptions.why(command, chosen, fee_au=sum(each.fee_au for each in drawn))

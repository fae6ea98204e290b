"""Void: an authorised redemption is called off by its acceptor, everything held is free again. The verb; called by the
book.
"""

from __future__ import annotations

from ledger.commands import Void
from ledger.entry import Entry
from ledger.points import redemptions
from ledger.wants import Wants


def wants(command: Void, want: Wants) -> None:
    redemptions.wants_existing(command.merchant_id, command.redemption, want)


def void(command: Void, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: redemption-unknown, already-resolved."""
    record = redemptions.open_hold(entry.slice, command.merchant_id, command.redemption)
    why = redemptions.release(entry, command.merchant_id, command.redemption, record)
    entry.claim(redemptions.resolution(command.merchant_id, command.redemption))
    return why

"""Lapse hold: the time of an authorised redemption is over, everything held is free again. The verb; called by the
book.
"""

from __future__ import annotations

from ledger.commands import LapseHold
from ledger.entry import Entry
from ledger.points import redemptions
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: LapseHold, want: Wants) -> None:
    redemptions.wants_existing(command.merchant_id, command.redemption, want)


def lapse_hold(command: LapseHold, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: redemption-unknown, already-resolved, hold-not-over."""
    record = redemptions.open_hold(entry.slice, command.merchant_id, command.redemption)
    until = record.hold_until_ms
    assert until is not None
    if command.at_ms < until:
        raise Refused("hold-not-over", "at_ms", at_ms=command.at_ms, hold_until_ms=until)
    why = redemptions.release(entry, command.merchant_id, command.redemption, record)
    entry.claim(redemptions.resolution(command.merchant_id, command.redemption))
    return why

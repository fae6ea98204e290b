"""Capture: an authorised redemption is carried out, whole or in part; what is not captured is free again. The verb;
called by the book.

A part is the first of it in drawing order. The fee is the one of the acceptor when it was authorised; lots that expired
while they were held are captured all the same.
"""

from __future__ import annotations

from msgspec.structs import replace

from ledger.commands import Capture
from ledger.entry import Entry
from ledger.points import drawn, redemptions
from ledger.records import Redemption
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: Capture, want: Wants) -> None:
    redemptions.wants_existing(command.merchant_id, command.redemption, want)


def capture(command: Capture, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: redemption-unknown, already-resolved, hold-over, capture-exceeds-hold."""
    record = redemptions.open_hold(entry.slice, command.merchant_id, command.redemption)
    _in_time(command, record)
    held = drawn.total(record.draws)
    asked = held if command.au is None else command.au
    if asked > held:
        raise Refused("capture-exceeds-hold", "au", asked_au=asked, held_au=held)
    deal = drawn.of(entry.slice, command.merchant_id, record)
    taken, rest = drawn.divide(record.draws, entry.slice.registry.terms, deal, au=asked)
    for each in taken:
        drawn.unhold(entry, deal, each)
    captured = [drawn.capture(entry, deal, each) for each in taken]
    returned = [drawn.let_go(entry, deal, each) for each in rest]
    drawn.show(entry, captured)
    restored = sum([drawn.restore(entry, deal, each) for each in returned])
    name = redemptions.name(command.merchant_id, command.redemption)
    entry.record(name, replace(record, state=redemptions.CAPTURED, draws=tuple(captured)))
    entry.claim(redemptions.resolution(command.merchant_id, command.redemption))
    return {
        "held_au": held,
        "au": asked,
        "fee_au": sum(each.fee_au for each in captured),
        "restored": restored,
        "repaid": sum(each.repaid for each in returned),
    }


def _in_time(command: Capture, record: Redemption) -> None:
    until = record.hold_until_ms
    assert until is not None
    if command.at_ms >= until:
        raise Refused("hold-over", "at_ms", at_ms=command.at_ms, hold_until_ms=until)

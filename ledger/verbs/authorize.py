"""Authorize: as redeem, but the points are only held and the AU only promised, until a time. The verb; called by the
book.

The member's public account stays as it is until the capture.
"""

from __future__ import annotations

from ledger.commands import Authorize
from ledger.entry import Entry
from ledger.points import drawn, redemptions
from ledger.refusals import Refused
from ledger.units import HOLD_MS_MAX
from ledger.wants import Wants


def wants(command: Authorize, want: Wants) -> None:
    redemptions.wants(command, want)


def authorize(command: Authorize, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: hold-too-short, hold-too-long, merchant-unknown, merchant-closed, member-unknown,
    member-closed, member-frozen, redemption-exists, issuer-over-limit, nothing-to-redeem,
    balance-too-low.
    """
    until, latest = command.hold_until_ms, command.at_ms + HOLD_MS_MAX
    if until <= command.at_ms:
        raise Refused("hold-too-short", "hold_until_ms", hold_until_ms=until, at_ms=command.at_ms)
    if until > latest:
        raise Refused("hold-too-long", "hold_until_ms", hold_until_ms=until, latest_ms=latest)
    chosen = redemptions.choose(command, entry.slice)
    deal, draws = redemptions.deal(chosen), redemptions.priced(chosen)
    for each in draws:
        drawn.hold(entry, deal, each)
    redemptions.give(entry, chosen.member, chosen.draws)
    name = redemptions.name(command.merchant_id, command.redemption)
    entry.record(name, redemptions.record(chosen, redemptions.HELD, draws, until))
    return redemptions.why(command, chosen, draws)

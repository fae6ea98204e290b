"""Cancel redemption: a captured redemption is given back, whole or in part, to the lots it came from. The verb; called
by the book.

What is left is priced as if it had been all, and the difference is posted, fee and dust included; a part is taken from
the last leg and the lots drawn last, so that redeeming less in the first place would have come to the same.

What the acceptor is owed for a redemption counts for it wherever its own points are used. So it can give back only what
its collateral bears without: else it could accept, let its points be used up to all that, and cancel. A member who has
left gets nothing back: it could not use it.
"""

from __future__ import annotations

from msgspec.structs import replace

from ledger.commands import CancelRedemption
from ledger.entry import Entry
from ledger.points import drawn, limits, redemptions
from ledger.records import Redemption
from ledger.refusals import Refused
from ledger.slice import Claim, Used
from ledger.wants import Wants


def wants(command: CancelRedemption, want: Wants) -> None:
    redemptions.wants_existing(command.merchant_id, command.redemption, want)
    want.claims.add(_claim(command))


def cancel_redemption(command: CancelRedemption, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: redemption-unknown, not-captured, member-closed, cancellation-exists,
    cancel-exceeds-redemption, cancel-below-a-point, issuer-over-limit.
    """
    record = redemptions.captured(entry.slice, command.merchant_id, command.redemption)
    # Of a redemption that was given back whole nothing is left that would have an owner.
    if record.draws and drawn.of(entry.slice, command.merchant_id, record).member.closed:
        raise Refused("member-closed", "redemption", member=record.member)
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("cancellation-exists", "cancellation", cancellation=command.cancellation)
    asked = _asked(command, record)
    deal = drawn.of(entry.slice, command.merchant_id, record)
    left = drawn.total(record.draws) - asked
    kept, back = drawn.divide(record.draws, entry.slice.registry.terms, deal, au=left)
    for each in back:
        if not each.points:
            raise Refused("cancel-below-a-point", "au", issuer=each.issuer, leg_au=each.au)
    loss_au = drawn.loss(entry.slice, deal, back)
    if loss_au > 0 and not limits.bears(entry.slice, command.merchant_id, loss_au):
        raise Refused("issuer-over-limit", "au", issuer=command.merchant_id, leg_au=loss_au)
    returned = [drawn.give_back(entry, deal, each) for each in back]
    restored = sum([drawn.restore(entry, deal, each, was_applied=True) for each in returned])
    name = redemptions.name(command.merchant_id, command.redemption)
    entry.record(name, replace(record, draws=tuple(kept)))
    entry.claim(_claim(command))
    return {
        "au": asked,
        "left_au": left,
        "fee_au": -sum(each.fee_au for each in back),
        "restored": restored,
        "repaid": sum(each.repaid for each in returned),
    }


def _claim(command: CancelRedemption) -> Claim:
    return Claim(Used.CANCELLATION.value, command.merchant_id, command.cancellation)


def _asked(command: CancelRedemption, record: Redemption) -> int:
    """What is to be given back, at least one AU of what is left."""
    left = drawn.total(record.draws)
    asked = command.au or left
    if not left or asked > left:
        raise Refused("cancel-exceeds-redemption", "au", asked_au=asked, left_au=left)
    return asked

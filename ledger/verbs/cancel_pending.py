"""Cancel pending: an order was called off before its hold was over. The verb; called by the book.

All its pending points go, whatever the merchant's refund policy. Its whole amount counts as given back, so that nothing
can be refunded and it can never be confirmed.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import CancelPending
from ledger.entry import Entry
from ledger.points import orders
from ledger.wants import Wants


def wants(command: CancelPending, want: Wants) -> None:
    want.merchants.add(command.order_merchant_id)
    want.orders.add((command.order_merchant_id, command.order))


def cancel_pending(command: CancelPending, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, order-unknown, already-confirmed, order-cancelled."""
    order = orders.unconfirmed(entry.slice, command.order_merchant_id, command.order)
    standing = [lot for lot in order.lots if lot.standing]
    for lot in standing:
        owner = entry.slice.person(lot.member_no)
        entry.move(lot.standing, debit=accounts.pendings(lot.issuer), credit=accounts.pending(lot.issuer, owner.no))
    points = sum(lot.standing for lot in standing)
    for lot in standing:
        gone, lot.standing, lot.remaining = lot.standing, 0, 0
        entry.change_lot(lot, points=-gone)
    given_back = order.amount_minor - order.refunded_minor
    order.refunded_minor = order.amount_minor
    entry.change_order(order)
    return {"points": points, "amount_minor": given_back}

"""Confirm: the hold of an order is over, so what still stands of its points becomes spendable. The verb; called by the
book.
"""

from __future__ import annotations

from ledger.commands import Confirm
from ledger.entry import Entry
from ledger.points import orders
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: Confirm, want: Wants) -> None:
    want.merchants.add(command.order_merchant_id)
    want.orders.add((command.order_merchant_id, command.order))


def confirm(command: Confirm, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, order-unknown, already-confirmed, order-cancelled, hold-not-over,
    issuer-over-limit.
    """
    order = orders.unconfirmed(entry.slice, command.order_merchant_id, command.order)
    if command.at_ms < order.confirm_from_ms:
        raise Refused("hold-not-over", "at_ms", at_ms=command.at_ms, confirm_from_ms=order.confirm_from_ms)
    if au := orders.over_limit(entry, order):
        raise Refused("issuer-over-limit", "order", issuer=order.merchant_id, leg_au=au)
    return orders.confirm(entry, order, was_pending=True)

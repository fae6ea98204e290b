"""Confirm: the hold of an order is over, so what still stands of its points becomes spendable. The verb; called by the
book.
"""

from __future__ import annotations

from ledger import orders
from ledger.commands import Confirm
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: Confirm, want: Wants) -> None:
    want.merchants.add(command.order_merchant_id)
    want.orders.add((command.order_merchant_id, command.order))


def confirm(command: Confirm, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, order-unknown, already-confirmed, hold-not-over."""
    if command.order_merchant_id not in entry.slice.registry.merchants:
        raise Refused("merchant-unknown", "order_merchant_id", merchant_id=command.order_merchant_id)
    order = entry.slice.orders[command.order_merchant_id, command.order]
    if order is None:
        raise Refused("order-unknown", "order", order=command.order)
    if order.confirmed_at_ms is not None:
        raise Refused("already-confirmed", "order", confirmed_at_ms=order.confirmed_at_ms)
    if command.at_ms < order.confirm_from_ms:
        raise Refused("hold-not-over", "at_ms", at_ms=command.at_ms, confirm_from_ms=order.confirm_from_ms)
    return orders.confirm(entry, order, was_pending=True)

"""Observe: a merchant saw an event that is no order, and its rules say what that earns. The verb; called by the book.

The event is kept like an order of the amount ONE, so that what it earned is confirmed, called off, taken back as a
whole and expires as anything else does, and so that it is counted once. An event that earns nothing is taken all the
same: a task or a streak moved.
"""

from __future__ import annotations

from ledger.commands import Observe
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import bonuses, orders
from ledger.refusals import Refused
from ledger.rules.facts import Facts
from ledger.slice import Order, Role
from ledger.wants import Wants

ONE = 1
"""The amount of an event: no money, it stands or is given back."""


def wants(command: Observe, want: Wants) -> None:
    want.member_with(command.member, command.merchant_id)
    want.orders.add((command.merchant_id, command.event))
    want.events.append((command.merchant_id, command.member, command.trigger))


def observe(command: Observe, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-frozen, member-unknown, member-closed, event-exists,
    terms-missing.
    """
    merchant = entry.slice.registry.merchants.get(command.merchant_id)
    if merchant is None:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if entry.slice.registry.is_frozen(command.merchant_id):
        raise Refused("merchant-frozen", "merchant_id", merchant_id=command.merchant_id)
    member = membership.known(entry.slice, command.member)
    if entry.slice.orders[command.merchant_id, command.event] is not None:
        raise Refused("event-exists", "event", event=command.event)
    terms = entry.slice.registry.terms_at(command.merchant_id, command.at_ms)
    if terms is None:
        raise Refused("terms-missing", "merchant_id", merchant_id=command.merchant_id, at_ms=command.at_ms)
    bonus = bonuses.decide(entry.slice, member, _facts(command))
    order = Order(
        merchant_id=command.merchant_id,
        name=command.event,
        seq=entry.seq,
        at_ms=command.at_ms,
        member_no=member.no,
        member=member.name,
        amount_minor=ONE,
        terms_id=terms.terms_id,
        fee_bps=merchant.issuance_fee_bps,
        confirm_from_ms=command.at_ms + bonus.hold_ms,
    )
    for points in bonus.given:
        order.add_lot(member, role=Role.BONUS, points=points)
    why = orders.begin(entry, order, hold_ms=bonus.hold_ms)
    entry.open_order(order)
    return why | bonus.kept(entry)


def _facts(command: Observe) -> Facts:
    said = command.particulars
    return Facts(
        trigger=command.trigger,
        merchant_id=command.merchant_id,
        at_ms=command.at_ms,
        utc_offset_minutes=said.utc_offset_minutes,
        platform=said.platform,
        categories=said.categories,
        coupon=said.coupon,
        task=said.task,
    )

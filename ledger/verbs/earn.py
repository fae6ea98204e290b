"""Earn: an order was paid, its points are pending until the hold is over. The verb; called by the book.

points = floor(amount · points / per_minor), under the terms in force when the order was paid. An order too small for a
point is taken all the same: it can be refunded, and its name is used. Whoever stands above the buyer is rewarded as the
seller's campaign says that was in force when the order was paid. What the merchant's rules add are further lots of the
order, so that a refund takes them back in the same proportion.
"""

from __future__ import annotations

from ledger.commands import Earn
from ledger.entry import Entry
from ledger.members import membership, referral
from ledger.points import bonuses, orders
from ledger.refusals import Refused
from ledger.slice import Member, Order, Role
from ledger.units import AMOUNT_MAX
from ledger.wants import Wants


def wants(command: Earn, want: Wants) -> None:
    want.member_with(command.member, command.merchant_id)
    want.orders.add((command.merchant_id, command.order))
    want.events.append((command.merchant_id, command.member, "order.paid"))


def earn(command: Earn, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-frozen, member-unknown, member-closed, order-exists, terms-missing,
    points-too-many.
    """
    merchant = entry.slice.registry.merchants.get(command.merchant_id)
    if merchant is None:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if entry.slice.registry.is_frozen(command.merchant_id):
        raise Refused("merchant-frozen", "merchant_id", merchant_id=command.merchant_id)
    member = membership.known(entry.slice, command.member)
    if entry.slice.orders[command.merchant_id, command.order] is not None:
        raise Refused("order-exists", "order", order=command.order)
    terms = entry.slice.registry.terms_at(command.merchant_id, command.at_ms)
    if terms is None:
        raise Refused("terms-missing", "merchant_id", merchant_id=command.merchant_id, at_ms=command.at_ms)
    points = orders.points_for(merchant, command.amount_minor)
    if points > AMOUNT_MAX:
        raise Refused("points-too-many", "amount_minor", points=points, points_max=AMOUNT_MAX)
    campaign = entry.slice.registry.campaign_at(command.merchant_id, command.at_ms)
    order = Order(
        merchant_id=command.merchant_id,
        name=command.order,
        seq=entry.seq,
        at_ms=command.at_ms,
        member_no=member.no,
        member=member.name,
        amount_minor=command.amount_minor,
        terms_id=terms.terms_id,
        fee_bps=merchant.issuance_fee_bps,
        campaign_id=campaign.campaign_id if campaign is not None else 0,
        confirm_from_ms=command.at_ms + merchant.hold_ms,
    )
    if points:
        order.add_lot(member, role=Role.BASE, points=points)
        _reward(entry, order, member)
    bonus = bonuses.of_order(entry.slice, member, command, points)
    for extra in bonus.given:
        order.add_lot(member, role=Role.BONUS, points=extra)
    why = orders.begin(entry, order, hold_ms=merchant.hold_ms)
    entry.open_order(order)
    _decide_bond(entry, member)
    return why if bonus is bonuses.NONE else why | bonus.kept(entry)


def _reward(entry: Entry, order: Order, buyer: Member) -> None:
    """A lot for each level above the buyer that the campaign rewards."""
    for member, role, points in referral.rewards(entry.slice, order, buyer):
        if points > AMOUNT_MAX:
            raise Refused("points-too-many", "amount_minor", points=points, points_max=AMOUNT_MAX)
        order.add_lot(member, role=role, points=points)


def _decide_bond(entry: Entry, buyer: Member) -> None:
    """A first purchase decides for good that nobody referred the buyer, unless a bond decided otherwise before."""
    if not buyer.bonded:
        buyer.bonded = True
        entry.change_member(buyer)

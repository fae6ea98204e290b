"""Refund: money was given back, so the points it earned are taken back in proportion. The verb; called by the book.

Of each lot of the order stands floor(earned · (amount − refunded) / amount) after all its refunds together, so that
parts never drift; of a referral reward what its campaign gives for what is left of the sale. A pending order loses
pending points. A confirmed one is taken first from the lot itself, then from the member's other lots of that issuer,
and what was already spent becomes a debt, as far as the merchant's policy goes. A refund whose order nobody knows takes
what its amount would earn now. No other merchant's settlement is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger import accounts
from ledger.answers import LegRef
from ledger.commands import OpenMerchant, Refund
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import orders, wallet
from ledger.points.lots import draw_order, is_open, split, take, value_au
from ledger.refusals import Refused
from ledger.registry import Registry
from ledger.slice import Claim, Lot, Member, Order, Slice, Used
from ledger.units import AMOUNT_MAX, BPS
from ledger.wants import Wants
from proofs.accounts import OPERATOR_ID
from proofs.kinds import Kind


def wants(command: Refund, want: Wants) -> None:
    want.member_with(command.member, command.merchant_id)
    want.claims.add(_claim(command))
    want.spenders.add(command.member)
    if command.order is not None:
        want.refunded.add((command.merchant_id, command.order))
        want.buyers.add(command.member)


def refund(command: Refund, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, member-unknown, member-closed, refund-exists; with an order: order-unknown,
    order-of-another-member, refund-exceeds-order; without one: terms-missing, points-too-many.
    """
    merchant = entry.slice.registry.merchants.get(command.merchant_id)
    if merchant is None:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    member = membership.known(entry.slice, command.member)
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("refund-exists", "refund", refund=command.refund)
    if command.order is None:
        why = _without_order(entry, merchant, member, command)
    else:
        why = _of_order(entry, merchant, _order(entry.slice, command), command.amount_minor)
    entry.claim(_claim(command))
    return why


def _claim(command: Refund) -> Claim:
    return Claim(Used.REFUND, command.merchant_id, command.refund)


def _order(state: Slice, command: Refund) -> Order:
    """The order that the command names, if it can bear the refund."""
    assert command.order is not None
    order = state.orders[command.merchant_id, command.order]
    if order is None:
        raise Refused("order-unknown", "order", order=command.order)
    if state.identity(order.member_no) != state.identity(state.members[command.member] or 0):
        raise Refused("order-of-another-member", "member", member=command.member)
    if order.refunded_minor + command.amount_minor > order.amount_minor:
        raise Refused(
            "refund-exceeds-order",
            "amount_minor",
            amount_minor=command.amount_minor,
            refundable_minor=order.amount_minor - order.refunded_minor,
        )
    return order


@dataclass(slots=True)
class _Claw:
    """What one member gives back of one leg: `asked` by lot of the order, `taken` of it as policy allows, `parts` out
    of lots.
    """

    member: Member
    asked: list[tuple[Lot, int]]
    taken: int
    parts: list[tuple[Lot, int]]


def _of_order(entry: Entry, merchant: OpenMerchant, order: Order, amount_minor: int) -> dict[str, int | str]:
    asked = _asked(entry.slice.registry, order, amount_minor)
    before = sum(lot.standing for lot in order.lots)
    if order.confirmed_at_ms is None:
        claws = [
            _Claw(entry.slice.person(lot.member_no), [(lot, points)], points, [(lot, points)]) for lot, points in asked
        ]
        _post_pending(entry, claws)
        fee = 0
    else:
        claws = _claws(entry.slice, merchant, asked)
        after = before - sum(claw.taken for claw in claws)
        fee = orders.issuance_fee(entry, order, before) - orders.issuance_fee(entry, order, after)
        first = next((claw for claw in claws if claw.taken), None)
        for claw in claws:
            _post_claw(entry, order, claw, fee if claw is first else 0)
        _return_fee(entry, merchant.merchant_id, fee)
    for claw in claws:
        _settle(entry, claw)
    order.refunded_minor += amount_minor
    entry.change_order(order)
    return _why(sum(points for _, points in asked), claws, fee)


def _asked(registry: Registry, order: Order, amount_minor: int) -> list[tuple[Lot, int]]:
    """(lot, points) that this refund takes: what stood after the refunds before it, less what stands after. Nothing of
    a reward that fell away.
    """
    left = order.amount_minor - order.refunded_minor
    asked = []
    for lot in order.lots:
        before, after = (orders.stands(registry, order, lot, each) for each in (left, left - amount_minor))
        asked.append((lot, min(before - after, lot.standing)))
    return [(lot, points) for lot, points in asked if points]


def _claws(state: Slice, merchant: OpenMerchant, asked: list[tuple[Lot, int]]) -> list[_Claw]:
    """Claw-backs in the order of the order's lots, together by member, one for each leg that is taken back."""
    by_member: dict[int, list[tuple[Lot, int]]] = {}
    for lot, points in asked:
        by_member.setdefault(state.person(lot.member_no).no, []).append((lot, points))
    return [
        claw for no, mine in by_member.items() for claw in _claws_of_member(state, merchant, state.people[no], mine)
    ]


def _claws_of_member(
    state: Slice, merchant: OpenMerchant, member: Member, asked: list[tuple[Lot, int]]
) -> Iterator[_Claw]:
    """All is taken out of the member's lots at once, this order's first, and then told apart by leg: who was merged may
    give back what several legs gave, and none of them more than it was.
    """
    own = [lot for lot, _ in asked if is_open(lot)]
    others = [lot for lot in _open_lots(state, member, merchant.merchant_id) if lot not in own]
    taken, parts = _allowed(merchant, own + others, sum(points for _, points in asked))
    by_leg: dict[LegRef | None, list[tuple[Lot, int]]] = {}
    for lot, points in asked:
        by_leg.setdefault(lot.earned_by, []).append((lot, points))
    for mine in by_leg.values():
        of_leg = min(taken, sum(points for _, points in mine))
        given, parts = split(parts, of_leg)
        taken -= of_leg
        yield _Claw(member, mine, of_leg, given)


def _allowed(merchant: OpenMerchant, lots: list[Lot], asked: int) -> tuple[int, list[tuple[Lot, int]]]:
    """(points taken, lots they come from) under the merchant's policy."""
    if merchant.refund_policy == "only_pending":
        return 0, []
    parts = take(lots, asked)
    return (asked if merchant.refund_policy == "debt" else sum(points for _, points in parts)), parts


def _open_lots(state: Slice, member: Member, issuer: int) -> list[Lot]:
    """All that still stands of this issuer's points, expired or not, in drawing order."""
    return sorted((lot for lot in state.lots_of[member.no] if lot.issuer == issuer and is_open(lot)), key=draw_order)


def _without_order(entry: Entry, merchant: OpenMerchant, member: Member, command: Refund) -> dict[str, int | str]:
    issuer = merchant.merchant_id
    terms = entry.slice.registry.terms_at(issuer, command.at_ms)
    if terms is None:
        raise Refused("terms-missing", "merchant_id", merchant_id=issuer, at_ms=command.at_ms)
    asked = orders.points_for(merchant, command.amount_minor)
    if asked > AMOUNT_MAX:
        raise Refused("points-too-many", "amount_minor", points=asked, points_max=AMOUNT_MAX)
    taken, parts = _allowed(merchant, _open_lots(entry.slice, member, issuer), asked)
    fee = value_au(taken, terms) * merchant.issuance_fee_bps // BPS
    claw = _Claw(member, [], taken, parts)
    wallet.take_back(entry, Kind.ADJUST_DOWN, member=member, terms=terms, taken=taken, parts=parts, fee_au=-fee)
    _return_fee(entry, issuer, fee)
    _settle(entry, claw)
    return _why(asked, [claw], fee)


def _post_pending(entry: Entry, claws: list[_Claw]) -> None:
    for claw in claws:
        issuer = claw.parts[0][0].issuer
        entry.move(claw.taken, debit=accounts.pendings(issuer), credit=accounts.pending(issuer, claw.member.no))


def _post_claw(entry: Entry, order: Order, claw: _Claw, fee: int) -> None:
    terms = entry.slice.registry.terms[order.terms_id]
    wallet.take_back(
        entry,
        Kind.REFUND_EARN,
        member=claw.member,
        terms=terms,
        taken=claw.taken,
        parts=claw.parts,
        ref=claw.asked[0][0].earned_by,
        fee_au=-fee,
    )


def _return_fee(entry: Entry, issuer: int, fee: int) -> None:
    if fee:
        entry.move(fee, debit=accounts.fees(issuer), credit=accounts.fees(OPERATOR_ID))


def _settle(entry: Entry, claw: _Claw) -> None:
    """Bring the lots to what was posted: what stands of the order's, what remains of all that gave."""
    left = claw.taken
    for lot, points in claw.asked:
        lot.standing -= min(points, left)
        left -= min(points, left)
    for lot, points in claw.parts:
        lot.remaining -= points
        entry.change_lot(lot, points=-points)
    given = {lot.id for lot, _ in claw.parts}
    for lot, _ in claw.asked:
        if lot.id not in given:
            entry.change_lot(lot, points=0)


def _why(asked: int, claws: list[_Claw], fee: int) -> dict[str, int | str]:
    taken = sum(claw.taken for claw in claws)
    from_lots = sum(points for claw in claws for _, points in claw.parts)
    return {"asked": asked, "taken": taken, "debt": taken - from_lots, "fee_au": -fee}

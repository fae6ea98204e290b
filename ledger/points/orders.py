"""What several verbs do to an order: confirm what stands of it, price its fee. Called by verbs only.

Invariants: only confirmed points exist for clearing; the issuance fee follows the points that stand, so that reversals
never drift; debt is repaid before a new lot holds anything; a referral reward is always the campaign's for what is left
of the sale, and names the buyer's earning.
"""

from __future__ import annotations

from ledger import accounts
from ledger.answers import LegRef
from ledger.commands import ForDays, OpenMerchant
from ledger.entry import NO_REWARD, Entry, Reward
from ledger.members import referral
from ledger.points import limits, reserve, wallet
from ledger.points.lots import value_au
from ledger.refusals import Refused
from ledger.registry import Registry
from ledger.slice import Lot, Order, Role, Slice
from ledger.units import BPS
from proofs.accounts import OPERATOR_ID
from proofs.kinds import Kind

DAY_MS = 86_400_000


def points_for(merchant: OpenMerchant, amount_minor: int) -> int:
    """What an amount earns: floor(amount · points / per_minor)."""
    return amount_minor * merchant.earn.points // merchant.earn.per_minor


def issuance_fee(entry: Entry, order: Order, standing: int) -> int:
    """floor(AU(order) · bps / 10000) with AU(order) = floor of what the `standing` points are worth."""
    return value_au(standing, entry.slice.registry.terms[order.terms_id]) * order.fee_bps // BPS


def expiry(merchant: OpenMerchant, confirmed_at_ms: int) -> int:
    """When a lot confirmed at this time is over; exclusive."""
    if isinstance(merchant.validity, ForDays):
        return confirmed_at_ms + merchant.validity.days * DAY_MS
    return merchant.validity.until_ms


def stands(registry: Registry, order: Order, lot: Lot, left_minor: int) -> int:
    """Points of a lot that stand when `left_minor` of the order's amount are not refunded: in proportion, a referral
    reward by its campaign's rule, and none where the buyer has no point.
    """
    if lot.role not in referral.LEVEL_OF:
        return lot.points * left_minor // order.amount_minor
    base = next(each for each in order.lots if each.role == Role.BASE)
    if not stands(registry, order, base, left_minor):
        return 0
    campaign, terms = registry.campaigns[order.campaign_id], registry.terms[order.terms_id]
    return referral.reward_points(campaign, terms, level=referral.LEVEL_OF[lot.role], amount_minor=left_minor)


def unconfirmed(state: Slice, merchant_id: int, name: str) -> Order:
    """An order of which something is still to be confirmed. Refusals in order: merchant-unknown, order-unknown,
    already-confirmed, order-cancelled.
    """
    if merchant_id not in state.registry.merchants:
        raise Refused("merchant-unknown", "order_merchant_id", merchant_id=merchant_id)
    order = state.orders[merchant_id, name]
    if order is None:
        raise Refused("order-unknown", "order", order=name)
    if order.confirmed_at_ms is not None:
        raise Refused("already-confirmed", "order", confirmed_at_ms=order.confirmed_at_ms)
    if order.refunded_minor == order.amount_minor:
        raise Refused("order-cancelled", "order", order=name)
    return order


def hold(entry: Entry, order: Order) -> dict[str, int | str]:
    """Every lot of a new order is pending: seen, not spendable."""
    for lot in order.lots:
        entry.move(lot.points, debit=accounts.pending(lot.issuer, lot.member_no), credit=accounts.pendings(lot.issuer))
    for lot in order.lots:
        entry.change_lot(lot, points=lot.points)
    return {"points": sum(lot.points for lot in order.lots), "confirm_from_ms": order.confirm_from_ms}


def over_limit(entry: Entry, order: Order) -> int:
    """What the issuer could not bear to pay, were the order confirmed now; 0 if it can."""
    terms = entry.slice.registry.terms[order.terms_id]
    if not reserve.is_backed(terms):
        return 0
    lots = _confirmed_lots(entry, order)
    given = [(entry.slice.identity(mine[0].member_no), sum(lot.standing for lot in mine)) for mine in _by_leg(lots)]
    fee = issuance_fee(entry, order, sum(lot.standing for lot in lots))
    return limits.over_by_issuing(entry.slice, terms, given, fee_au=fee)


def begin(entry: Entry, order: Order, *, hold_ms: int) -> dict[str, int | str]:
    """A new order: confirmed at once without a hold, else pending; so too while its issuer, which would pay for the
    points, is at its limit. The clock asks again.
    """
    if hold_ms or over_limit(entry, order):
        return hold(entry, order)
    return confirm(entry, order, was_pending=False)


def _confirmed_lots(entry: Entry, order: Order) -> list[Lot]:
    """What a confirmation makes spendable."""
    return [lot for lot in order.lots if lot.standing and not _is_own_reward(entry, order, lot)]


def confirm(entry: Entry, order: Order, *, was_pending: bool) -> dict[str, int | str]:
    """Make what stands of the order spendable: a leg for the buyer and one for each level's reward, the fee on the
    first, debts repaid out of each. What a member bought and what rules added is one leg, so that a claw-back of both
    can name it.
    """
    issuer = order.merchant_id
    own = [lot for lot in order.lots if _is_own_reward(entry, order, lot)]
    lots = _confirmed_lots(entry, order)
    standing = sum(lot.standing for lot in lots)
    fee = issuance_fee(entry, order, standing)
    legs = _by_leg(lots)
    repaid = [
        _post_confirmation(entry, order, mine, 0 if i else fee, was_pending=was_pending) for i, mine in enumerate(legs)
    ]
    if fee:
        entry.move(fee, debit=accounts.fees(OPERATOR_ID), credit=accounts.fees(issuer))
    for lot in own:
        entry.move(lot.standing, debit=accounts.pendings(issuer), credit=accounts.pending(issuer, lot.member_no))
    order.confirmed_at_ms = entry.at_ms
    entry.change_order(order)
    expires_at_ms = expiry(entry.slice.registry.merchants[issuer], entry.at_ms)
    for leg, (mine, owed) in enumerate(zip(legs, repaid, strict=True), start=1):
        _open(entry, mine, owed, expires_at_ms, LegRef(entry.seq, leg), was_pending=was_pending)
    for lot in own:
        gone, lot.standing, lot.remaining = lot.standing, 0, 0
        entry.change_lot(lot, points=-gone)
    return {"points": standing, "repaid": sum(repaid), "fee_au": fee}


def _is_own_reward(entry: Entry, order: Order, lot: Lot) -> bool:
    """Whether the buyer would be rewarded for its own order: it was merged with who referred it. That falls away."""
    if lot.role not in referral.LEVEL_OF or not lot.standing:
        return False
    return entry.slice.identity(lot.member_no) == entry.slice.identity(order.member_no)


def _by_leg(lots: list[Lot]) -> list[list[Lot]]:
    """Lots that are confirmed together: what the buyer has of the order, each level's reward on its own, also where
    both went to one person: whoever stood on two levels and was merged. A leg names one level, and its rule gives it.
    """
    if len(lots) <= 1:
        return [lots] if lots else []
    legs: dict[int, list[Lot]] = {}
    for lot in lots:
        legs.setdefault(referral.LEVEL_OF.get(lot.role, 0), []).append(lot)
    return list(legs.values())


def _post_confirmation(entry: Entry, order: Order, lots: list[Lot], fee: int, *, was_pending: bool) -> int:
    """The postings of one leg; answers how much of it repays a debt."""
    issuer, member_no = lots[0].issuer, lots[0].member_no
    given = lots[0].standing if len(lots) == 1 else sum(lot.standing for lot in lots)
    if was_pending:
        entry.move(given, debit=accounts.pendings(issuer), credit=accounts.pending(issuer, member_no))
    reward = _reward(entry.slice.registry, order, lots[0])
    return wallet.credit(
        entry,
        Kind.REFERRAL if reward.level else Kind.EARN,
        member=entry.slice.person(member_no),
        terms=entry.slice.registry.terms[order.terms_id],
        points=given,
        ref=LegRef(entry.seq, 1) if reward.level else None,
        fee_au=fee,
        reward=reward,
    ).repaid


def _reward(registry: Registry, order: Order, lot: Lot) -> Reward:
    """Which campaign pays the lot for what; the first leg of the entry is the buyer's, which the reward names."""
    level = referral.LEVEL_OF.get(lot.role, 0)
    if not level:
        return NO_REWARD
    left = order.amount_minor - order.refunded_minor
    return Reward(order.campaign_id, level, referral.basis_minor(registry.campaigns[order.campaign_id], left))


def _open(
    entry: Entry, lots: list[Lot], repaid: int, expires_at_ms: int, earned_by: LegRef, *, was_pending: bool
) -> None:
    """What is left of each lot when the debt was repaid out of the first ones."""
    for lot in lots:
        owed = min(lot.standing, repaid)
        repaid -= owed
        lot.remaining = lot.standing - owed
        lot.confirmed_at_ms = entry.at_ms
        lot.expires_at_ms = expires_at_ms
        lot.earned_by = earned_by
        entry.change_lot(lot, points=-owed if was_pending else lot.remaining)

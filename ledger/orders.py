"""What several verbs do to an order: confirm what stands of it, price its fee. Called by verbs only.

Invariants: only confirmed points exist for clearing; the issuance fee follows the points that stand, so that reversals
never drift; debt is repaid before a new lot holds anything.
"""

from __future__ import annotations

from ledger import accounts, wallet
from ledger.answers import LegRef
from ledger.commands import ForDays, OpenMerchant
from ledger.entry import Entry
from ledger.lots import value_au
from ledger.refusals import Refused
from ledger.slice import Lot, Order, Slice
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


def confirm(entry: Entry, order: Order, *, was_pending: bool) -> dict[str, int | str]:
    """Make what stands of the order spendable: an EARN leg per lot, the fee on the first, debts repaid out of each."""
    issuer = order.merchant_id
    lots = [lot for lot in order.lots if lot.standing]
    standing = sum(lot.standing for lot in lots)
    fee = issuance_fee(entry, order, standing)
    repaid = [
        _post_confirmation(entry, order, lot, fee if lot is lots[0] else 0, was_pending=was_pending) for lot in lots
    ]
    if fee:
        entry.move(fee, debit=accounts.fees(OPERATOR_ID), credit=accounts.fees(issuer))
    order.confirmed_at_ms = entry.at_ms
    entry.change_order(order)
    expires_at_ms = expiry(entry.slice.registry.merchants[issuer], entry.at_ms)
    for leg, (lot, owed) in enumerate(zip(lots, repaid, strict=True), start=1):
        _open(entry, lot, owed, expires_at_ms, LegRef(entry.seq, leg), was_pending=was_pending)
    return {"points": standing, "repaid": sum(repaid), "fee_au": fee}


def _post_confirmation(entry: Entry, order: Order, lot: Lot, fee: int, *, was_pending: bool) -> int:
    """The postings of one lot; answers how much of it repays a debt."""
    issuer, given = lot.issuer, lot.standing
    if was_pending:
        entry.move(given, debit=accounts.pendings(issuer), credit=accounts.pending(issuer, lot.member_no))
    terms, member = entry.slice.registry.terms[order.terms_id], entry.slice.person(lot.member_no)
    return wallet.credit(entry, Kind.EARN, member=member, terms=terms, points=given, fee_au=fee).repaid


def _open(entry: Entry, lot: Lot, repaid: int, expires_at_ms: int, earned_by: LegRef, *, was_pending: bool) -> None:
    lot.remaining = lot.standing - repaid
    lot.confirmed_at_ms = entry.at_ms
    lot.expires_at_ms = expires_at_ms
    lot.earned_by = earned_by
    entry.change_lot(lot, points=-repaid if was_pending else lot.remaining)

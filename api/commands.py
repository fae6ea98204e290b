"""From what a merchant sent to what the ledger is asked: one command per body. No I/O, no judgement of state.

Invariants: the merchant is the caller's, never a field; equal bodies give equal commands, so that the ledger's
comparison of a repeated key is a comparison of bodies. `scoped` is the only place where a key of the ledger is spelled.
Called by `api.partners`, and by the demo for the same spelling.
"""

from __future__ import annotations

from typing import assert_never

from api.parse import milliseconds
from api.shapes import AnyEvent, MemberJoined, OrderPaid, OrderRefunded, Redemption, RefundOrder
from ledger.commands import Earn, Enrol, Redeem, Refund

Write = Earn | Enrol | Redeem | Refund


def scoped(merchant_id: int, key: str) -> str:
    """The ledger's key for what one merchant calls `key`: no two merchants meet; one's writes share one space."""
    return f"{merchant_id}:{key}"


def of_event(event: AnyEvent, *, merchant_id: int) -> Write:
    """The command of an event; its own id is the key."""
    key, at_ms = scoped(merchant_id, event.id), milliseconds(event.occurred_at)
    match event:
        case OrderPaid():
            return Earn(
                key=key,
                at_ms=at_ms,
                merchant_id=merchant_id,
                member=event.member,
                order=event.order,
                amount_minor=event.amount_minor,
            )
        case OrderRefunded():
            return _refund(event, key=key, at_ms=at_ms, merchant_id=merchant_id)
        case MemberJoined():
            return Enrol(key=key, at_ms=at_ms, member=event.member)
        case _:
            assert_never(event)


def of_redemption(body: Redemption, *, merchant_id: int, key: str) -> Redeem:
    """The command of a redemption, captured at once."""
    return Redeem(
        key=scoped(merchant_id, key),
        at_ms=milliseconds(body.occurred_at),
        merchant_id=merchant_id,
        member=body.member,
        redemption=body.redemption,
        au=body.au,
        at_most=body.at_most,
    )


def of_refund(body: RefundOrder, *, merchant_id: int, key: str) -> Refund:
    """The command of a refund; the same as that of an order.refunded event with this key as its id."""
    return _refund(body, key=scoped(merchant_id, key), at_ms=milliseconds(body.occurred_at), merchant_id=merchant_id)


def _refund(body: OrderRefunded | RefundOrder, *, key: str, at_ms: int, merchant_id: int) -> Refund:
    return Refund(
        key=key,
        at_ms=at_ms,
        merchant_id=merchant_id,
        member=body.member,
        refund=body.refund,
        order=body.order,
        amount_minor=body.amount_minor,
    )

"""Events as commands: an event's own id is its key. Called by `api.events`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from msgspec import UNSET, structs

from api.commands import Asked, scoped
from api.parse import milliseconds
from api.shapes.events import (
    About,
    AnyEvent,
    AnyObserved,
    Birthday,
    CheckedIn,
    ContentLiked,
    CouponRedeemed,
    MemberJoined,
    OrderCancelled,
    OrderCompleted,
    OrderPaid,
    OrderRefunded,
    ReferralBound,
    ShareArrived,
    TaskCompleted,
)
from api.shapes.spending import RefundOrder
from ledger.commands import (
    BindReferral,
    CancelPending,
    Command,
    Confirm,
    Earn,
    Enrol,
    Observe,
    Particulars,
    Refund,
)
from ledger.commands.rewarding import Observable

_TRIGGERS: Mapping[type[AnyObserved], Observable] = {
    CheckedIn: "checkin",
    ShareArrived: "share.arrived",
    ContentLiked: "content.liked",
    TaskCompleted: "task.completed",
    Birthday: "birthday",
    CouponRedeemed: "coupon.redeemed",
}


def of_event(event: AnyEvent, *, merchant_id: int) -> Command:
    """The command of an event."""
    asked = Asked(scoped(merchant_id, event.id), milliseconds(event.occurred_at), merchant_id)
    match event:
        case OrderPaid():
            return _paid(event, asked)
        case OrderRefunded():
            return refund(event, asked)
        case OrderCancelled():
            return CancelPending(key=asked.key, at_ms=asked.at_ms, order_merchant_id=merchant_id, order=event.order)
        case OrderCompleted():
            return Confirm(key=asked.key, at_ms=asked.at_ms, order_merchant_id=merchant_id, order=event.order)
        case CheckedIn() | ShareArrived() | ContentLiked() | TaskCompleted() | Birthday() | CouponRedeemed():
            return _observed(event, asked)
        case MemberJoined():
            return Enrol(key=asked.key, at_ms=asked.at_ms, member=event.member)
        case ReferralBound():
            return BindReferral(key=asked.key, at_ms=asked.at_ms, member=event.member, referrer=event.referrer)
        case _:
            assert_never(event)


def _paid(event: OrderPaid, asked: Asked) -> Earn:
    return Earn(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=asked.merchant_id,
        member=event.member,
        order=event.order,
        amount_minor=event.amount_minor,
        particulars=UNSET if event.about is UNSET else _particulars(event.about),
    )


def _observed(event: AnyObserved, asked: Asked) -> Observe:
    return Observe(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=asked.merchant_id,
        member=event.member,
        event=event.id,
        trigger=_TRIGGERS[type(event)],
        particulars=_particulars(event.about),
    )


def _particulars(about: About) -> Particulars:
    return Particulars(**structs.asdict(about))


def refund(body: OrderRefunded | RefundOrder, asked: Asked) -> Refund:
    """The command of a refund; the same whether it came as an event with this id or with this Idempotency-Key."""
    return Refund(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=asked.merchant_id,
        member=body.member,
        refund=body.refund,
        order=body.order,
        amount_minor=body.amount_minor,
    )

"""Events: what a merchant or a platform saw. Data and its documentation only.

An event's `id` is the merchant's own and is its idempotency key. Integers are integers, times have their offset,
unknown fields are refused. Decoded and documented by `api.events`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from api.shapes.values import Body, Id, Money, Name, Taken

EVENTS_PER_BATCH_MAX = 1_000


class Event(Taken, frozen=True, kw_only=True, tag_field="type"):
    """Something a merchant saw of a member."""

    id: Id


class OrderPaid(Event, frozen=True, kw_only=True, tag="order.paid"):
    """An order was paid: its points are pending for the merchant's hold, then the member's."""

    order: Name
    amount_minor: Money


class OrderRefunded(Event, frozen=True, kw_only=True, tag="order.refunded"):
    """Money was given back: the points it earned go too. `order` null: which order it was is not known."""

    refund: Name
    order: Name | None
    amount_minor: Money


class OrderEvent(Body, frozen=True, kw_only=True, tag_field="type"):
    """Something that became of an order of the caller's."""

    id: Id
    order: Name


class OrderCancelled(OrderEvent, frozen=True, kw_only=True, tag="order.cancelled"):
    """An order was called off before its hold was over: its pending points, referral rewards too, never come."""


class OrderCompleted(OrderEvent, frozen=True, kw_only=True, tag="order.completed"):
    """The hold of an order is over: its points become spendable. Sent or not, the clock sees to it."""


class MemberJoined(Event, frozen=True, kw_only=True, tag="member.joined"):
    """Somebody joined the alliance, with consent."""


class ReferralBound(Event, frozen=True, kw_only=True, tag="referral.bound"):
    """The member came by `referrer`: made once, before the first purchase, never changed."""

    referrer: Name


AnyEvent = OrderPaid | OrderRefunded | OrderCancelled | OrderCompleted | MemberJoined | ReferralBound


class EventBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Events that are taken or refused each for itself, in this order."""

    events: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/AnyEvent"})]],
        Meta(min_length=1, max_length=EVENTS_PER_BATCH_MAX),
    ]
    """Still bytes: each is decoded by itself, so that a bad one does not spoil the rest."""

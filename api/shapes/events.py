"""Events: what a merchant or a platform saw. Data and its documentation only.

An event's `id` is the merchant's own and is its idempotency key. Integers are integers, times have their offset,
unknown fields are refused. Decoded and documented by `api.events`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from api.shapes.values import NAME_CHARS_MAX, Body, Id, Money, Name, Taken
from ledger.rules.days import OffsetMinutes
from ledger.rules.facts import CATEGORIES_MAX

EVENTS_PER_BATCH_MAX = 1_000


Word = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[\x21-\x7e]+\Z")]


class About(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What rules may ask of an event. `utc_offset_minutes` is the member's: whose day it is."""

    utc_offset_minutes: OffsetMinutes = 0
    platform: Word | None = None
    categories: Annotated[tuple[Word, ...], Meta(max_length=CATEGORIES_MAX)] = ()
    coupon: Word | None = None
    task: Word | None = None


class Event(Taken, frozen=True, kw_only=True, tag_field="type"):
    """Something a merchant saw of a member."""

    id: Id


class OrderPaid(Event, frozen=True, kw_only=True, tag="order.paid"):
    """An order was paid: its points are pending for the merchant's hold, then the member's. `about` is for rules."""

    order: Name
    amount_minor: Money
    about: About | UnsetType = UNSET


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


class Observed(Taken, frozen=True, kw_only=True, tag_field="type"):
    """Something a member did that is no order. Its `id` is also its name, beside those of orders: what rules give for
    it is completed or called off under that name.
    """

    id: Name
    about: About = About()


class CheckedIn(Observed, frozen=True, kw_only=True, tag="checkin"):
    """The member checked in; a run counts the member's local days."""


class ShareArrived(Observed, frozen=True, kw_only=True, tag="share.arrived"):
    """Somebody arrived by the member's share token, verified; a tap on share is no arrival."""


class ContentLiked(Observed, frozen=True, kw_only=True, tag="content.liked"):
    """The member liked something."""


class TaskCompleted(Observed, frozen=True, kw_only=True, tag="task.completed"):
    """The member completed a task that is counted elsewhere; `about` says which."""


class Birthday(Observed, frozen=True, kw_only=True, tag="birthday"):
    """It is the member's birthday."""


class CouponRedeemed(Observed, frozen=True, kw_only=True, tag="coupon.redeemed"):
    """The member used a coupon; `about` says which."""


AnyObserved = CheckedIn | ShareArrived | ContentLiked | TaskCompleted | Birthday | CouponRedeemed
AnyEvent = (
    OrderPaid
    | OrderRefunded
    | OrderCancelled
    | OrderCompleted
    | MemberJoined
    | ReferralBound
    | CheckedIn
    | ShareArrived
    | ContentLiked
    | TaskCompleted
    | Birthday
    | CouponRedeemed
)


class EventBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Events that are taken or refused each for itself, in this order."""

    events: Annotated[
        list[Annotated[Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/AnyEvent"})]],
        Meta(min_length=1, max_length=EVENTS_PER_BATCH_MAX),
    ]
    """Still bytes: each is decoded by itself, so that a bad one does not spoil the rest."""

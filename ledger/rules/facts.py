"""What an event says: the closed list of triggers, and the facts that conditions and rewards may look at. No behaviour.

Facts are integers and short words, put together by the verb from its command and from what the slice knows of the
member; a rule can look at nothing else.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

CATEGORIES_MAX: Final = 32
"""Product categories of one order."""

Trigger = Literal[
    "order.paid",
    "order.refunded",
    "member.joined",
    "checkin",
    "share.arrived",
    "content.liked",
    "task.completed",
    "referral.bound",
    "birthday",
    "coupon.redeemed",
]
"""The events of the rule book. `share.arrived` is a verified arrival by a share token, never a tap on share."""

Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+\Z")]
"""A platform, category, coupon or task as the merchant calls it."""


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """One event at one merchant by one member.

    `utc_offset_minutes` is the member's, for days and streaks. `base_points` is what an order earns without rules.
    `tier` counts from 0, the lowest. `first_order`: no earlier order of this member at this merchant. `streak_days` is
    the length of the run of check-in days that ends today, 0 where today was counted before or nothing was checked in.
    """

    trigger: Trigger
    merchant_id: int
    at_ms: int
    utc_offset_minutes: int = 0
    amount_minor: int = 0
    base_points: int = 0
    platform: str | None = None
    categories: tuple[str, ...] = ()
    coupon: str | None = None
    task: str | None = None
    tier: int = 0
    first_order: bool = False
    streak_days: int = 0

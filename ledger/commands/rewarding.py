"""Commands of earning rules: what a merchant promises for events, and the events themselves. No behaviour.

An order is an event too; it is told by `Earn`, with the same particulars.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger.commands.command import Command
from ledger.rules.days import OffsetMinutes
from ledger.rules.facts import CATEGORIES_MAX, Word
from ledger.rules.rule import Rule, RuleNo
from ledger.units import Id, Name

Observable = Literal[
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
"""Every trigger but an order that was paid: that one is earned. A refund takes points back by `Refund`; told as an
event as well, it can be made up for.
"""


class Particulars(Struct, frozen=True, kw_only=True):
    """What rules may ask of an event. `utc_offset_minutes` says which local day it is for the member."""

    utc_offset_minutes: OffsetMinutes = 0
    platform: Word | None = None
    categories: Annotated[tuple[Word, ...], Meta(max_length=CATEGORIES_MAX)] = ()
    coupon: Word | None = None
    task: Word | None = None


class PublishRule(Command, frozen=True, kw_only=True, gc=False, tag="publish_rule"):
    """A merchant promises its points by a rule, or by the next version of one of its rules."""

    merchant_id: Id
    rule: Rule


class WithdrawRule(Command, frozen=True, kw_only=True, gc=False, tag="withdraw_rule"):
    """The rule grants nothing for events from `at_ms` on, and its number is not used again."""

    rule_id: RuleNo


class Observe(Command, frozen=True, kw_only=True, gc=False, tag="observe"):
    """A merchant saw something a member did that is no order. `event` is its name, of the same kind as those of orders:
    what rules give for it is confirmed or called off under that name.
    """

    merchant_id: Id
    member: Name
    event: Name
    trigger: Observable
    particulars: Particulars = Particulars()

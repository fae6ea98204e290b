"""A rule: trigger, condition, reward, caps, validity, stacking, in versions. Data, and what makes it sound.

A rule belongs to one merchant and pays in that merchant's points. `rule_id` is unique in the alliance; a later version
takes over from its `valid_from_ms` on, with the same counters. Travels inside a command; read by the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.rules import conditions, rewards, task
from ledger.rules.caps import Caps
from ledger.rules.conditions import Condition, FirstOrder, Streak
from ledger.rules.facts import Trigger, Word
from ledger.rules.rewards import Fixed, PerStreakDay, Reward, TimesBase
from ledger.rules.task import Steps
from ledger.units import DurationMs, Millis

RULES_PER_MERCHANT_MAX: Final = 64
VERSIONS_PER_RULE_MAX: Final = 1_000
RULE_ID_MAX: Final = 2**31 - 1
RANK_MAX: Final = 1_000

RuleNo = Annotated[int, Meta(ge=1, le=RULE_ID_MAX)]
VersionNo = Annotated[int, Meta(ge=1, le=VERSIONS_PER_RULE_MAX)]


class Additive(Struct, frozen=True, tag="additive", tag_field="kind"):
    """Grants on top of whatever else is granted."""


class Best(Struct, frozen=True, tag="best", tag_field="kind"):
    """Of the group only the rule that grants most pays, the lowest number among equals."""

    group: Word


class First(Struct, frozen=True, tag="first", tag_field="kind"):
    """Of the group only the first rule that grants anything pays, by (rank, number)."""

    group: Word
    rank: Annotated[int, Meta(ge=0, le=RANK_MAX)] = 0


class Rule(Struct, frozen=True, kw_only=True):
    """One version of one rule. In force for events with valid_from_ms ≤ at_ms < valid_until_ms (None: without end).

    With `steps` it is a composite task: the trigger is `task.completed`, the steps carry the conditions, and the reward
    is paid when the last step is done. `hold_ms` is how long points wait that no order brings; an order's wait with it.
    """

    rule_id: RuleNo
    trigger: Trigger
    reward: Reward
    version: VersionNo = 1
    condition: Condition | None = None
    caps: Caps = Caps()
    valid_from_ms: Millis = 0
    valid_until_ms: Millis | None = None
    stacking: Additive | Best | First = Additive()
    steps: Steps = ()
    hold_ms: DurationMs = 0


def unreadable(rule: Rule) -> str | None:
    """Why the rule is none at all: what nests in it without end. Asked of rules whose values nobody has checked."""
    found = (conditions.unreadable(each) for each in _conditions(rule))
    return next((each for each in found if each), None)


def _conditions(rule: Rule) -> Iterator[Condition]:
    """Its own, and those of its steps."""
    for condition in (rule.condition, *(step.condition for step in rule.steps)):
        if condition is not None:
            yield condition


def problem(rule: Rule) -> str | None:
    """The first reason, as a sentence, why the rule could not do what it says; None if it is sound."""
    return next(_problems(rule), None)


def _problems(rule: Rule) -> Iterator[str]:
    for each in _conditions(rule):
        if found := conditions.problem(each):
            yield found
    if found := rewards.problem(rule.reward) or task.problem(rule.steps):
        yield found
    if rule.valid_until_ms is not None and rule.valid_until_ms <= rule.valid_from_ms:
        yield "a rule ends after it starts"
    if rule.steps:
        yield from _task_problems(rule)
    if rule.hold_ms and rule.trigger == "order.paid":
        yield "points of an order wait as long as the order does"
    parts = [(rule.trigger, rule.condition), *((step.trigger, step.condition) for step in rule.steps)]
    for trigger, condition in parts:
        if condition is not None and trigger != "order.paid" and conditions.mentions(condition, FirstOrder):
            yield "only an order is a first order"
        if condition is not None and trigger != "checkin" and conditions.mentions(condition, Streak):
            yield "only check-ins have a streak"
    if isinstance(rule.reward, TimesBase) and rule.trigger != "order.paid":
        yield "only orders have base points to multiply"
    if isinstance(rule.reward, PerStreakDay) and rule.trigger != "checkin":
        yield "only check-ins have a streak"


def _task_problems(rule: Rule) -> Iterator[str]:
    """What would make the outcome depend on which step comes last."""
    if rule.trigger != "task.completed":
        yield "a rule with steps waits for task.completed"
    if rule.condition is not None:
        yield "the conditions of a task belong to its steps"
    if not isinstance(rule.reward, Fixed):
        yield "the reward of a task is fixed"


def in_force(versions: Sequence[Rule], at_ms: int) -> Rule | None:
    """Of the versions of one rule, ascending, the one that an event at this time meets: the newest that has begun, if
    it is not over.
    """
    for rule in reversed(versions):
        if rule.valid_from_ms <= at_ms:
            return rule if rule.valid_until_ms is None or at_ms < rule.valid_until_ms else None
    return None

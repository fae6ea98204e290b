"""Conditions: when a rule applies. A small closed set of comparisons over facts, put together by all, any and not.

Data, never code: a condition travels inside a command and stands in the journal. `holds` is total: every condition
that `problem` has nothing against has an answer for all facts. Called by `ledger.rules`.
"""

from __future__ import annotations

from typing import Annotated, Final, assert_never

from msgspec import Meta, Struct

from ledger.rules.days import OffsetMinutes, hour_of, weekday_of
from ledger.rules.facts import Facts, Word
from ledger.units import Id, NotNegative

CONDITION_DEPTH_MAX: Final = 6
CONDITION_PARTS_MAX: Final = 64
"""Comparisons and connectives of one condition together."""
NESTED_DEPTH_MAX: Final = 64
NESTED_PARTS_MAX: Final = 4_096
"""What is read at all: deeper or larger is no condition, and asked before anything recursive looks at it."""
LISTED_MAX: Final = 64
"""Words or numbers in one list."""
TIER_MAX: Final = 15
STREAK_DAYS_MAX: Final = 36_600

Words = Annotated[tuple[Word, ...], Meta(min_length=1, max_length=LISTED_MAX)]
Parts = Annotated[tuple["Condition", ...], Meta(min_length=1, max_length=LISTED_MAX)]


class All(Struct, frozen=True, tag="all", tag_field="kind"):
    """Every part holds."""

    of: Parts


class Either(Struct, frozen=True, tag="any", tag_field="kind"):
    """At least one part holds."""

    of: Parts


class Not(Struct, frozen=True, tag="not", tag_field="kind"):
    """The part does not hold."""

    of: Condition


class Amount(Struct, frozen=True, tag="amount", tag_field="kind"):
    """at_least ≤ amount ≤ at_most, in minor units; None: no upper bound."""

    at_least: NotNegative = 0
    at_most: NotNegative | None = None


class Merchant(Struct, frozen=True, tag="merchant", tag_field="kind"):
    """The event was seen by one of these merchants."""

    among: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=LISTED_MAX)]


class Platform(Struct, frozen=True, tag="platform", tag_field="kind"):
    """The event came from one of these platforms."""

    among: Words


class Weekday(Struct, frozen=True, tag="weekday", tag_field="kind"):
    """It is one of these days (Monday 1 to Sunday 7) in a zone of its own, the shop's say."""

    among: Annotated[tuple[Annotated[int, Meta(ge=1, le=7)], ...], Meta(min_length=1, max_length=7)]
    utc_offset_minutes: OffsetMinutes = 0


class Hour(Struct, frozen=True, tag="hour", tag_field="kind"):
    """From ≤ local hour < until; an interval that ends before it starts passes midnight, an empty one never holds."""

    from_hour: Annotated[int, Meta(ge=0, le=23)]
    until_hour: Annotated[int, Meta(ge=0, le=24)]
    utc_offset_minutes: OffsetMinutes = 0


class TierAtLeast(Struct, frozen=True, tag="tier", tag_field="kind"):
    """The member stands in this tier or above; 0 is the lowest."""

    at_least: Annotated[int, Meta(ge=0, le=TIER_MAX)]


class FirstOrder(Struct, frozen=True, tag="first_order", tag_field="kind"):
    """The member's first order at this merchant."""


class Category(Struct, frozen=True, tag="category", tag_field="kind"):
    """The order holds a product of one of these categories."""

    among: Words


class Coupon(Struct, frozen=True, tag="coupon", tag_field="kind"):
    """One of these coupons was used."""

    among: Words


class Task(Struct, frozen=True, tag="task", tag_field="kind"):
    """One of these tasks was completed, for tasks that are counted elsewhere."""

    among: Words


class Streak(Struct, frozen=True, tag="streak", tag_field="kind"):
    """Today's check-in made a run of at_least to at_most days; None: no upper bound."""

    at_least: Annotated[int, Meta(ge=1, le=STREAK_DAYS_MAX)]
    at_most: Annotated[int, Meta(ge=1, le=STREAK_DAYS_MAX)] | None = None


Condition = (
    All
    | Either
    | Not
    | Amount
    | Merchant
    | Platform
    | Weekday
    | Hour
    | TierAtLeast
    | FirstOrder
    | Category
    | Coupon
    | Task
    | Streak
)


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether these facts meet the condition."""
    match condition:
        case All(of):
            return all(holds(part, facts) for part in of)
        case Either(of):
            return any(holds(part, facts) for part in of)
        case Not(part):
            return not holds(part, facts)
        case Amount(low, high):
            return _within(facts.amount_minor, low, high)
        case Merchant(among):
            return facts.merchant_id in among
        case Platform(among):
            return facts.platform in among
        case Weekday(among, offset):
            return weekday_of(facts.at_ms, offset) in among
        case Hour(begin, end, offset):
            return _within_hours(hour_of(facts.at_ms, offset), begin, end)
        case TierAtLeast(tier):
            return facts.tier >= tier
        case FirstOrder():
            return facts.first_order
        case Category(among):
            return not set(among).isdisjoint(facts.categories)
        case Coupon(among):
            return facts.coupon in among
        case Task(among):
            return facts.task in among
        case Streak(low, high):
            return _within(facts.streak_days, low, high)
        case _:
            assert_never(condition)


def _within(value: int, low: int, high: int | None) -> bool:
    return low <= value and (high is None or value <= high)


def _within_hours(hour: int, begin: int, end: int) -> bool:
    return begin <= hour < end if begin <= end else hour >= begin or hour < end


def problem(condition: Condition) -> str | None:
    """Why the condition cannot be used, if so: too deep or too many parts. The types have checked the rest."""
    return _too_large(condition, CONDITION_DEPTH_MAX, CONDITION_PARTS_MAX)


def unreadable(condition: Condition) -> str | None:
    """Why it is no condition at all, whatever stands in it."""
    return _too_large(condition, NESTED_DEPTH_MAX, NESTED_PARTS_MAX)


def _too_large(condition: Condition, depth_max: int, parts_max: int) -> str | None:
    """Layer by layer, not recursively: how deep the interpreter goes is nobody's limit."""
    layer, parts = [condition], 0
    for _ in range(depth_max):
        parts += len(layer)
        if parts > parts_max:
            return f"a condition has at most {parts_max} parts"
        layer = [part for each in layer for part in _parts(each)]
        if not layer:
            return None
    return f"a condition is at most {depth_max} deep"


def _parts(condition: Condition) -> tuple[Condition, ...]:
    match condition:
        case All(of) | Either(of):
            return of
        case Not(part):
            return (part,)
        case _:
            return ()


def mentions(condition: Condition, kind: type[Struct]) -> bool:
    """Whether a comparison of this kind occurs anywhere in it."""
    return isinstance(condition, kind) or any(mentions(part, kind) for part in _parts(condition))

"""Rewards: how many points a rule asks for when it applies. Four closed kinds; integers in and out, always floored.

A multiplier is of the base points of an order and asks for what comes on top of them. Called by `ledger.rules`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, assert_never

from msgspec import Meta, Struct

from ledger.rules.facts import Facts
from ledger.units import RatePart

STREAK_TABLE_DAYS_MAX: Final = 366
REWARD_POINTS_MAX: Final = 10**9
"""Fixed points of one event."""
FACTOR_PART_MAX: Final = 10_000

FixedPoints = Annotated[int, Meta(ge=1, le=REWARD_POINTS_MAX)]
FactorPart = Annotated[int, Meta(ge=1, le=FACTOR_PART_MAX)]


class PerAmount(Struct, frozen=True, tag="per_amount", tag_field="kind"):
    """`points` for every `per_minor` minor units paid: floor(amount · points / per_minor)."""

    points: Annotated[int, Meta(ge=1, le=1_000_000)]
    per_minor: RatePart


class Fixed(Struct, frozen=True, tag="fixed", tag_field="kind"):
    """The same for every event."""

    points: FixedPoints


class TimesBase(Struct, frozen=True, tag="times_base", tag_field="kind"):
    """Base and reward together are floor(base · num / den), num > den: double points are 2/1."""

    num: FactorPart
    den: FactorPart


class PerStreakDay(Struct, frozen=True, tag="per_streak_day", tag_field="kind"):
    """`points[n-1]` on the n-th day of a run, once a day. After the table: start again, stay at its end, or stop."""

    points: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=REWARD_POINTS_MAX)], ...],
        Meta(min_length=1, max_length=STREAK_TABLE_DAYS_MAX),
    ]
    then: Literal["again", "stay", "stop"] = "again"


Reward = PerAmount | Fixed | TimesBase | PerStreakDay


def asked(reward: Reward, facts: Facts) -> int:
    """The points this reward asks for, before any cap; never negative."""
    match reward:
        case PerAmount():
            return facts.amount_minor * reward.points // reward.per_minor
        case Fixed():
            return reward.points
        case TimesBase():
            return facts.base_points * reward.num // reward.den - facts.base_points
        case PerStreakDay():
            return _on_day(reward, facts.streak_days)
        case _:
            assert_never(reward)


def _on_day(reward: PerStreakDay, day: int) -> int:
    table = reward.points
    if day == 0 or (reward.then == "stop" and day > len(table)):
        return 0
    return table[min(day, len(table)) - 1] if reward.then == "stay" else table[(day - 1) % len(table)]


def problem(reward: Reward) -> str | None:
    """Why the reward cannot be used, if so."""
    if isinstance(reward, TimesBase) and reward.num <= reward.den:
        return "a multiplier is above one"
    if isinstance(reward, PerStreakDay) and not any(reward.points):
        return "a streak table gives something on some day"
    return None

"""When a rule applies, and when a rule could not do what it says. Read as the rule book writes it, from plain data.

Days and hours are those of a calendar: the instant is put on the clock that hangs where the offset says, and the
calendar of the standard library says which day of the week that is. An event knows what happened, where and when, and
of the member what the books said before: the tier, whether this is the first order, how many days in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.oracle.books import Command

DEPTH_MAX, PARTS_MAX, STEP_DAYS_MAX = 6, 64, 100
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # a clock on a wall knows no zone


@dataclass
class Event:
    """What a rule may look at."""

    merchant: int
    member: str
    trigger: str
    at_ms: int
    amount: int = 0
    base: int = 0
    said: Command = field(default_factory=dict)
    """The particulars."""
    tier: int = 0
    first_order: bool = False
    streak_days: int = 0

    def clock(self, offset_minutes: int) -> datetime:
        """What a clock shows that is so far ahead."""
        return EPOCH + timedelta(milliseconds=self.at_ms, minutes=offset_minutes)

    def day(self) -> int:
        """The member's day."""
        return self.clock(self.said.get("utc_offset_minutes", 0)).toordinal()


def holds(condition: Command | None, event: Event) -> bool:
    """Whether it applies; a rule without a condition always does."""
    return condition is None or ASKED[condition["kind"]](condition, event)


def between(value: int, condition: Command) -> bool:
    return bool(value >= condition["at_least"] and (condition["at_most"] is None or value <= condition["at_most"]))


def is_hour(condition: Command, event: Event) -> bool:
    """Walk round the clock from the first hour until the last, which is not among them."""
    hour, hours = condition["from_hour"], list[int]()
    while hour != condition["until_hour"] % 24 or (not hours and condition["until_hour"] == 24 and hour == 0):
        hours.append(hour)
        hour = (hour + 1) % 24
    return event.clock(condition["utc_offset_minutes"]).hour in hours


ASKED: dict[str, Callable[[Command, Event], bool]] = {
    "all": lambda asked, event: not [part for part in asked["of"] if not holds(part, event)],
    "any": lambda asked, event: bool([part for part in asked["of"] if holds(part, event)]),
    "not": lambda asked, event: not holds(asked["of"], event),
    "amount": lambda asked, event: between(event.amount, asked),
    "merchant": lambda asked, event: event.merchant in asked["among"],
    "platform": lambda asked, event: event.said.get("platform") in asked["among"],
    "weekday": lambda asked, event: event.clock(asked["utc_offset_minutes"]).isoweekday() in asked["among"],
    "hour": is_hour,
    "tier": lambda asked, event: event.tier >= asked["at_least"],
    "first_order": lambda _, event: event.first_order,
    "category": lambda asked, event: any(each in asked["among"] for each in event.said.get("categories", ())),
    "coupon": lambda asked, event: event.said.get("coupon") in asked["among"],
    "task": lambda asked, event: event.said.get("task") in asked["among"],
    "streak": lambda asked, event: between(event.streak_days, asked),
}


def parts(condition: Command | None) -> Iterator[tuple[int, Command]]:
    """(depth, part) of the condition and everything inside it."""
    if condition is None:
        return
    yield 1, condition
    inside: Any = condition.get("of", [])
    for each in [inside] if isinstance(inside, dict) else inside:
        yield from ((depth + 1, part) for depth, part in parts(each))


def asks(condition: Command | None, kind: str) -> bool:
    """Whether a part of it is of this kind."""
    return any(part["kind"] == kind for _, part in parts(condition))


def unsound(rule: Command) -> bool:
    """Whether the rule could not do what it says."""
    reward, trigger, steps, ends = rule["reward"], rule["trigger"], rule["steps"], rule["valid_until_ms"]
    asked = [(trigger, rule["condition"]), *((step["trigger"], step["condition"]) for step in steps)]
    return bool(
        any(too_large(condition) or misplaced(when, condition) for when, condition in asked)
        or (reward["kind"] == "times_base" and (trigger != "order.paid" or reward["num"] <= reward["den"]))
        or (reward["kind"] == "per_streak_day" and (trigger != "checkin" or not sum(reward["points"])))
        or (ends is not None and ends <= rule["valid_from_ms"])
        or (rule["hold_ms"] and trigger == "order.paid")
        or (steps and not is_task(rule))
    )


def too_large(condition: Command | None) -> bool:
    found = list(parts(condition))
    return len(found) > PARTS_MAX or any(depth > DEPTH_MAX for depth, _ in found)


def misplaced(trigger: str, condition: Command | None) -> bool:
    """Only an order is a first order, and only check-ins have a streak."""
    first = asks(condition, "first_order") and trigger != "order.paid"
    return first or (asks(condition, "streak") and trigger != "checkin")


def is_task(rule: Command) -> bool:
    """With steps: a fixed reward for the last of them, conditions in the steps, each step says what it waits for."""
    for step in rule["steps"]:
        if step["trigger"] == "task.completed" and step["condition"] is None:
            return False
        if step["daily"] and step["times"] > STEP_DAYS_MAX:
            return False
    return bool(rule["trigger"] == "task.completed" and rule["condition"] is None and rule["reward"]["kind"] == "fixed")

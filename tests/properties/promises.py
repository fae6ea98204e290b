"""Random earning rules and random events for them: conditions inside conditions, caps that are soon reached, budgets
that run out, streaks over members' days, tasks of several steps. Aimed so that most rules could do what they say.
"""

from __future__ import annotations

from typing import Any

from tests.properties.dice import Dice
from tests.properties.worlds import DAY_MS, MERCHANTS, Plain
from tests.properties.zones import HOMES, SHANGHAI, ZONES, Zone

HOUR_MS = 3_600_000
RULES = 80
PLATFORMS, CATEGORIES = ("app", "web", "till"), ("tea", "toys", "books")
COUPONS, QUIZZES = ("TEN", "VIP"), ("quiz", "tour")
TRIGGERS = ("order.paid",) * 4 + ("checkin",) * 3 + ("birthday", "task.completed", "share.arrived")
"""What rules wait for; events are of these kinds, and now and then of one that hardly any rule waits for."""
EVENTS = ("checkin",) * 5 + ("birthday", "task.completed", "task.completed", "share.arrived", "content.liked")
REWARDS: tuple[Plain, ...] = (
    {"kind": "fixed", "points": 7},
    {"kind": "fixed", "points": 400},
    {"kind": "per_amount", "points": 2, "per_minor": 300},
    {"kind": "times_base", "num": 3, "den": 2},
)
STREAKS: tuple[Plain, ...] = (
    {"kind": "per_streak_day", "points": (5, 0, 9), "then": "again"},
    {"kind": "per_streak_day", "points": (1, 2, 3, 70), "then": "stay"},
    {"kind": "per_streak_day", "points": (0, 11), "then": "stop"},
)
CAPS: dict[str, tuple[Any, ...]] = {
    "event_points": (5, 90),
    "member_points": (30, 500),
    "member_times": (1, 3),
    "member_day_points": (10, 300),
    "member_day_times": (1, 2),
    "budget_points": (50, 900),
    "whole": (True, False),
}
DAYS_APART = (1, 1, 1, 1, 1, 2, 2, 2, 0, -1, -1, -1, -2, -30, -31, 31, 32)
"""Of a check-in from the newest one before it: mostly the next day; late ones; as late as still counts, and later."""


class Promises(Dice):
    """Rules, and what happens to them."""

    def publish_rule(self) -> Plain:
        """A new rule, or the next version of one."""
        rules = self.oracle.books.rules
        number = self.one_of(list(rules)) if rules and self.chance(35) else 1 + self.dice.randrange(RULES)
        known = rules.get(number)
        steps = known.versions[0]["steps"] if known and self.chance(95) else self.steps()
        rule = {
            "rule_id": number,
            "version": len(known.versions) + 1 if known and self.chance(95) else 1,
            "caps": {cap: self.dice.choice(sizes) for cap, sizes in CAPS.items() if self.chance(30)},
            "valid_from_ms": max(0, self.at_ms + self.dice.choice((-HOUR_MS, 0, HOUR_MS))),
            "valid_until_ms": self.at_ms + DAY_MS * self.dice.randrange(3) if self.chance(20) else None,
            "stacking": self.stacking(),
            "steps": steps,
            **(self.task() if steps else self.simple()),
        }
        return {"merchant_id": known.merchant if known and self.chance(95) else self.merchant(), "rule": rule}

    def stacking(self) -> Plain:
        group = self.dice.choice(("red", "blue"))
        ways = ({"kind": "additive"}, {"kind": "best", "group": group}, {"kind": "first", "group": group, "rank": 1})
        return self.dice.choice(ways)

    def simple(self) -> Plain:
        """What a rule without steps waits for and gives; now and then something that it cannot."""
        trigger = self.dice.choice(TRIGGERS) if self.chance(97) else "order.refunded"
        rewards = REWARDS[:2] if trigger != "order.paid" and self.chance(95) else REWARDS
        return {
            "trigger": trigger,
            "reward": self.dice.choice(STREAKS if trigger == "checkin" and self.chance(60) else rewards),
            "condition": self.condition(trigger, 5) if self.chance(60) else None,
            "hold_ms": self.dice.choice((0, HOUR_MS)) if trigger != "order.paid" or self.chance(3) else 0,
        }

    def task(self) -> Plain:
        condition = self.condition("task.completed", 1) if self.chance(3) else None
        reward = self.dice.choice(REWARDS[:2]) if self.chance(97) else REWARDS[2]
        return {"trigger": "task.completed", "reward": reward, "condition": condition, "hold_ms": 0}

    def steps(self) -> list[Plain]:
        """Mostly none; of a task up to three, in any order, some of them once a day."""
        return [self.step() for _ in range(self.dice.randrange(1, 4))] if self.chance(30) else []

    def step(self) -> Plain:
        trigger = self.dice.choice(TRIGGERS)
        return {
            "trigger": trigger,
            "times": self.dice.choice((1, 1, 2, 3)),
            "condition": self.condition(trigger, 3) if trigger == "task.completed" or self.chance(25) else None,
            "daily": self.chance(40),
        }

    def condition(self, trigger: str, depth: int) -> Plain:
        """Comparisons and connectives, at most so deep; once in a while deeper than may be."""
        kind = self.dice.choice(("all", "any", "any", "any", "not", "leaf", "leaf", "leaf"))
        if depth <= 1 and not self.chance(1):
            kind = "leaf"
        if kind == "leaf":
            return self.comparison(trigger)
        if kind == "not":
            return {"kind": "not", "of": self.condition(trigger, depth - 1)}
        return {"kind": kind, "of": [self.condition(trigger, depth - 1) for _ in range(self.dice.randrange(1, 4))]}

    def comparison(self, trigger: str) -> Plain:
        offset = self.zone().offset_at(self.at_ms)
        low = self.dice.choice((0, 100, 5_000))
        hours = self.dice.randrange(24), self.dice.randrange(25)
        common: list[Plain] = [
            {"kind": "amount", "at_least": low, "at_most": self.dice.choice((None, low, 20_000))},
            {"kind": "merchant", "among": self.some(MERCHANTS)},
            {"kind": "platform", "among": self.some(PLATFORMS)},
            {"kind": "weekday", "among": self.some(range(1, 8)), "utc_offset_minutes": offset},
            {"kind": "hour", "from_hour": hours[0], "until_hour": hours[1], "utc_offset_minutes": offset},
            {"kind": "tier", "at_least": self.dice.randrange(3)},
            {"kind": "category", "among": self.some(CATEGORIES)},
            {"kind": "coupon", "among": self.some(COUPONS)},
            {"kind": "task", "among": self.some(QUIZZES)},
        ]
        streak = self.dice.randrange(1, 4)
        own: dict[str, Plain] = {
            "order.paid": {"kind": "first_order"},
            "checkin": {"kind": "streak", "at_least": streak, "at_most": self.dice.choice((None, streak + 1))},
        }
        if trigger in own and self.chance(30):
            return own[trigger]
        return self.dice.choice([*common, *own.values()] if self.chance(2) else common)

    def some(self, things: Any) -> list[Any]:
        """One, two or three of them."""
        return [self.dice.choice(things) for _ in range(self.dice.randrange(1, 4))]

    def withdraw_rule(self) -> Plain:
        rules = list(self.oracle.books.rules)
        return {"rule_id": self.dice.choice(rules) if rules and self.chance(80) else 99}

    def observe(self) -> Plain:
        merchant, trigger = self.awaited()
        usual: Plain = {"merchant_id": merchant, "member": self.member(), "event": self.name(), "trigger": trigger}
        told = usual | (self.next_check_in() if trigger == "checkin" else {})
        particulars = self.particulars(told["member"], told.get("at_ms", self.at_ms))
        return told | {"particulars": particulars | {"task": self.dice.choice((None, *QUIZZES))}}

    def awaited(self) -> tuple[int, str]:
        """A merchant and what may happen there: most likely something that a rule of it waits for."""
        rules = [rule for rule in self.oracle.books.rules.values() if rule.withdrawn_ms is None]
        if not rules or self.chance(30):
            return self.merchant(), self.dice.choice(EVENTS)
        rule = self.dice.choice(rules)
        newest = rule.versions[-1]
        waits = [each["trigger"] for each in newest["steps"] or [newest] if each["trigger"] != "order.paid"]
        return rule.merchant, self.dice.choice(waits or EVENTS)

    def next_check_in(self) -> Plain:
        """Most likely of somebody who checked in before, on a day near the newest: so that streaks come about."""
        known = self.oracle.books.check_ins
        if not known or self.chance(20):
            return {}
        merchant, member = self.one_of(list(known))
        at_ms = max(known[merchant, member]) - DAY_ZERO + self.dice.choice(DAYS_APART)
        zone = HOMES.get(member, SHANGHAI)
        within = self.dice.choice((0, 1, DAY_MS // 2, DAY_MS - 1))
        at_ms = at_ms * DAY_MS + within
        at_ms -= zone.offset_at(at_ms) * 60_000
        return {"merchant_id": merchant, "member": member, "at_ms": max(0, at_ms)}

    def particulars(self, member: str, at_ms: int) -> Plain:
        """What is told of an event of a member; the clock on the member's wall, mostly."""
        zone = HOMES.get(member, SHANGHAI) if self.chance(95) else self.zone()
        return {
            "utc_offset_minutes": zone.offset_at(at_ms),
            "platform": self.dice.choice((None, *PLATFORMS)),
            "categories": self.some(CATEGORIES) if self.chance(50) else [],
            "coupon": self.dice.choice((None, *COUPONS)),
        }

    def zone(self) -> Zone:
        return self.dice.choice(ZONES)

    def midnight(self) -> int:
        """Round about the moment at which the next day begins where it begins next."""
        return min(zone.midnight_after(self.at_ms) for zone in ZONES) + self.dice.choice((-1, 0, 1))


DAY_ZERO = 719_163
"""1970-01-01 as the oracle counts days."""

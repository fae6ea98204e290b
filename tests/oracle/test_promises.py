"""The oracle's earning rules against answers worked out by hand: conditions, streaks, tasks, caps, first orders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.alone import Alone
from tests.oracle.books import DAY_MS
from tests.oracle.conditions import Event, holds, unsound

HOUR_MS = 3_600_000
CAPS: dict[str, Any] = dict.fromkeys(
    ("event_points", "member_points", "member_times", "member_day_points", "member_day_times", "budget_points")
) | {"whole": False}
RULE: dict[str, Any] = {
    "rule_id": 1,
    "version": 1,
    "trigger": "checkin",
    "reward": {"kind": "fixed", "points": 10},
    "condition": None,
    "caps": CAPS,
    "valid_from_ms": 0,
    "valid_until_ms": None,
    "stacking": {"kind": "additive"},
    "steps": [],
    "hold_ms": 0,
}
TIMES_TWO = {"kind": "times_base", "num": 2, "den": 1}


def alone(*rules: dict[str, Any]) -> Alone:
    """One issuer, one point for 100, with these rules."""
    found = Alone.founded(rates={1: (1, 1)})
    for rule in rules:
        found.done("publish_rule", merchant_id=1, rule=RULE | rule)
    return found


def step(trigger: str, times: int = 1, *, daily: bool = False) -> dict[str, Any]:
    return {"trigger": trigger, "times": times, "condition": None, "daily": daily}


def sees(found: Alone, trigger: str, at_ms: int = 0, member: str = "m", **particulars: Any) -> Any:
    """What rules said of an event."""
    event = f"e{found.serial}"
    told = {"merchant_id": 1, "member": member, "event": event, "trigger": trigger, "particulars": particulars}
    return found.ask("observe", at_ms=at_ms, **told).get("rules")


def buys(found: Alone, amount_minor: int, at_ms: int = 0, member: str = "m", **particulars: Any) -> Any:
    told = {"merchant_id": 1, "member": member, "order": f"o{found.serial}", "particulars": particulars}
    return found.ask("earn", at_ms=at_ms, amount_minor=amount_minor, **told).get("rules")


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ({"kind": "hour", "from_hour": 22, "until_hour": 3, "utc_offset_minutes": 0}, 2 * HOUR_MS, 3 * HOUR_MS),
        ({"kind": "hour", "from_hour": 0, "until_hour": 24, "utc_offset_minutes": 0}, 5 * HOUR_MS, None),
        ({"kind": "hour", "from_hour": 5, "until_hour": 5, "utc_offset_minutes": 0}, None, 5 * HOUR_MS),
        ({"kind": "hour", "from_hour": 8, "until_hour": 9, "utc_offset_minutes": 480}, 0, HOUR_MS),
        ({"kind": "weekday", "among": [4], "utc_offset_minutes": 0}, 0, DAY_MS),
        ({"kind": "weekday", "among": [3], "utc_offset_minutes": -1}, 0, 60_000),
    ],
)
def test_the_first_day_of_1970_was_a_thursday(condition: dict[str, Any], yes: int | None, no: int | None) -> None:
    for at_ms, expected in ((yes, True), (no, False)):
        if at_ms is not None:
            assert holds(condition, Event(1, "m", "order.paid", at_ms)) is expected
            assert holds({"kind": "not", "of": condition}, Event(1, "m", "order.paid", at_ms)) is not expected


def test_all_and_any_are_nested() -> None:
    small = {"kind": "amount", "at_least": 0, "at_most": 100}
    web = {"kind": "platform", "among": ["web"]}
    condition = {"kind": "any", "of": [{"kind": "all", "of": [small, web]}, {"kind": "tier", "at_least": 2}]}
    for amount, platform, tier, expected in [(100, "web", 0, True), (101, "web", 0, False), (101, None, 2, True)]:
        event = Event(1, "m", "order.paid", 0, amount=amount, said={"platform": platform}, tier=tier)
        assert holds(condition, event) is expected


def test_what_could_not_do_what_it_says_is_unsound() -> None:
    deep: dict[str, Any] = {"kind": "first_order"}
    for _ in range(6):
        assert not unsound(RULE | {"trigger": "order.paid", "condition": deep})
        deep = {"kind": "not", "of": deep}
    wide = {"kind": "all", "of": [{"kind": "coupon", "among": ["A"]}] * 64}
    streak = {"kind": "per_streak_day", "points": [1], "then": "again"}
    task = {"steps": [step("birthday")], "trigger": "task.completed"}
    wrongs: list[dict[str, Any]] = [
        {"trigger": "order.paid", "condition": deep},
        {"condition": wide},
        {"condition": {"kind": "first_order"}},
        {"trigger": "birthday", "reward": streak},
        {"reward": streak | {"points": [0, 0]}},
        {"reward": TIMES_TWO},
        {"trigger": "order.paid", "hold_ms": 1},
        {"valid_from_ms": 5, "valid_until_ms": 5},
        task | {"steps": [step("task.completed")]},
        task | {"steps": [step("birthday", 101, daily=True)]},
        task | {"trigger": "birthday"},
        task | {"reward": {"kind": "per_amount", "points": 1, "per_minor": 1}},
    ]
    for wrong in wrongs:
        assert unsound(RULE | wrong), wrong
    assert not unsound(RULE | task)


def test_a_streak_counts_the_days_of_the_members_wall() -> None:
    """Clocks go forward between the second day and the third, which has 23 hours: three days are three days."""
    found = alone({"reward": {"kind": "per_streak_day", "points": [1, 2, 4], "then": "stay"}})
    said = [
        sees(found, "checkin", at_ms, utc_offset_minutes=offset)
        for at_ms, offset in [
            (DAY_MS - HOUR_MS - 1, 60),
            (DAY_MS - HOUR_MS, 60),
            (DAY_MS + 22 * HOUR_MS - 1, 120),
            (DAY_MS + 22 * HOUR_MS, 120),
            (3 * DAY_MS, 120),
        ]
    ]
    assert said == [
        {"rule:1": (1, 1, "granted")},
        {"rule:1": (2, 2, "granted")},
        None,
        {"rule:1": (4, 4, "granted")},
        {"rule:1": (4, 4, "granted")},
    ]


def test_a_late_check_in_closes_its_gap_unless_it_is_too_late() -> None:
    found = alone({"reward": {"kind": "per_streak_day", "points": list(range(1, 50)), "then": "stop"}})
    for day in (40, 42, 41, 11, 12):
        sees(found, "checkin", day * DAY_MS)
    assert found.points(1) == 1 + 1 + 2 + 0 + 1
    assert sees(found, "checkin", 43 * DAY_MS) == {"rule:1": (4, 4, "granted")}


def test_a_task_is_paid_once_with_what_completes_it() -> None:
    steps = [step("order.paid"), step("checkin", 2, daily=True)]
    found = alone({"trigger": "task.completed", "steps": steps})
    assert sees(found, "checkin", 0) == {"task:1": (1, 3)}
    assert sees(found, "checkin", 1) is None
    assert sees(found, "checkin", DAY_MS) == {"task:1": (2, 3)}
    assert buys(found, 100) == {"task:1": (3, 3), "rule:1": (10, 10, "granted")}
    assert buys(found, 100) is None
    assert found.points(1) == 12


def test_two_who_are_one_person_have_done_a_task_together() -> None:
    found = alone({"trigger": "task.completed", "steps": [step("checkin", 2, daily=True)]})
    sees(found, "checkin", 0, member="m")
    sees(found, "checkin", DAY_MS, member="n")
    found.done("merge", member="m", into="n")
    assert sees(found, "checkin", DAY_MS, member="m") == {"task:1": (2, 2), "rule:1": (10, 10, "granted")}


def test_a_budget_ends_and_says_so() -> None:
    found = alone({"caps": CAPS | {"budget_points": 15}})
    said = [sees(found, "checkin", day * DAY_MS) for day in range(3)]
    assert said == [{"rule:1": each} for each in [(10, 10, "granted"), (10, 5, "budget"), (10, 0, "budget")]]


def test_of_a_group_the_best_pays_what_its_caps_leave() -> None:
    best = {"kind": "best", "group": "g"}
    found = alone({"stacking": best, "caps": CAPS | {"event_points": 3}}, {"rule_id": 2, "stacking": best})
    assert sees(found, "checkin") == {"rule:1": (10, 0, "exclusive"), "rule:2": (10, 10, "granted")}


def test_the_first_order_is_the_first_that_anybody_could_know_of() -> None:
    found = alone()
    buys(found, 100, member="n")
    condition = {"kind": "first_order"}
    first = RULE | {"trigger": "order.paid", "condition": condition, "reward": TIMES_TWO}
    found.done("publish_rule", merchant_id=1, rule=first)
    assert buys(found, 500, member="n") is None
    assert buys(found, 500) == {"rule:1": (5, 5, "granted")}
    assert buys(found, 500) is None

"""Rules: which are sound, which version is in force, and that they travel as data."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from ledger.rules.caps import Caps
from ledger.rules.conditions import All, FirstOrder, Not
from ledger.rules.rewards import Fixed, PerAmount, PerStreakDay, TimesBase
from ledger.rules.rule import Rule, in_force, problem
from ledger.rules.task import Step
from tests.ledger.rules.making import rule, some_rules

STEPS = (Step(trigger="checkin", times=7), Step(trigger="order.paid"))
TASK = "task.completed"
DEEP = Not(Not(Not(Not(Not(Not(FirstOrder()))))))


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (rule(), None),
        (rule(condition=DEEP), "a condition is at most 6 deep"),
        (rule(condition=All((FirstOrder(),) * 64)), "a condition has at most 64 parts"),
        (rule(trigger=TASK, steps=(Step(trigger="checkin", condition=DEEP),)), "a condition is at most 6 deep"),
        (rule(reward=TimesBase(1, 1)), "a multiplier is above one"),
        (rule(reward=TimesBase(3, 2)), None),
        (rule(trigger="checkin", reward=PerStreakDay((0, 0))), "a streak table gives something on some day"),
        (rule(trigger="checkin", reward=PerStreakDay((0, 1))), None),
        (rule(valid_from_ms=5, valid_until_ms=5), "a rule ends after it starts"),
        (rule(valid_from_ms=5, valid_until_ms=6), None),
        (rule(hold_ms=1), "points of an order wait as long as the order does"),
        (rule(trigger="checkin", hold_ms=1), None),
        (rule(steps=STEPS), "a rule with steps waits for task.completed"),
        (rule(trigger=TASK, steps=STEPS), None),
        (rule(trigger=TASK, steps=STEPS, condition=FirstOrder()), "the conditions of a task belong to its steps"),
        (rule(trigger=TASK, steps=STEPS, reward=PerAmount(1, 1)), "the reward of a task is fixed"),
        (rule(trigger="checkin", reward=TimesBase(2, 1)), "only orders have base points to multiply"),
        (rule(reward=PerStreakDay((1,))), "only check-ins have a streak"),
        (rule(trigger=TASK, steps=(Step(trigger="task.completed"),)), "a step that waits for a task says which"),
    ],
)  # fmt: skip
def test_a_rule_must_be_able_to_do_what_it_says(changed: Rule, fault: str | None) -> None:
    assert problem(changed) == fault


@pytest.mark.parametrize(
    ("at_ms", "points"),
    [(9, None), (10, 1), (19, 1), (20, 3), (29, 3), (30, None), (39, None), (40, 4)],
)
def test_the_newest_version_that_has_begun_is_in_force(at_ms: int, points: int | None) -> None:
    """Version 2 never is: 3, published later, begins when it does."""
    versions = [
        rule(version=1, points=1, valid_from_ms=10),
        rule(version=2, points=2, valid_from_ms=20),
        rule(version=3, points=3, valid_from_ms=20, valid_until_ms=30),
        rule(version=4, points=4, valid_from_ms=40),
    ]
    found = in_force(versions, at_ms)
    assert (found.reward if found else None) == (Fixed(points) if points else None)


@given(some_rules())
def test_rules_travel_as_data(rules: list[Rule]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(rules), type=list[Rule]) == rules


@pytest.mark.parametrize(
    "fault",
    [
        {"rule_id": 0},
        {"reward": {"kind": "fixed", "points": 0}},
        {"reward": {"kind": "fixed", "points": 1.5}},
        {"trigger": "order.tapped"},
        {"caps": {"budget_points": 0}},
        {"steps": [{"trigger": "checkin", "times": 0}]},
        {"stacking": {"kind": "best", "group": ""}},
    ],
)
def test_what_is_no_rule_does_not_arrive(fault: dict[str, object]) -> None:
    sent = msgspec.to_builtins(rule(caps=Caps(budget_points=1))) | fault
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(sent, Rule)

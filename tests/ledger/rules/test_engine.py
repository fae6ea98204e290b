"""The engine: tables of rewards, caps and stacking, and the laws that hold for any rules and events."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.caps import Caps, Reason, Spent
from ledger.rules.conditions import Amount
from ledger.rules.days import DAY_MS
from ledger.rules.engine import evaluate
from ledger.rules.facts import Facts
from ledger.rules.rewards import Fixed, PerAmount, PerStreakDay, Reward, TimesBase, asked
from ledger.rules.rule import Additive, Best, First, Rule
from ledger.rules.task import Step
from ledger.units import AMOUNT_MAX
from tests.ledger.rules import making
from tests.ledger.rules.making import event, rule

WEEK = PerStreakDay((1, 1, 2, 2, 3, 3, 10))
counters = st.dictionaries(st.integers(1, 9), making.spents, max_size=5)


@pytest.mark.parametrize(
    ("reward", "facts", "points"),
    [
        (Fixed(7), event(), 7),
        (PerAmount(3, 200), event(amount_minor=199), 2),
        (PerAmount(3, 200), event(amount_minor=66), 0),
        (TimesBase(2, 1), event(base_points=300), 300),
        (TimesBase(3, 2), event(base_points=5), 2),
        (TimesBase(3, 2), event(base_points=0), 0),
        (WEEK, event("checkin", streak_days=0), 0),
        (WEEK, event("checkin", streak_days=1), 1),
        (WEEK, event("checkin", streak_days=7), 10),
        (WEEK, event("checkin", streak_days=8), 1),
        (WEEK, event("checkin", streak_days=14), 10),
        (PerStreakDay((1, 5), "stay"), event("checkin", streak_days=9), 5),
        (PerStreakDay((1, 5), "stop"), event("checkin", streak_days=2), 5),
        (PerStreakDay((1, 5), "stop"), event("checkin", streak_days=3), 0),
    ],
)
def test_what_a_reward_asks(reward: Reward, facts: Facts, points: int) -> None:
    assert asked(reward, facts) == points


@pytest.mark.parametrize(
    ("caps", "spent", "granted", "reason"),
    [
        (Caps(), Spent(points=10**18), 10, Reason.GRANTED),
        (Caps(event_points=10), Spent(), 10, Reason.GRANTED),
        (Caps(event_points=9), Spent(), 9, Reason.EVENT),
        (Caps(member_points=30), Spent(member_points=20), 10, Reason.GRANTED),
        (Caps(member_points=30), Spent(member_points=21), 9, Reason.MEMBER),
        (Caps(member_points=30), Spent(member_points=31), 0, Reason.MEMBER),
        (Caps(member_times=2), Spent(member_times=1), 10, Reason.GRANTED),
        (Caps(member_times=2), Spent(member_times=2), 0, Reason.MEMBER),
        (Caps(member_day_points=15), Spent(day_points=6), 9, Reason.MEMBER_DAY),
        (Caps(member_day_times=1), Spent(day_times=1), 0, Reason.MEMBER_DAY),
        (Caps(budget_points=100), Spent(points=90), 10, Reason.GRANTED),
        (Caps(budget_points=100), Spent(points=91), 9, Reason.BUDGET),
        (Caps(budget_points=100), Spent(points=100), 0, Reason.BUDGET),
        (Caps(budget_points=100, whole=True), Spent(points=91), 0, Reason.BUDGET),
        (Caps(event_points=8, budget_points=100), Spent(points=95), 5, Reason.BUDGET),
        (Caps(event_points=5, budget_points=100), Spent(points=95), 5, Reason.EVENT),
    ],
)
def test_what_a_cap_leaves(caps: Caps, spent: Spent, granted: int, reason: Reason) -> None:
    (grant,) = evaluate([rule(caps=caps)], event(), {1: spent})
    assert (grant.asked, grant.granted, grant.reason) == (10, granted, reason)


@pytest.mark.parametrize(
    ("stackings", "granted"),
    [
        ([Additive(), Additive(), Additive()], [10, 20, 30]),
        ([Best("g"), Best("g"), Best("g")], [0, 0, 30]),
        ([Best("g"), Additive(), Best("g")], [0, 20, 30]),
        ([Best("g"), Best("h"), Best("g")], [0, 20, 30]),
        ([First("g", 1), First("g", 0), First("g", 0)], [0, 20, 0]),
        ([First("g"), Best("g"), First("g")], [10, 20, 0]),
    ],
)
def test_groups_pick_one(stackings: list[Additive | Best | First], granted: list[int]) -> None:
    rules = [rule(i, points=10 * i, stacking=each) for i, each in enumerate(stackings, start=1)]
    grants = evaluate(rules, event(), {})
    assert [grant.granted for grant in grants] == granted
    assert {grant.reason for grant in grants if not grant.granted} <= {Reason.EXCLUSIVE}


def test_a_group_passes_over_what_a_cap_has_emptied() -> None:
    rules = [rule(1, points=50, caps=Caps(budget_points=50), stacking=First("g")), rule(2, stacking=First("g"))]
    grants = evaluate(rules, event(), {1: Spent(points=50)})
    assert [(grant.granted, grant.reason) for grant in grants] == [(0, Reason.BUDGET), (10, Reason.GRANTED)]


def test_equals_in_a_group_go_by_number() -> None:
    grants = evaluate([rule(2, stacking=Best("g")), rule(1, stacking=Best("g"))], event(), {})
    assert [(grant.rule_id, grant.granted) for grant in grants] == [(1, 10), (2, 0)]


def test_a_task_asks_when_it_is_completed_and_only_then() -> None:
    task = rule(trigger="task.completed", steps=(Step(trigger="checkin"),))
    assert evaluate([task], event("checkin"), {}) == []
    assert [grant.granted for grant in evaluate([task], event("checkin"), {}, completed={1})] == [10]
    assert evaluate([task], event("task.completed"), {}) == []


def test_without_a_cap_one_event_stays_within_what_a_command_may_move() -> None:
    (grant,) = evaluate([rule(reward=PerAmount(1_000_000, 1))], event(amount_minor=AMOUNT_MAX), {})
    assert (grant.granted, grant.reason) == (AMOUNT_MAX, Reason.EVENT)


def test_every_rule_concerned_says_why() -> None:
    rules = [rule(1, condition=Amount(500)), rule(2, reward=PerAmount(1, 1_000)), rule(3), rule(4, trigger="checkin")]
    grants = evaluate(rules, event(amount_minor=499), {})
    assert [(grant.rule_id, grant.reason) for grant in grants] == [
        (1, Reason.CONDITION),
        (2, Reason.NOTHING),
        (3, Reason.GRANTED),
    ]


@given(making.some_rules(), making.orders, counters)
def test_explanations_add_up(rules: list[Rule], facts: Facts, spent: dict[int, Spent]) -> None:
    for grant in evaluate(rules, facts, spent):
        assert 0 <= grant.granted <= grant.asked
        assert (grant.granted == grant.asked) == (grant.reason in {Reason.GRANTED, Reason.NOTHING, Reason.CONDITION})
        assert (grant.asked == 0) == (grant.reason in {Reason.NOTHING, Reason.CONDITION})


@given(making.some_rules(), making.orders, counters, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(
    rules: list[Rule], facts: Facts, spent: dict[int, Spent], random: object
) -> None:
    shuffled = sorted(rules, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert evaluate(shuffled, facts, spent) == evaluate(rules, facts, spent)


@given(making.some_rules(), making.orders, counters)
def test_a_group_pays_once(rules: list[Rule], facts: Facts, spent: dict[int, Spent]) -> None:
    paid = {grant.rule_id for grant in evaluate(rules, facts, spent) if grant.granted}
    groups = Counter(
        (type(each.stacking), each.stacking.group)
        for each in rules
        if each.rule_id in paid and not isinstance(each.stacking, Additive)
    )
    assert not groups or max(groups.values()) == 1


@given(making.rewards, making.orders, making.caps, making.spents, st.integers(1, 50))
def test_more_spent_never_grants_more(reward: Reward, facts: Facts, caps: Caps, spent: Spent, more: int) -> None:
    tried = rule(reward=reward, caps=caps)
    (grant,) = evaluate([tried], facts, {1: spent})
    later_spent = Spent(
        points=spent.points + more,
        member_points=spent.member_points + more,
        member_times=spent.member_times + 1,
        day_points=spent.day_points + more,
        day_times=spent.day_times + 1,
    )
    (later,) = evaluate([tried], facts, {1: later_spent})
    assert later.granted <= grant.granted


@given(making.some_rules(), st.lists(st.tuples(st.integers(0, 2), making.orders), max_size=25))
def test_no_cap_is_ever_passed(rules: list[Rule], events: list[tuple[int, Facts]]) -> None:
    """Many members, many days, counters kept as a caller keeps them; sums checked against a plain account."""
    paid: list[tuple[int, int, int, int]] = []
    for member, facts in events:
        day = facts.at_ms // DAY_MS
        grants = evaluate(rules, facts, {each.rule_id: plain_spent(paid, each.rule_id, member, day) for each in rules})
        paid += [(grant.rule_id, member, day, grant.granted) for grant in grants if grant.granted]
    for each in rules:
        assert_within(each, [(member, day, points) for rule_id, member, day, points in paid if rule_id == each.rule_id])


def plain_spent(paid: list[tuple[int, int, int, int]], rule_id: int, member: int, day: int) -> Spent:
    all_ = [(who, when, points) for number, who, when, points in paid if number == rule_id]
    mine = [(when, points) for who, when, points in all_ if who == member]
    today = [points for when, points in mine if when == day]
    return Spent(
        points=sum(points for *_, points in all_),
        member_points=sum(points for _, points in mine),
        member_times=len(mine),
        day_points=sum(today),
        day_times=len(today),
    )


def assert_within(checked: Rule, paid: list[tuple[int, int, int]]) -> None:
    caps = checked.caps
    by_member: dict[int, list[int]] = {}
    by_day: dict[tuple[int, int], list[int]] = {}
    for member, day, points in paid:
        by_member.setdefault(member, []).append(points)
        by_day.setdefault((member, day), []).append(points)
        assert points <= (caps.event_points or AMOUNT_MAX)
    assert sum(points for *_, points in paid) <= (caps.budget_points or AMOUNT_MAX)
    assert all(sum(each) <= (caps.member_points or AMOUNT_MAX) for each in by_member.values())
    assert all(len(each) <= (caps.member_times or AMOUNT_MAX) for each in by_member.values())
    assert all(sum(each) <= (caps.member_day_points or AMOUNT_MAX) for each in by_day.values())
    assert all(len(each) <= (caps.member_day_times or AMOUNT_MAX) for each in by_day.values())


@given(st.integers(1, 200), st.lists(st.integers(1, 60), max_size=20), st.randoms(use_true_random=False))
def test_a_budget_gives_the_same_total_in_any_order(budget: int, amounts: list[int], random: object) -> None:
    shuffled = sorted(amounts, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert granted_in_all(budget, shuffled) == granted_in_all(budget, amounts) == min(budget, sum(amounts))


def granted_in_all(budget: int, amounts: list[int]) -> int:
    tried, points = rule(reward=PerAmount(1, 1), caps=Caps(budget_points=budget)), 0
    for amount in amounts:
        (grant,) = evaluate([tried], event(amount_minor=amount), {1: Spent(points=points)})
        points += grant.granted
    return points

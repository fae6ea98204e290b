"""Short words for rules and events, and how to draw random ones. Only the tests of the rules use it."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ledger.rules.caps import Caps, Spent
from ledger.rules.conditions import All, Amount, Category, Condition, Either, Hour, Not, Platform, TierAtLeast, Weekday
from ledger.rules.days import DAY_MS
from ledger.rules.facts import Facts
from ledger.rules.rewards import Fixed, PerAmount, TimesBase
from ledger.rules.rule import Additive, Best, First, Rule

SHOP = 1


def event(trigger: Any = "order.paid", **says: Any) -> Facts:
    """What an event says, at midnight of day 0 UTC unless told otherwise."""
    return Facts(trigger=trigger, **{"merchant_id": SHOP, "at_ms": 0} | says)


def rule(rule_id: int = 1, trigger: Any = "order.paid", points: int = 10, **changes: Any) -> Rule:
    """A rule of fixed points unless told otherwise."""
    return Rule(**{"rule_id": rule_id, "trigger": trigger, "reward": Fixed(points)} | changes)


def on_day(day: int, trigger: Any = "checkin", **says: Any) -> Facts:
    """An event at noon of a day UTC."""
    return event(trigger, at_ms=day * DAY_MS + DAY_MS // 2, **says)


_WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=2).map(tuple)
_LEAVES: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Amount, st.integers(0, 300), st.none() | st.integers(0, 300)),
    st.builds(Platform, _WORDS),
    st.builds(Category, _WORDS),
    st.builds(Weekday, st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple), st.integers(-720, 840)),
    st.builds(Hour, st.integers(0, 23), st.integers(0, 24), st.integers(-720, 840)),
    st.builds(TierAtLeast, st.integers(0, 3)),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    _LEAVES,
    lambda part: st.one_of(
        st.builds(All, st.lists(part, min_size=1, max_size=3).map(tuple)),
        st.builds(Either, st.lists(part, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, part),
    ),
    max_leaves=6,
)
_CAP = st.none() | st.integers(1, 60)
caps = st.builds(
    Caps,
    event_points=_CAP,
    member_points=_CAP,
    member_times=st.none() | st.integers(1, 4),
    member_day_points=_CAP,
    member_day_times=st.none() | st.integers(1, 4),
    budget_points=_CAP,
    whole=st.booleans(),
)
rewards = st.one_of(
    st.builds(Fixed, st.integers(1, 50)),
    st.builds(PerAmount, st.integers(1, 5), st.integers(1, 40)),
    st.builds(TimesBase, st.integers(4, 9), st.integers(1, 3)),
)
stackings = st.one_of(
    st.just(Additive()),
    st.builds(Best, st.sampled_from("xy")),
    st.builds(First, st.sampled_from("xy"), st.integers(0, 2)),
)
spents = st.builds(
    Spent,
    points=st.integers(0, 80),
    member_points=st.integers(0, 80),
    member_times=st.integers(0, 5),
    day_points=st.integers(0, 80),
    day_times=st.integers(0, 5),
)
orders = st.builds(
    Facts,
    trigger=st.just("order.paid"),
    merchant_id=st.just(SHOP),
    at_ms=st.integers(0, 9 * DAY_MS),
    amount_minor=st.integers(0, 300),
    base_points=st.integers(0, 40),
    platform=st.none() | st.sampled_from("abc"),
    categories=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    tier=st.integers(0, 3),
)


def some_rules(most: int = 5) -> st.SearchStrategy[list[Rule]]:
    """Rules for orders, of different numbers."""
    one = st.builds(
        Rule,
        rule_id=st.integers(1, 9),
        trigger=st.just("order.paid"),
        reward=rewards,
        condition=st.none() | conditions,
        caps=caps,
        stacking=stackings,
    )
    return st.lists(one, max_size=most, unique_by=lambda each: each.rule_id)

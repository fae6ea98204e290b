"""Conditions: one line per comparison and its edges, and the laws of all, any and not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from ledger.rules import conditions
from ledger.rules.conditions import (
    CONDITION_DEPTH_MAX,
    CONDITION_PARTS_MAX,
    All,
    Amount,
    Category,
    Condition,
    Coupon,
    Either,
    FirstOrder,
    Hour,
    Merchant,
    Not,
    Platform,
    Streak,
    Task,
    TierAtLeast,
    Weekday,
    holds,
    mentions,
    problem,
)
from ledger.rules.days import DAY_MS, HOUR_MS
from ledger.rules.facts import Facts
from tests.ledger.rules import making
from tests.ledger.rules.making import event

THURSDAY, FRIDAY = 4, 5
SHANGHAI = 480

TABLE: list[tuple[Condition, dict[str, Any], bool]] = [
    (Amount(100, 200), {"amount_minor": 99}, False),
    (Amount(100, 200), {"amount_minor": 100}, True),
    (Amount(100, 200), {"amount_minor": 200}, True),
    (Amount(100, 200), {"amount_minor": 201}, False),
    (Amount(100), {"amount_minor": 10**15}, True),
    (Merchant((1, 2)), {"merchant_id": 2}, True),
    (Merchant((1, 2)), {"merchant_id": 3}, False),
    (Platform(("wechat",)), {"platform": "wechat"}, True),
    (Platform(("wechat",)), {"platform": "alipay"}, False),
    (Platform(("wechat",)), {}, False),
    (Weekday((THURSDAY,)), {"at_ms": 0}, True),
    (Weekday((THURSDAY,)), {"at_ms": DAY_MS}, False),
    (Weekday((FRIDAY,), SHANGHAI), {"at_ms": 16 * HOUR_MS - 1}, False),
    (Weekday((FRIDAY,), SHANGHAI), {"at_ms": 16 * HOUR_MS}, True),
    (Weekday((3,), -1), {"at_ms": 0}, True),
    (Hour(9, 12), {"at_ms": 9 * HOUR_MS}, True),
    (Hour(9, 12), {"at_ms": 12 * HOUR_MS}, False),
    (Hour(9, 12, SHANGHAI), {"at_ms": HOUR_MS}, True),
    (Hour(22, 2), {"at_ms": 23 * HOUR_MS}, True),
    (Hour(22, 2), {"at_ms": HOUR_MS}, True),
    (Hour(22, 2), {"at_ms": 2 * HOUR_MS}, False),
    (Hour(0, 24), {"at_ms": DAY_MS - 1}, True),
    (Hour(5, 5), {"at_ms": 5 * HOUR_MS}, False),
    (TierAtLeast(2), {"tier": 1}, False),
    (TierAtLeast(2), {"tier": 2}, True),
    (FirstOrder(), {"first_order": True}, True),
    (FirstOrder(), {}, False),
    (Category(("tea", "cake")), {"categories": ("coffee", "cake")}, True),
    (Category(("tea",)), {"categories": ("coffee",)}, False),
    (Category(("tea",)), {}, False),
    (Coupon(("MAY",)), {"coupon": "MAY"}, True),
    (Coupon(("MAY",)), {}, False),
    (Task(("survey",)), {"task": "survey"}, True),
    (Task(("survey",)), {"task": "quiz"}, False),
    (Streak(7, 9), {"streak_days": 6}, False),
    (Streak(7, 9), {"streak_days": 9}, True),
    (Streak(7, 9), {"streak_days": 10}, False),
    (All((Amount(100), TierAtLeast(1))), {"amount_minor": 100}, False),
    (Either((Amount(100), TierAtLeast(1))), {"amount_minor": 100}, True),
    (Not(Platform(("wechat",))), {}, True),
]


@pytest.mark.parametrize(("condition", "says", "expected"), TABLE)
def test_a_comparison_at_its_edges(condition: Condition, says: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert holds(condition, event(**says)) is expected


def test_the_table_has_both_answers_of_every_kind() -> None:
    seen = {(type(condition), expected) for condition, _, expected in TABLE}
    connectives = {All, Either, Not}
    kinds = {kind for kind in vars(conditions).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}
    kinds -= {Facts, msgspec.Struct} | connectives
    assert {(kind, answer) for kind in kinds for answer in (True, False)} <= seen


@given(making.conditions, making.conditions, making.orders)
def test_connectives_follow_logic(one: Condition, two: Condition, facts: Facts) -> None:
    both, either = holds(All((one, two)), facts), holds(Either((one, two)), facts)
    assert both == (holds(one, facts) and holds(two, facts))
    assert either == holds(Not(All((Not(one), Not(two)))), facts)
    assert holds(Not(Not(one)), facts) == holds(one, facts)


@given(making.conditions)
def test_a_condition_travels_as_data(condition: Condition) -> None:
    sent = msgspec.json.encode(condition)
    assert msgspec.json.decode(sent, type=Condition) == condition


def nested(depth: int) -> Condition:
    condition: Condition = FirstOrder()
    for _ in range(depth - 1):
        condition = Not(condition)
    return condition


@pytest.mark.parametrize(
    ("condition", "sound"),
    [
        (nested(CONDITION_DEPTH_MAX), True),
        (nested(CONDITION_DEPTH_MAX + 1), False),
        (nested(900), False),
        (All((FirstOrder(),) * (CONDITION_PARTS_MAX - 1)), True),
        (All((FirstOrder(),) * CONDITION_PARTS_MAX), False),
        (All((All((FirstOrder(),) * 40), All((FirstOrder(),) * 40))), False),
    ],
)
def test_conditions_are_bounded(condition: Condition, sound: bool) -> None:  # noqa: FBT001
    assert (problem(condition) is None) is sound


@pytest.mark.parametrize(
    "sent",
    [
        b'{"kind":"all","of":[]}',
        b'{"kind":"exec","of":"1"}',
        b'{"kind":"weekday","among":[8]}',
        b'{"kind":"hour","from_hour":24,"until_hour":1}',
        b'{"kind":"amount","at_least":1.5}',
        b'{"kind":"platform","among":["we chat"]}',
    ],
)
def test_what_is_no_condition_does_not_arrive(sent: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(sent, type=Condition)


def test_what_a_condition_mentions() -> None:
    condition = All((Amount(1), Not(Either((FirstOrder(), TierAtLeast(1))))))
    assert mentions(condition, FirstOrder)
    assert not mentions(condition, Coupon)

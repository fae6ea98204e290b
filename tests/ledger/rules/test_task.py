"""Composite tasks: 3 arrivals, 1 order and 7 check-ins, on any platform, in any order, once per person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.conditions import Amount, Task
from ledger.rules.facts import Facts
from ledger.rules.task import Progress, Step, Steps, advance, begin, merged, problem
from tests.ledger.rules.making import event, on_day

STEPS: Steps = (
    Step(trigger="share.arrived", times=3),
    Step(trigger="order.paid", condition=Amount(1_000)),
    Step(trigger="checkin", times=7, daily=True),
)
ENOUGH: list[Facts] = [
    event("share.arrived", platform="wechat"),
    event("share.arrived", platform="alipay"),
    event("share.arrived", platform="douyin"),
    event("order.paid", amount_minor=1_000, platform="alipay"),
    *[on_day(day, platform=("wechat", "douyin")[day % 2]) for day in range(7)],
]
TOO_MUCH: list[Facts] = [
    event("order.paid", amount_minor=999),
    event("content.liked"),
    on_day(3, platform="alipay"),
    event("share.arrived"),
]


def played(events: list[Facts], progress: Progress | None = None) -> tuple[Progress | None, int]:
    """(progress, how often the task was completed)."""
    times = 0
    for each in events:
        advanced = advance(STEPS, progress, each)
        if advanced is not None:
            progress = advanced.progress
            times += advanced.completed_now
    return progress, times


@given(st.permutations(ENOUGH))
def test_any_order_completes_it_with_the_last_event(events: list[Facts]) -> None:
    assert played(events[:-1])[1] == 0
    assert played(events)[1] == 1


@given(st.permutations(ENOUGH + TOO_MUCH))
def test_more_of_everything_completes_it_once(events: list[Facts]) -> None:
    progress, times = played(events)
    assert times == 1
    assert played(ENOUGH, progress) == (progress, 0)


@given(st.lists(st.sampled_from(ENOUGH[:3] + ENOUGH[4:9]), max_size=12), st.randoms(use_true_random=False))
def test_progress_does_not_depend_on_the_order(events: list[Facts], random: object) -> None:
    shuffled = sorted(events, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert played(shuffled) == played(events)


@given(st.lists(st.sampled_from(ENOUGH + TOO_MUCH), max_size=14), st.integers(0, 14))
def test_two_members_who_are_one_person(events: list[Facts], cut: int) -> None:
    """Completed by either, it stays so; else it is as if one member had done everything, and still to be paid."""
    (mine, first), (theirs, second) = played(events[:cut]), played(events[cut:])
    together = merged(STEPS, mine or begin(STEPS), theirs or begin(STEPS))
    alone, last = played(events)[0] or begin(STEPS), on_day(90)
    if first or second:
        assert together.completed
    else:
        assert (together.counts, together.days, together.completed) == (alone.counts, alone.days, False)
        assert played([last], together)[1] == played([*events, last])[1]
        assert played([event("birthday")], together)[1] == 0


@pytest.mark.parametrize(
    ("facts", "counts"),
    [
        (event("share.arrived"), (1, 0, 0)),
        (event("order.paid", amount_minor=1_000), (0, 1, 0)),
        (on_day(0), (0, 0, 1)),
        (event("order.paid", amount_minor=999), None),
        (event("birthday"), None),
    ],
)
def test_what_an_event_counts_for(facts: Facts, counts: tuple[int, ...] | None) -> None:
    advanced = advance(STEPS, None, facts)
    assert (advanced.progress.counts if advanced else None) == counts


def test_one_event_may_count_for_several_steps() -> None:
    steps = (Step(trigger="order.paid", times=2), Step(trigger="order.paid", condition=Amount(500)))
    advanced = advance(steps, begin(steps), event(amount_minor=500))
    assert advanced is not None
    assert advanced.progress.counts == (1, 1)


def test_a_daily_step_counts_local_days() -> None:
    hour = 3_600_000
    one = advance(STEPS, None, event("checkin", at_ms=15 * hour, utc_offset_minutes=480))
    assert one is not None
    two = advance(STEPS, one.progress, event("checkin", at_ms=16 * hour, utc_offset_minutes=480))
    assert two is not None
    assert two.progress.days[2] == (0, 1)
    assert advance(STEPS, two.progress, event("checkin", at_ms=30 * hour, utc_offset_minutes=480)) is None


@pytest.mark.parametrize(
    ("steps", "sound"),
    [
        (STEPS, True),
        ((Step(trigger="task.completed"),), False),
        ((Step(trigger="task.completed", condition=Task(("survey",))),), True),
        ((Step(trigger="checkin", times=100, daily=True),), True),
        ((Step(trigger="checkin", times=101, daily=True),), False),
    ],
)
def test_steps_that_cannot_be_counted(steps: Steps, sound: bool) -> None:  # noqa: FBT001
    assert (problem(steps) is None) is sound

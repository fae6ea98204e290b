"""Streaks: tables of days, and against a plain set of days that the state does not depend on their order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.days import DAY_MS, HOUR_MS, day_of
from ledger.rules.streak import LATE_DAYS_MAX, Streak, check_in, current_days, merged

days = st.lists(st.integers(-1, LATE_DAYS_MAX - 1), min_size=1, max_size=20)


def after(came: Iterable[int]) -> Streak | None:
    streak = None
    for day in came:
        streak = check_in(streak, day).streak
    return streak


def run_of(came: Iterable[int], day: int) -> int:
    """The plain answer: how many days in a row, ending on `day`."""
    days = set(came)
    return sum(1 for _ in itertools.takewhile(lambda each: each in days, itertools.count(day, -1)))


@pytest.mark.parametrize(
    ("came", "runs"),
    [
        ([0, 1, 2], [1, 2, 3]),
        ([0, 0, 1], [1, 0, 2]),
        ([0, 2, 3], [1, 1, 2]),
        ([3, 4, 6, 5, 7], [1, 2, 1, 3, 5]),
        ([100, 100 - LATE_DAYS_MAX, 100 - LATE_DAYS_MAX - 1], [1, 1, 0]),
        (list(range(400)), list(range(1, 401))),
        ([0, 1, 40, 41], [1, 2, 1, 2]),
        ([*range(40), 39 + LATE_DAYS_MAX + 1, 39 + LATE_DAYS_MAX + 2], [*range(1, 41), 1, 2]),
        ([*range(40), 71, *range(41, 71), 72], [*range(1, 41), 1, *range(1, 31), 32]),
        ([*range(40), 70, *range(40, 70), 71], [*range(1, 41), 1, *range(41, 71), 72]),
    ],
)
def test_each_day_continues_the_run_before_it(came: list[int], runs: list[int]) -> None:
    streak, seen = None, []
    for day in came:
        streak, run = check_in(streak, day)
        seen.append(run)
    assert seen == runs


@given(days, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(came: list[int], random: object) -> None:
    shuffled = sorted(came, key=lambda _: random.random())  # type: ignore[attr-defined]
    streak = after(shuffled)
    assert streak == after(came)
    assert current_days(streak, max(came)) == run_of(came, max(came))


@given(st.lists(st.integers(0, 200), min_size=1, max_size=200, unique=True))
def test_runs_in_order_are_those_of_a_plain_set(came: list[int]) -> None:
    streak: Streak | None = None
    for day in sorted(came):
        streak, run = check_in(streak, day)
        assert run == run_of(came, day)
        assert current_days(streak, day) == current_days(streak, day + 1) == run
        assert current_days(streak, day + 2) == 0


@given(days, days)
def test_two_members_who_are_one_person(mine: list[int], theirs: list[int]) -> None:
    one, other = after(mine), after(theirs)
    assert one is not None
    assert other is not None
    assert merged(one, other) == after(sorted(mine + theirs))


@pytest.mark.parametrize(
    ("at_ms", "offset", "day"),
    [(0, 0, 0), (DAY_MS - 1, 0, 0), (DAY_MS, 0, 1), (0, -1, -1), (16 * HOUR_MS - 1, 480, 0), (16 * HOUR_MS, 480, 1)],
)
def test_a_day_is_the_members_own(at_ms: int, offset: int, day: int) -> None:
    assert day_of(at_ms, offset) == day

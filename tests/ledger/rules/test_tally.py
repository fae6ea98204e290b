"""Tallies against a plain list of grants: same figures, any order, two members who are one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.caps import TIMES_MAX, Caps, Spent
from ledger.rules.tally import LATE_DAYS_MAX, Tally, after, merged, spent
from ledger.units import AMOUNT_MAX

DAILY = Caps(member_day_times=3)
grants = st.lists(st.tuples(st.integers(0, LATE_DAYS_MAX), st.integers(1, 50)), max_size=15)


def tallied(given_: list[tuple[int, int]], caps: Caps = DAILY) -> Tally:
    tally = Tally()
    for day, points in given_:
        tally = after(tally, caps, day, points)
    return tally


@given(grants, st.integers(0, LATE_DAYS_MAX), st.randoms(use_true_random=False))
def test_a_tally_is_the_sum_of_its_grants(given_: list[tuple[int, int]], day: int, random: object) -> None:
    shuffled = sorted(given_, key=lambda _: random.random())  # type: ignore[attr-defined]
    today = [points for when, points in given_ if when == day]
    assert tallied(shuffled) == tallied(given_)
    assert spent(7, tallied(given_), day) == Spent(
        points=7,
        member_points=sum(points for _, points in given_),
        member_times=len(given_),
        day_points=sum(today),
        day_times=len(today),
    )


@given(grants, grants)
def test_two_members_who_are_one_person(mine: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> None:
    assert merged(tallied(mine), tallied(theirs)) == tallied(mine + theirs)


@pytest.mark.parametrize(
    ("day", "points", "times"),
    [(100, 5, 1), (100 - LATE_DAYS_MAX, 4, 1), (99, 0, 0), (100 - LATE_DAYS_MAX - 1, AMOUNT_MAX, TIMES_MAX)],
)
def test_a_day_that_nobody_remembers_is_used_up(day: int, points: int, times: int) -> None:
    tally = tallied([(100 - LATE_DAYS_MAX - 1, 3), (100 - LATE_DAYS_MAX, 4), (100, 5)])
    found = spent(0, tally, day)
    assert (found.day_points, found.day_times, found.member_points) == (points, times, 12)


def test_days_are_kept_only_where_a_cap_asks() -> None:
    assert tallied([(1, 5), (2, 6)], Caps(member_points=9)) == Tally(11, 2, ())
    assert len(tallied([(day, 1) for day in range(500)]).days) == LATE_DAYS_MAX + 1

"""Tallies: what one member had by one rule, over all and on each of the last local days. Pure; kept by the caller.

Invariants: a tally says the same whatever order its grants came in, as long as none is later than LATE_DAYS_MAX behind
the newest; a day that is older than that counts as used up, because nobody remembers it. A tally is bounded: it holds
at most LATE_DAYS_MAX + 1 days, and none where the rule has no cap by day.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.rules.caps import TIMES_MAX, Caps, Spent
from ledger.units import AMOUNT_MAX

LATE_DAYS_MAX: Final = 30


class DayTally(NamedTuple):
    """What the member had on one local day."""

    day: int
    points: int
    times: int


class Tally(NamedTuple):
    """Points and grants of one member by one rule; `days` ascend."""

    points: int = 0
    times: int = 0
    days: tuple[DayTally, ...] = ()


def spent(budget_points: int, tally: Tally, day: int) -> Spent:
    """What the engine asks for: of all, of this member, of this member on this local day."""
    today = next((each for each in tally.days if each.day == day), DayTally(day, 0, 0))
    if tally.days and day < tally.days[-1].day - LATE_DAYS_MAX:
        today = DayTally(day, AMOUNT_MAX, TIMES_MAX)
    return Spent(
        points=budget_points,
        member_points=tally.points,
        member_times=tally.times,
        day_points=today.points,
        day_times=today.times,
    )


def after(tally: Tally, caps: Caps, day: int, granted: int) -> Tally:
    """The tally when `granted` > 0 more points were given on local day `day`."""
    days = _together(tally.days, (DayTally(day, granted, 1),)) if caps.by_member_day else ()
    return Tally(tally.points + granted, tally.times + 1, days)


def merged(one: Tally, other: Tally) -> Tally:
    """The tally of one person who was known as two members."""
    return Tally(one.points + other.points, one.times + other.times, _together(one.days, other.days))


def _together(one: tuple[DayTally, ...], other: tuple[DayTally, ...]) -> tuple[DayTally, ...]:
    """Both, day by day, as far back as days are kept."""
    days: dict[int, DayTally] = {}
    for day, points, times in (*one, *other):
        so_far = days.get(day, DayTally(day, 0, 0))
        days[day] = DayTally(day, so_far.points + points, so_far.times + times)
    oldest = max(days, default=0) - LATE_DAYS_MAX
    return tuple(days[day] for day in sorted(days) if day >= oldest)

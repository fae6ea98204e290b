"""Check-in streaks: how many local days in a row a member came. Pure functions over one small state.

Invariant: the state after a set of days does not depend on the order in which they arrive, as long as none is later
than LATE_DAYS_MAX behind the newest. That is why the last days are kept one by one: a check-in that was delivered late
closes the gap it had left.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LATE_DAYS_MAX: Final = 30
_KEPT = LATE_DAYS_MAX + 1
_ALL = (1 << _KEPT) - 1


class Streak(NamedTuple):
    """`last_day` is the newest day with a check-in; bit i of `recent` says that there was one i days before it;
    `older` is the length of the run that ends on the day before those.
    """

    last_day: int
    recent: int
    older: int


class CheckedIn(NamedTuple):
    """The state after a check-in, and the run it is part of: `days` up to its own day, 0 if that day was counted
    before or is too long ago.
    """

    streak: Streak
    days: int


def check_in(streak: Streak | None, day: int) -> CheckedIn:
    """The member checks in on local day `day`."""
    if streak is None:
        return CheckedIn(Streak(day, 1, 0), 1)
    ago = streak.last_day - day
    if ago > LATE_DAYS_MAX or (ago >= 0 and streak.recent >> ago & 1):
        return CheckedIn(streak, 0)
    if ago < 0:
        streak, ago = _moved(streak, -ago), 0
    after = streak._replace(recent=streak.recent | 1 << ago)
    return CheckedIn(after, _run(after, ago))


def current_days(streak: Streak | None, today: int) -> int:
    """The run as it stands on local day `today`: it lives through a day that is not over yet."""
    return _run(streak, 0) if streak is not None and today - streak.last_day <= 1 else 0


def merged(one: Streak, other: Streak) -> Streak:
    """The streak of one person who was known as two members: the days of both, as far as they are kept one by one; of
    what lies before those the longer run counts.
    """
    older, newer = sorted((one, other), key=lambda each: each.last_day)
    older = _moved(older, newer.last_day - older.last_day)
    return Streak(newer.last_day, newer.recent | older.recent, max(newer.older, older.older))


def _moved(streak: Streak, days: int) -> Streak:
    """The same check-ins seen from `days` later, with none there yet."""
    run = streak.older
    for bit in range(_KEPT - 1, max(-1, _KEPT - 1 - days), -1):
        run = run + 1 if streak.recent >> bit & 1 else 0
    if days > _KEPT:
        run = 0
    return Streak(streak.last_day + days, (streak.recent << days) & _ALL if days < _KEPT else 0, run)


def _run(streak: Streak, ago: int) -> int:
    """The length of the run that ends `ago` days before the newest."""
    days = 0
    for bit in range(ago, _KEPT):
        if not streak.recent >> bit & 1:
            return days
        days += 1
    return days + streak.older

"""Caps: how much of what a rule asks is granted, and which cap cut it. Pure; called by the engine.

Invariants: 0 ≤ granted ≤ asked; granted = asked exactly when the reason is GRANTED; what was granted before, kept by
the caller in `Spent`, plus what is granted now never exceeds a cap. Counters belong to a rule whatever its version,
and a claw-back does not give a budget back.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.units import AMOUNT_MAX, Positive

TIMES_MAX: Final = 10**6

Times = Annotated[int, Meta(ge=1, le=TIMES_MAX)]


class Reason(StrEnum):
    """Why a rule granted what it did."""

    GRANTED = "granted"
    """All that was asked."""
    CONDITION = "condition"
    """Its condition does not hold."""
    NOTHING = "nothing"
    """Its reward comes to no point."""
    EXCLUSIVE = "exclusive"
    """Another rule of its group was chosen."""
    EVENT = "event-cap"
    """The cap for one event cut it."""
    MEMBER = "member-cap"
    """The member has had what one member may have."""
    MEMBER_DAY = "member-day-cap"
    """The member has had what one member may have on one local day."""
    BUDGET = "budget"
    """The rule's budget ends here."""


class Caps(Struct, frozen=True, kw_only=True):
    """What a rule may grant at most; None: no such cap. Points of one event, of one member, of one member on one local
    day, and of all together; times are grants of at least one point.

    `whole`: what does not fit under the caps in full is not granted at all.
    """

    event_points: Positive | None = None
    member_points: Positive | None = None
    member_times: Times | None = None
    member_day_points: Positive | None = None
    member_day_times: Times | None = None
    budget_points: Positive | None = None
    whole: bool = False

    @property
    def counted(self) -> bool:
        """Whether what was granted before must be known."""
        return self.budget_points is not None or self.tallied

    @property
    def tallied(self) -> bool:
        """Whether what a member had must be known."""
        return self.member_points is not None or self.member_times is not None or self.by_member_day

    @property
    def by_member_day(self) -> bool:
        """Whether what a member had on a day must be known."""
        return self.member_day_points is not None or self.member_day_times is not None


class Spent(Struct, frozen=True, kw_only=True, gc=False):
    """What a rule has granted so far: to all, to this member, to this member on this local day."""

    points: int = 0
    member_points: int = 0
    member_times: int = 0
    day_points: int = 0
    day_times: int = 0


NOTHING_SPENT: Final = Spent()


def allow(caps: Caps, asked: int, spent: Spent) -> tuple[int, Reason]:
    """(granted, reason). Of several caps that cut, the tightest is named, of equally tight ones the first listed."""
    if asked == 0:
        return 0, Reason.NOTHING
    room, reason = AMOUNT_MAX if caps.event_points is None else caps.event_points, Reason.EVENT
    for left, cap in _rooms(caps, spent) if caps.counted else ():
        if left < room:
            room, reason = left, cap
    if asked <= room:
        return asked, Reason.GRANTED
    return (0 if caps.whole else max(0, room)), reason


def _rooms(caps: Caps, spent: Spent) -> Iterator[tuple[int, Reason]]:
    """What every cap over several events would still let through."""
    if caps.member_points is not None:
        yield caps.member_points - spent.member_points, Reason.MEMBER
    if caps.member_times is not None and spent.member_times >= caps.member_times:
        yield 0, Reason.MEMBER
    if caps.member_day_points is not None:
        yield caps.member_day_points - spent.day_points, Reason.MEMBER_DAY
    if caps.member_day_times is not None and spent.day_times >= caps.member_day_times:
        yield 0, Reason.MEMBER_DAY
    if caps.budget_points is not None:
        yield caps.budget_points - spent.points, Reason.BUDGET

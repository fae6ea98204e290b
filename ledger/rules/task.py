"""Composite tasks: several things to do, in any order, on any platform, completed once per member. Pure functions.

Invariants: progress depends on the set of events alone, not on their order; a step never counts beyond its goal; once
completed, a task stays completed. A member is a natural person: all platforms of a person are linked to one member.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from ledger.rules.conditions import Condition, holds
from ledger.rules.days import day_of
from ledger.rules.facts import Facts, Trigger

STEPS_MAX: Final = 16
STEP_TIMES_MAX: Final = 1_000
STEP_DAYS_MAX: Final = 100
"""Goal of a step that counts days: the days are kept one by one."""


class Step(Struct, frozen=True, kw_only=True):
    """`times` events of this trigger that meet the condition; `daily`: at most one per member-local day counts."""

    trigger: Trigger
    times: Annotated[int, Meta(ge=1, le=STEP_TIMES_MAX)] = 1
    condition: Condition | None = None
    daily: bool = False


Steps = Annotated[tuple[Step, ...], Meta(max_length=STEPS_MAX)]


class Progress(Struct, frozen=True):
    """How far a member is: per step how often, and for a daily step on which local days, ascending."""

    counts: tuple[int, ...]
    days: tuple[tuple[int, ...], ...]
    completed: bool = False


class Advanced(NamedTuple):
    """Progress after an event; `completed_now` exactly once in the life of a task."""

    progress: Progress
    completed_now: bool


def begin(steps: Steps) -> Progress:
    """Nothing done yet."""
    return Progress((0,) * len(steps), ((),) * len(steps))


def advance(steps: Steps, progress: Progress | None, facts: Facts) -> Advanced | None:
    """What an event does to a task; None if it changes nothing. It may count for several steps. Where nothing is left
    to do and nobody was paid (`merged`), any event that a step asks for completes it.
    """
    before = progress or begin(steps)
    if before.completed:
        return None
    counted = [
        _counted(step, count, days, facts) for step, count, days in zip(steps, before.counts, before.days, strict=True)
    ]
    counts = tuple(count for count, _ in counted)
    completed = _completed(steps, counts) and any(_meets(step, facts) for step in steps)
    if counts == before.counts and not completed:
        return None
    return Advanced(Progress(counts, tuple(days for _, days in counted), completed), completed)


def merged(steps: Steps, one: Progress, other: Progress) -> Progress:
    """The progress of one person who was known as two members: both together, completed if either had completed it."""
    days = tuple(tuple(sorted({*mine, *theirs})) for mine, theirs in zip(one.days, other.days, strict=True))
    counts = tuple(
        min(step.times, len(each) if step.daily else mine + theirs)
        for step, each, mine, theirs in zip(steps, days, one.counts, other.counts, strict=True)
    )
    return Progress(counts, days, one.completed or other.completed)


def problem(steps: Steps) -> str | None:
    """Why the steps cannot be counted, if so."""
    if any(step.trigger == "task.completed" and step.condition is None for step in steps):
        return "a step that waits for a task says which"
    if any(step.daily and step.times > STEP_DAYS_MAX for step in steps):
        return f"a daily step counts at most {STEP_DAYS_MAX} days"
    return None


def _completed(steps: Steps, counts: tuple[int, ...]) -> bool:
    return all(count == step.times for step, count in zip(steps, counts, strict=True))


def _counted(step: Step, count: int, days: tuple[int, ...], facts: Facts) -> tuple[int, tuple[int, ...]]:
    """A step's count and days after an event."""
    if count == step.times or not _meets(step, facts):
        return count, days
    if not step.daily:
        return count + 1, days
    today = day_of(facts.at_ms, facts.utc_offset_minutes)
    return (count, days) if today in days else (count + 1, tuple(sorted((*days, today))))


def _meets(step: Step, facts: Facts) -> bool:
    return step.trigger == facts.trigger and (step.condition is None or holds(step.condition, facts))

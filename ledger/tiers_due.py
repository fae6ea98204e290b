"""Whose tier time has changed: members looked at page by page, and the evaluations that would record it. Reading only;
whoever owns a clock asks and posts what it is answered, as with `ledger.due`.

Nothing is answered for a member whose recorded tier is the one that follows, nor for one that never left the lowest:
an evaluation is a journal entry, and most would say nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from ledger.commands import EvaluateTier, SetTiers
from ledger.members import tiers
from ledger.slice import Member, Slice
from ledger.storage import loading, selects

Connection = psycopg.Connection[Any]

MEMBERS_PER_READ_MAX = 1_000


class Page(NamedTuple):
    """What is due among the members looked at; `next_no` is where to go on, None when all were looked at."""

    commands: list[EvaluateTier]
    next_no: int | None


_MEMBERS = """
SELECT member_no, name FROM ledger.person
WHERE shard = 0 AND member_no > %s AND merged_into IS NULL AND NOT closed ORDER BY member_no LIMIT %s
"""


def changed(conn: Connection, at_ms: int, *, after_no: int, limit: int = MEMBERS_PER_READ_MAX) -> Page:
    """The next `limit` members after number `after_no`, as their tiers stand at `at_ms`."""
    settings = (state := Slice(0, loading.registry(conn))).registry.tiers
    if settings is None:
        return Page([], None)
    rows = conn.execute(_MEMBERS, [after_no, limit]).fetchall()
    if not rows:
        return Page([], None)
    after_ms = loading.integers([at_ms - tiers.span_ms(settings)] * len(rows))
    loading.add_bought(state, conn.execute(selects.BOUGHT, ["\n".join(name for _, name in rows), after_ms]))
    numbers = {number for number, _ in rows}
    due = [
        EvaluateTier(key=f"due:tier:{member.no}:{at_ms}", at_ms=at_ms, member=member.name)
        for member in sorted(state.people.values(), key=lambda each: each.no)
        if member.no in numbers and _differs(state, settings, member, at_ms)
    ]
    return Page(due, rows[-1][0] if len(rows) == limit else None)


def _differs(state: Slice, settings: SetTiers, member: Member, at_ms: int) -> bool:
    over_time = tiers.sums(settings, state.bought_by(member), state.registry.terms)
    follows = tiers.judge(settings, member, over_time, at_ms).tier
    return follows != (member.tier or settings.tiers[0].code)

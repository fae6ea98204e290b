"""How a member stands: its tier explained, and the history of its tiers. Reading only, on the caller's connection."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from ledger.answers import parse_receipt
from ledger.members import tiers
from ledger.members.tiers import Explanation
from ledger.slice import Slice
from ledger.storage import loading, selects

Connection = psycopg.Connection[Any]

HISTORY_ENTRIES_MAX = 1_000


class TierChange(NamedTuple):
    """One change of a member's tier: at which journal position, when, from what to what, on how many AU."""

    seq: int
    at_ms: int
    was: str
    tier: str
    qualifying_au: int


_HISTORY = """
WITH person AS (
    SELECT coalesce(merged_into, member_no) AS member_no FROM ledger.person WHERE shard = 0 AND name = %s
), named AS (
    SELECT p.name FROM person JOIN ledger.person p ON p.shard = 0 AND p.member_no = person.member_no
    UNION ALL
    SELECT p.name FROM person JOIN ledger.membership s ON s.shard = 0 AND s.merged_into = person.member_no
    JOIN ledger.person p ON p.shard = 0 AND p.member_no = s.member_no
)
SELECT j.receipt FROM named
JOIN ledger.journal j ON j.shard = 0 AND j.verb = 'evaluate_tier' AND (j.command::json)->>'member' = named.name
ORDER BY j.seq DESC LIMIT %s
"""


def tier_history(conn: Connection, member: str) -> list[TierChange]:
    """What evaluations changed, oldest first, of all accounts that are this person; the last HISTORY_ENTRIES_MAX
    evaluations are looked at.
    """
    receipts = [parse_receipt(body.encode()) for (body,) in conn.execute(_HISTORY, [member, HISTORY_ENTRIES_MAX])]
    return [
        TierChange(each.seq, each.at_ms, str(why["was"]), str(why["tier"]), int(why["qualifying_au"]))
        for each in reversed(receipts)
        if (why := each.why)["was"] != why["tier"]
    ]


def explain_tier(conn: Connection, member: str, at_ms: int) -> Explanation | None:
    """The member's tier as an evaluation at `at_ms` would give it, and why; None for nobody or while no tiers are
    set.
    """
    state = Slice(0, loading.registry(conn))
    settings = state.registry.tiers
    if settings is None:
        return None
    after_ms = at_ms - tiers.span_ms(settings)
    loading.add_bought(state, conn.execute(selects.BOUGHT, [member, loading.integers([after_ms])]))
    persons = [person for person in state.people.values() if person.merged_into is None]
    return tiers.explain(state.registry, persons[0], state.bought_by(persons[0]), at_ms) if persons else None

"""The changes of every account by day of valid time: a projection that is a cursor over the journal, off the hot path.

`catch_up` takes the next entries in bounded batches, each one transaction that locks the cursor's row, adds what the
entries changed on the days they happened on, and moves the cursor: killed, it has done whole batches; run twice, the
second waits for the first and goes on from there. A backdated entry adds to an old day's row, at the cost of any other,
and is noted as late, so that a day's postings are found without looking at others: a posting is in time when its
account had none of a later day before it. Days are UTC. `ledger.verify` compares them with the postings. Anybody may
run it; `ledger.reports.as_of` adds what it has not seen yet, so that it is never wrong, only slower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]

ENTRIES_PER_BATCH = 2_000

_LOCK = "SELECT seq FROM ledger.projection WHERE shard = 0 AND name = 'day' FOR UPDATE"
_NEXT = """
SELECT least(p.seq + %s, h.seq) FROM ledger.projection p JOIN ledger.head h USING (shard)
WHERE shard = 0 AND name = 'day'
"""
# The postings of a range of entries stand in their receipts, found by the journal's key; ledger.posting has no index
# by entry. A receipt's posting is [[family, unit, party], n, leg, amount, balance].
_ADD = """
WITH fresh AS (
    SELECT (e->0->>0)::smallint AS family, (e->0->>1)::integer AS unit, (e->0->>2)::bigint AS party,
           (j.at_ms / 86400000)::integer AS day, (e->>1)::bigint AS n, (e->>3)::bigint AS amount
    FROM ledger.journal j, json_array_elements(j.receipt::json->'postings') AS e
    WHERE j.shard = 0 AND j.seq > %s AND j.seq <= %s
), told AS (
    SELECT f.*, f.day >= max(f.day) OVER (PARTITION BY f.family, f.unit, f.party ORDER BY f.n)
           AND f.day >= coalesce(known.day, f.day) AS in_time
    FROM fresh f LEFT JOIN LATERAL (
        SELECT day FROM ledger.day WHERE shard = 0 AND family = f.family AND unit = f.unit AND party = f.party
        ORDER BY day DESC LIMIT 1
    ) known ON true
), late AS (
    INSERT INTO ledger.late (shard, family, unit, party, day, n)
    SELECT 0, family, unit, party, day, n FROM told WHERE NOT in_time
)
INSERT INTO ledger.day AS old (shard, family, unit, party, day, amount, first_n, last_n)
SELECT 0, family, unit, party, day, sum(amount), min(n) FILTER (WHERE in_time), max(n) FILTER (WHERE in_time)
FROM told GROUP BY family, unit, party, day
ON CONFLICT (shard, family, unit, party, day) DO UPDATE
SET amount = old.amount + excluded.amount,
    first_n = least(old.first_n, excluded.first_n), last_n = greatest(old.last_n, excluded.last_n)
"""
_MOVE = "UPDATE ledger.projection SET seq = %s WHERE shard = 0 AND name = 'day'"


def catch_up(
    conn: Connection,
    *,
    entries_per_batch: int = ENTRIES_PER_BATCH,
    batches_max: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Project until the journal's head, or `batches_max` batches; answers the cursor. The connection must be idle."""
    done = 0
    while True:
        seq, moved = _batch(conn, entries_per_batch)
        progress(seq)
        done += 1
        if not moved or done == batches_max:
            return seq


def _batch(conn: Connection, entries: int) -> tuple[int, bool]:
    """One batch; answers the cursor and whether it moved."""
    with conn.transaction():
        seq = _figure(conn.execute(_LOCK))
        upto = _figure(conn.execute(_NEXT, [entries]))
        if upto > seq:
            conn.execute(_ADD, [seq, upto])
            conn.execute(_MOVE, [upto])
        return upto, upto > seq


def reached(conn: Connection) -> int:
    """The last entry that is in the days."""
    return _figure(conn.execute("SELECT seq FROM ledger.projection WHERE shard = 0 AND name = 'day'"))


def start_afresh(conn: Connection) -> None:
    """Forget every day and go back to the beginning: when `verify` says that they are wrong. Takes the owner."""
    with conn.transaction():
        conn.execute(_LOCK)
        conn.execute("DELETE FROM ledger.day WHERE shard = 0")
        conn.execute("DELETE FROM ledger.late WHERE shard = 0")
        conn.execute(_MOVE, [0])


def _figure(rows: psycopg.Cursor[Any]) -> int:
    row = rows.fetchone()
    assert row is not None, "the migration puts the cursor's row"
    return int(row[0])

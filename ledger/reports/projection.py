"""The changes of every account by day of valid time: a projection that is a cursor over the journal, off the hot path.

`catch_up` takes the next entries in bounded batches, each one transaction that locks the cursor's row, adds what the
entries changed on the days they happened on, and moves the cursor: killed, it has done whole batches; run twice, the
second waits for the first and goes on from there. A backdated entry adds to an old day's row, at the cost of any other.
Days are UTC. `ledger.verify` compares the days with the postings. Anybody may run it; `ledger.reports.as_of` adds what
it has not seen yet, so that it is never wrong, only slower.
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
INSERT INTO ledger.day AS old (shard, family, unit, party, day, amount, first_n, last_n)
SELECT 0, (e->0->>0)::smallint, (e->0->>1)::integer, (e->0->>2)::bigint, j.at_ms / 86400000,
       sum((e->>3)::bigint), min((e->>1)::bigint), max((e->>1)::bigint)
FROM ledger.journal j, json_array_elements(j.receipt::json->'postings') AS e
WHERE j.shard = 0 AND j.seq > %s AND j.seq <= %s GROUP BY 1, 2, 3, 4, 5
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


def start_afresh(conn: Connection) -> None:
    """Forget every day and go back to the beginning: when `verify` says that they are wrong. Takes the owner."""
    with conn.transaction():
        conn.execute(_LOCK)
        conn.execute("DELETE FROM ledger.day WHERE shard = 0")
        conn.execute(_MOVE, [0])


def _figure(rows: psycopg.Cursor[Any]) -> int:
    row = rows.fetchone()
    assert row is not None, "the migration puts the cursor's row"
    return int(row[0])

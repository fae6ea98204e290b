"""What reports read from the store: entries in order, and the cycles by name. Reading only.

The journal only grows, so a range that was read once reads the same for ever, and no snapshot is needed. Whoever folds
(`ledger.reports.gather`, `cohorts`, `peaks`) is given what `stream` yields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from ledger.answers import parse_receipt
from ledger.commands import parse
from ledger.reports.cycles import Cycle
from ledger.reports.recorded import Recorded
from ledger.slice import Used

Connection = psycopg.Connection[Any]

ENTRIES_PER_READ_MAX = 2_000


class UnknownCycle(Exception):
    """No cycle of this name was charged."""


_READ = """
SELECT j.seq, j.command, j.receipt, o.seq
FROM ledger.journal j
LEFT JOIN LATERAL (
    SELECT seq FROM ledger.orders
    WHERE j.verb IN ('refund', 'cancel_pending') AND shard = 0
      AND merchant_id = coalesce(j.command::json->>'merchant_id', j.command::json->>'order_merchant_id')::integer
      AND name = j.command::json->>'order' LIMIT 1
) o ON true
WHERE j.shard = 0 AND j.seq > %s AND j.seq <= %s ORDER BY j.seq LIMIT %s
"""
_CHARGED = """
SELECT c.name, c.seq, j.at_ms FROM ledger.claim c JOIN ledger.journal j ON j.shard = c.shard AND j.seq = c.seq
WHERE c.shard = 0 AND c.merchant_id = 0 AND c.used = %s ORDER BY c.seq
"""
_HEAD = "SELECT seq, at_ms FROM ledger.journal WHERE shard = 0 ORDER BY seq DESC LIMIT 1"


def stream(
    conn: Connection, *, after_seq: int = 0, upto_seq: int, progress: Callable[[int], None] = lambda _: None
) -> Iterator[Recorded]:
    """Entries after_seq+1 .. upto_seq in order; `progress` hears the last position read, once a piece."""
    while after_seq < upto_seq:
        rows = conn.execute(_READ, [after_seq, upto_seq, ENTRIES_PER_READ_MAX]).fetchall()
        if not rows:
            return
        for _, command, receipt, order_seq in rows:
            yield Recorded(parse(command.encode()), parse_receipt(receipt.encode()), order_seq)
        after_seq = rows[-1][0]
        progress(after_seq)


def listed(conn: Connection) -> list[Cycle]:
    """Every cycle so far, the open one last if it has any entry."""
    found, first = [], 1
    for name, seq, at_ms in conn.execute(_CHARGED, [Used.CYCLE.value]):
        found.append(Cycle(name=name, first_seq=first, last_seq=seq, closed_at_ms=at_ms))
        first = seq + 1
    head = conn.execute(_HEAD).fetchone()
    if head and head[0] >= first:
        found.append(Cycle(name=None, first_seq=first, last_seq=head[0], closed_at_ms=head[1]))
    return found


def named(conn: Connection, name: str | None) -> Cycle:
    """The cycle of this name, None meaning the open one. Raises UnknownCycle."""
    for cycle in listed(conn):
        if cycle.name == name:
            return cycle
    raise UnknownCycle(f"no cycle is named {name!r}" if name else "no entry follows the last charge of fees")


def charged(conn: Connection, name: str | None) -> Cycle:
    """The charged cycle of this name, None meaning the last one. Raises UnknownCycle."""
    if name is not None:
        return named(conn, name)
    found = [cycle for cycle in listed(conn) if cycle.name is not None]
    if not found:
        raise UnknownCycle("no cycle was charged yet; ask for the open one")
    return found[-1]

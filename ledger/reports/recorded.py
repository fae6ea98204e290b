"""A journal entry as reports read it: the command and its receipt, from a pure book or from the store. Reading only.

`recorded` pairs them up, `stream` reads a range of the journal in order and in bounded pieces. The journal only grows,
so a range that was read once reads the same for ever; no snapshot is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg

from ledger.answers import Receipt, parse_receipt
from ledger.commands import AnyCommand, parse

Connection = psycopg.Connection[Any]

ENTRIES_PER_READ_MAX = 2_000


class Recorded(NamedTuple):
    """One entry. `order_seq` is, for a refund of an order and a cancelled one, the entry that made it, else None."""

    command: AnyCommand
    receipt: Receipt
    order_seq: int | None = None


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

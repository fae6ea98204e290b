"""The one record: journal entries in commit order, read by position. Consumers (settlement, webhooks, rebuild) are
cursors over `seq`.

`seq` is gapless from 1 and in commit order, so a reader that has seen everything up to `after_seq` has missed nothing.
Reading changes nothing.
"""

from __future__ import annotations

from typing import Any

import psycopg
from msgspec import Struct

from ledger.answers import JournalPosting, Leg, parse_receipt

Connection = psycopg.Connection[Any]

ENTRIES_PER_READ_MAX = 10_000


class JournalEntry(Struct, frozen=True, kw_only=True, gc=False):
    """One entry: what was asked, what it did. `canonical` is the command's bytes, a newline, the receipt's bytes: what
    the journal chain hashes.
    """

    seq: int
    verb: str
    key: str
    at_ms: int
    legs: tuple[Leg, ...]
    postings: tuple[JournalPosting, ...]
    canonical: bytes


_READ = """
SELECT command, receipt FROM ledger.journal WHERE shard = 0 AND seq > %s ORDER BY seq LIMIT %s
"""


def read(conn: Connection, after_seq: int, limit: int = ENTRIES_PER_READ_MAX) -> list[JournalEntry]:
    """Entries after_seq+1 .. after_seq+limit, in order; fewer when the journal ends."""
    rows = conn.execute(_READ, [after_seq, min(limit, ENTRIES_PER_READ_MAX)])
    return [entry(command.encode(), receipt.encode()) for command, receipt in rows]


def entry(command: bytes, receipt: bytes) -> JournalEntry:
    """The entry of a journal row."""
    done = parse_receipt(receipt)
    return JournalEntry(
        seq=done.seq,
        verb=done.verb,
        key=done.key,
        at_ms=done.at_ms,
        legs=done.legs,
        postings=done.postings,
        canonical=command + b"\n" + receipt,
    )


def head_seq(conn: Connection) -> int:
    """The last journal position, 0 when nothing was posted."""
    row = conn.execute("SELECT seq FROM ledger.head WHERE shard = 0").fetchone()
    return int(row[0]) if row else 0

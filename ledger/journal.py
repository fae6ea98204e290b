"""The one record: journal entries in commit order, read by position. Consumers (settlement, webhooks, rebuild) are
cursors over `seq`.

`seq` is gapless from 1 and in commit order, so a reader that has seen everything up to `after_seq` has missed nothing.
Reading changes nothing.
"""

from __future__ import annotations

from typing import Any

import psycopg
from msgspec import Struct

from ledger.answers import JournalPosting, Leg

Connection = psycopg.Connection[Any]

ENTRIES_PER_READ_MAX = 10_000


class JournalEntry(Struct, frozen=True, kw_only=True):
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


def read(conn: Connection, after_seq: int, limit: int = ENTRIES_PER_READ_MAX) -> list[JournalEntry]:
    """Entries after_seq+1 .. after_seq+limit, in order; fewer when the journal ends."""
    raise NotImplementedError("lands with the store")


def head_seq(conn: Connection) -> int:
    """The last journal position, 0 when nothing was posted."""
    raise NotImplementedError("lands with the store")

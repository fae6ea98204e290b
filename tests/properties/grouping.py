"""One history through the real store in batches of several sizes: the same entries, the same answers, the same root.

The pure book says what the journal must be, byte for byte; the store may group commands as it likes. The root is the
head of the journal chain that settlement publishes. Tests and the long run call `check`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from ledger import journal
from ledger.book import Book
from ledger.commands import Command
from ledger.journal import JournalEntry
from ledger.postgres.embedded import EmbeddedServer
from ledger.slice import Slice
from ledger.store import open_store
from proofs.words import ZERO_WORD
from settlement.sealing.leaves import journal_head

BATCHES = (1, 7, 1_000)
_serial = itertools.count(1)


def check(server: EmbeddedServer, template: str, commands: Sequence[Command]) -> bytes:
    """Every grouping gives what the book alone gives; answers the root."""
    bodies, entries = on_the_book(commands)
    root = journal_head(ZERO_WORD, entries)
    for batch in BATCHES:
        with fresh_database(server, template) as dsn:
            said, kept = in_batches(dsn, commands, batch)
        assert said == bodies, f"batches of {batch} answer otherwise"
        assert [entry.canonical for entry in kept] == [entry.canonical for entry in entries], batch
        assert journal_head(ZERO_WORD, kept) == root
    return root


def on_the_book(commands: Sequence[Command]) -> tuple[list[bytes], list[JournalEntry]]:
    """What the pure book answers, and the journal it would write."""
    book = Book(Slice.whole())
    bodies = [book.apply(command).body for command in commands]
    rows = book.take_effects().journal
    return bodies, [journal.entry(row.command, row.receipt) for row in rows]


def in_batches(dsn: str, commands: Sequence[Command], batch: int) -> tuple[list[bytes], list[JournalEntry]]:
    """What the store answers, and the journal it wrote."""
    with open_store(dsn) as store:
        bodies = [
            answer.body
            for start in range(0, len(commands), batch)
            for answer in store.post(commands[start : start + batch])
        ]
    with psycopg.connect(dsn, autocommit=True) as conn:
        return bodies, list(all_entries(conn))


def all_entries(conn: psycopg.Connection[tuple[object, ...]]) -> Iterator[JournalEntry]:
    """The journal from its beginning."""
    seq = 0
    while entries := journal.read(conn, seq):
        yield from entries
        seq = entries[-1].seq


@contextmanager
def fresh_database(server: EmbeddedServer, template: str) -> Iterator[str]:
    """A migrated database, dropped afterwards."""
    name = f"grouping_{next(_serial)}"
    _execute(server, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
    try:
        yield server.dsn(name)
    finally:
        _execute(server, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(server: EmbeddedServer, statement: str, *names: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

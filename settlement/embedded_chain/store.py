"""One SQLite file as py-evm's key-value database: a block is one transaction, so a kill leaves whole blocks or
nothing of them.

Invariants: one process holds the file (exclusive lock, given back by the system when the process dies); every write
happens inside `block()`; with `synchronous=FULL` a block that was answered for is on disk. Called by `blocks` only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eth.db.backends.base import BaseDB
from typing_extensions import override

LOCK_WAIT_S = 2.0


class ChainStoreError(RuntimeError):
    """The chain's file cannot be opened: held by another node, or not a chain database."""


class BlockStore(BaseDB):
    """Bytes to bytes, as py-evm wants it, plus the few named values of the node itself (`meta`)."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            for statement in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                self._connection.execute(f"PRAGMA {statement}")
            with self.block():
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
                )
                self._connection.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        except sqlite3.Error as error:
            self._connection.close()
            raise ChainStoreError(
                f"cannot open the chain at {path}: {error} (is another node running on it?)"
            ) from error

    @contextmanager
    def block(self) -> Iterator[None]:
        """All writes inside are kept together or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @override
    def __getitem__(self, key: bytes) -> bytes:
        row = self._connection.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    @override
    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO kv VALUES (?, ?)", (key, value))

    @override
    def __delitem__(self, key: bytes) -> None:
        if self._connection.execute("DELETE FROM kv WHERE key = ?", (key,)).rowcount == 0:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        return self._connection.execute("SELECT 1 FROM kv WHERE key = ?", (key,)).fetchone() is not None

    def meta(self, name: str) -> str | None:
        """A value of the node itself, or None."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        """Remember a value of the node itself; inside `block()`."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def copied(self) -> sqlite3.Connection:
        """Everything as it is now, in memory."""
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.backup(copy)
        return copy

    def put_back(self, copy: sqlite3.Connection) -> None:
        """Be what was copied, at once and durably."""
        copy.backup(self._connection)

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

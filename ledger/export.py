"""The journal as a file for an auditor whom the operator admits to the books: canonical bytes of each entry, in order.

It holds commands and receipts in clear, members' names among them: it goes to nobody who may not see all of that, and
the file is its owner's alone. Called by `python -m ledger export`; read by the auditor's check 29. Reading only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from ledger import journal
from proofs.journal_file import write_journal

OWNER_ONLY = 0o600


def export(conn: psycopg.Connection[Any], path: Path, *, upto_seq: int) -> int:
    """Write entries 1 to `upto_seq` to `path`, whole or not at all; answers how many there were."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "wb") as target:
        count = write_journal(target, _entries(conn, upto_seq))
    aside.replace(path)
    return count


def _entries(conn: psycopg.Connection[Any], upto_seq: int) -> Iterator[bytes]:
    after = 0
    while after < upto_seq:
        entries = journal.read(conn, after, min(journal.ENTRIES_PER_READ_MAX, upto_seq - after))
        if not entries:
            return
        yield from (entry.canonical for entry in entries)
        after = entries[-1].seq

"""The export of a private journal: every entry's canonical bytes in order, as they enter the journal's hash chain.

    b"TDJ1" ‖ for each entry: length uint32 ‖ canonical bytes

The canonical bytes of an entry are its command, a newline, its receipt, both JSON without a raw newline; the chain's
next head is `proofs.headers.journal_link`. Written by the ledger for an auditor whom the operator admits to the books,
read by the auditor. Source: docs/protocol §2.7.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import IO

MAGIC = b"TDJ1"
ENTRY_BYTES_MAX = 2**26
_LENGTH = struct.Struct(">I")


class JournalFileError(ValueError):
    """The bytes are not an export: wrong magic, an entry cut short, or longer than any entry is."""


def write_journal(target: IO[bytes], entries: Iterable[bytes]) -> int:
    """Write an export; answers how many entries it has."""
    target.write(MAGIC)
    count = 0
    for entry in entries:
        target.write(_LENGTH.pack(len(entry)) + entry)
        count += 1
    return count


def read_journal(source: IO[bytes]) -> Iterator[bytes]:
    """The canonical bytes of each entry. Raises `JournalFileError`."""
    if source.read(len(MAGIC)) != MAGIC:
        raise JournalFileError("not an export of a journal")
    while head := source.read(_LENGTH.size):
        if len(head) != _LENGTH.size:
            raise JournalFileError("the export ends within a length")
        (length,) = _LENGTH.unpack(head)
        entry = source.read(length) if length <= ENTRY_BYTES_MAX else b""
        if len(entry) != length or not entry:
            raise JournalFileError(f"an entry of {length} bytes is not there")
        yield entry

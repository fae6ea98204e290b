"""Whether the next batch's number is free: nobody knows a header under it that this database does not know.

A database that came back from an older backup would give a number a second time, and make a second header for it (R8).
So chain and mirrors are asked before anything is sealed. Reading only; called by `batches`. Source:
docs/decisions/0187.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from settlement import tables
from settlement.alliance import Alliance
from settlement.mirrors import Mirror, MirrorError
from settlement.publish import published_header
from settlement.steps import ABSENT
from settlement.tables import Conn


class NumberTaken(RuntimeError):
    """A header that this database does not know stands under the next number: the database is older than its batches.
    Nothing is sealed until a person has brought it up to them (R8: never a second header for a number).
    """


def require_free(conn: Conn, alliance: Alliance, mirrors: Sequence[Mirror], batch_no: int) -> None:
    """Whether the number was given before is asked of chain and mirrors; a mirror that is down says nothing. Raises
    `NumberTaken`.
    """
    held = {alliance.chain.place: _committed(alliance, batch_no)}
    for mirror in mirrors:
        with suppress(MirrorError):
            standing = published_header(mirror, batch_no)
            held[mirror.name] = None if standing is None else standing.hash_struct()
    ours = tables.known_hashes(conn, batch_no)
    for place, header_hash in held.items():
        if header_hash is not None and header_hash not in ours:
            raise NumberTaken(f"batch {batch_no}: {place} holds header {header_hash.hex()}, which is not ours")


def _committed(alliance: Alliance, batch_no: int) -> bytes | None:
    """The header that the hub holds under a number; one that was thrown out is none."""
    status = alliance.hub.read("record", batch_no)[4]
    held: bytes = alliance.hub.read("headerHash", batch_no)
    return None if held == ABSENT or status == tables.REVERTED_ON_CHAIN else held

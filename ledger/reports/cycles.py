"""Cycles: the ranges of the journal between two charges of fees. Pure, but for the list that the store answers.

A cycle ends with the entry that charges its fees and has that entry's name; what follows the last charge is the open
cycle, which has no name yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from msgspec import Struct

from ledger.commands import ChargeFees
from ledger.reports.recorded import Recorded
from ledger.reports.tally import Tally
from ledger.slice import Used

Connection = psycopg.Connection[Any]


class Cycle(Struct, frozen=True, kw_only=True):
    """Entries first_seq .. last_seq; `name` is None while it is open. `closed_at_ms` is the time of its last entry."""

    name: str | None
    first_seq: int
    last_seq: int
    closed_at_ms: int


class UnknownCycle(Exception):
    """No cycle of this name was charged."""


_CHARGED = """
SELECT c.name, c.seq, j.at_ms FROM ledger.claim c JOIN ledger.journal j ON j.shard = c.shard AND j.seq = c.seq
WHERE c.shard = 0 AND c.merchant_id = 0 AND c.used = %s ORDER BY c.seq
"""
_HEAD = "SELECT seq, at_ms FROM ledger.journal WHERE shard = 0 ORDER BY seq DESC LIMIT 1"


def walk(entries: Iterable[Recorded], tally: Tally) -> Iterator[Cycle]:
    """Fold entries into `tally` and stop at each cycle's end, with the tally as it is there; then at the open cycle's,
    if it has any entry.
    """
    first, at_ms = tally.seq + 1, 0
    for recorded in entries:
        tally.add(recorded)
        at_ms = recorded.receipt.at_ms
        if isinstance(recorded.command, ChargeFees):
            yield Cycle(name=recorded.command.cycle, first_seq=first, last_seq=tally.seq, closed_at_ms=at_ms)
            tally.begin()
            first = tally.seq + 1
    if tally.seq >= first:
        yield Cycle(name=None, first_seq=first, last_seq=tally.seq, closed_at_ms=at_ms)


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

"""Cycles: the ranges of the journal between two charges of fees. Pure.

A cycle ends with the entry that charges its fees and has that entry's name; what follows the last charge is the open
cycle, which has no name yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from ledger.commands import ChargeFees
from ledger.reports.recorded import Recorded
from ledger.reports.tally import Tally


class Cycle(Struct, frozen=True, kw_only=True):
    """Entries first_seq .. last_seq; `name` is None while it is open. `closed_at_ms` is the time of its last entry."""

    name: str | None
    first_seq: int
    last_seq: int
    closed_at_ms: int


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

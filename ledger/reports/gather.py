"""Statements and liability reports from a run of entries: who drives the fold and keeps the openings. Pure.

The entries come from `recorded.stream` or from a pure book; one pass serves every merchant and every cycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ledger.reports import liability
from ledger.reports.cycles import Cycle, walk
from ledger.reports.liability import NOTHING, Liability
from ledger.reports.recorded import Recorded
from ledger.reports.statement import Batch, Statement, statement
from ledger.reports.tally import Tally


def statements(
    entries: Iterable[Recorded], batches: Sequence[Batch] = (), *, only: Cycle | None = None
) -> Iterator[tuple[Cycle, list[Statement]]]:
    """Cycle after cycle (`only`: that one alone), the statement of every merchant by number. The entries begin with
    the journal's first.
    """
    tally = Tally()
    openings, positions = liability.standings(tally), dict[int, int]()
    for cycle in walk(entries, tally):
        if only in {None, cycle}:
            drawn = [
                statement(
                    tally,
                    cycle,
                    merchant_id,
                    opening=openings.get(merchant_id, NOTHING),
                    opening_position=positions.get(merchant_id, 0),
                    batches=batches,
                )
                for merchant_id in sorted(tally.registry.merchants)
            ]
            yield cycle, drawn
        openings = liability.standings(tally)
        positions = {merchant_id: tally.position(merchant_id) for merchant_id in tally.registry.merchants}


def liabilities(entries: Iterable[Recorded], *, after_seq: int = 0) -> list[Liability]:
    """Every issuer's report over the entries after `after_seq`. The entries begin with the journal's first."""
    tally = Tally()
    openings = dict[int, liability.Standing]()
    for recorded in entries:
        tally.add(recorded)
        if tally.seq == after_seq:
            tally.begin()
            openings = liability.standings(tally)
    return [
        liability.report(tally, issuer, first_seq=after_seq + 1, opening=openings.get(issuer, NOTHING))
        for issuer in sorted(tally.registry.merchants)
    ]

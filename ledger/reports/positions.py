"""Positions at any journal position and over any range of it, from the store. Reading only.

At a position every account is found by bisection (`ledger.reports.as_of`), whatever the journal's length; a range is
folded entry by entry from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from msgspec import Struct

from ledger import accounts
from ledger.queries import Position
from ledger.reports.as_of import all_recorded
from ledger.reports.peaks import Peaks
from ledger.reports.reading import stream
from proofs.accounts import GUARANTEE_ID, OPERATOR_ID, RESERVE_ID

Connection = psycopg.Connection[Any]


class Range(Struct, frozen=True, kw_only=True):
    """Entries first_seq .. last_seq: positions before and after by party, the peak debit of each (0: never below),
    and the gross interchange, in AU.
    """

    first_seq: int
    last_seq: int
    opening: dict[int, int]
    closing: dict[int, int]
    peak_debit: dict[int, int]
    gross_interchange: int


def at(conn: Connection, seq: int) -> dict[int, Position]:
    """By party that had money posted by then: merchants, operator, reserve, guarantee fund. The totals sum to zero."""
    rows = conn.execute("SELECT merchant_id FROM ledger.merchant WHERE shard = 0")
    parties = [*sorted(row[0] for row in rows), OPERATOR_ID, RESERVE_ID, GUARANTEE_ID]
    names = [each(party) for party in parties for each in (accounts.cash, accounts.fees, accounts.settled)]
    balances = all_recorded(conn, names, seq)
    found = {}
    for party in parties:
        mine = [balances.get(each(party)) for each in (accounts.cash, accounts.fees, accounts.settled)]
        if any(balance is not None for balance in mine):
            cash, fees, settled = (balance or 0 for balance in mine)
            found[party] = Position(cash, fees, settled, cash + fees - settled)
    return found


def over(conn: Connection, *, first_seq: int, last_seq: int, progress: Callable[[int], None] = lambda _: None) -> Range:
    """What happened to positions from entry first_seq to entry last_seq."""
    opening = {party: position.total for party, position in at(conn, first_seq - 1).items()}
    peaks = Peaks(opening)
    for recorded in stream(conn, after_seq=first_seq - 1, upto_seq=last_seq, progress=progress):
        peaks.add(recorded.receipt)
    return Range(
        first_seq=first_seq,
        last_seq=last_seq,
        opening=opening,
        closing=dict(sorted(peaks.position.items())),
        peak_debit=peaks.peak_debit(),
        gross_interchange=peaks.gross_interchange,
    )

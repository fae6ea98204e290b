"""Balances at any time, on both axes: as recorded (at a journal position) and as valid (by when things happened).

As recorded is a bisection: the postings of an account are numbered without gaps in journal order, so the last one at or
before a position is found by about log2(n) probes of the primary key of `ledger.posting`, in one statement. As valid is
the sum of the changes by day (`ledger.day`, kept by `ledger.reports.projection`), the entries of the last day one by
one, and whatever the projection has not seen yet. Reading only; one statement, hence one snapshot, per question.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from ledger.accounts import AccountName
from ledger.points.orders import DAY_MS

Connection = psycopg.Connection[Any]

# Statements are put together from constants of this file; values travel as parameters.
# `span` holds, per account, the numbers between which its last posting up to a position must be. LIMIT 1 keeps each
# lateral subquery one probe.
_BISECTION = """
WITH RECURSIVE asked AS (
    SELECT * FROM unnest(%(families)s::smallint[], %(units)s::integer[], %(parties)s::bigint[]) WITH ORDINALITY
        AS each (family, unit, party, i)
), upto AS ({upto}), span (i, family, unit, party, low, high) AS (
    SELECT a.i, a.family, a.unit, a.party, 0::bigint, last.n
    FROM asked a CROSS JOIN LATERAL (
        SELECT n FROM ledger.posting
        WHERE shard = 0 AND family = a.family AND unit = a.unit AND party = a.party ORDER BY n DESC LIMIT 1
    ) last
    UNION ALL
    SELECT s.i, s.family, s.unit, s.party,
           CASE WHEN middle.seq <= upto.seq THEN middle.n ELSE s.low END,
           CASE WHEN middle.seq <= upto.seq THEN s.high ELSE middle.n - 1 END
    FROM span s CROSS JOIN upto CROSS JOIN LATERAL (
        SELECT n, seq FROM ledger.posting
        WHERE shard = 0 AND family = s.family AND unit = s.unit AND party = s.party AND n = (s.low + s.high + 1) / 2
        LIMIT 1
    ) middle
    WHERE s.low < s.high
)
"""
_RECORDED = (
    _BISECTION.format(upto="SELECT %(seq)s::bigint AS seq")  # noqa: S608 - constants of this file alone
    + """
SELECT s.i, p.balance
FROM span s CROSS JOIN LATERAL (
    SELECT balance FROM ledger.posting
    WHERE shard = 0 AND family = s.family AND unit = s.unit AND party = s.party AND n = s.low LIMIT 1
) p
WHERE s.low = s.high
"""
)
_MINE = "shard = 0 AND family = %(family)s AND unit = %(unit)s AND party = %(party)s"
_VALID = (
    _BISECTION.format(upto="SELECT seq FROM ledger.projection WHERE shard = 0 AND name = 'day'")  # noqa: S608 - as above
    + f"""
SELECT coalesce((SELECT sum(amount) FROM ledger.day WHERE {_MINE} AND day < %(day)s), 0)
     + coalesce((
           SELECT sum(p.amount) FROM (
               SELECT n FROM ledger.day d CROSS JOIN LATERAL generate_series(d.first_n, d.last_n) AS n
               WHERE {_MINE} AND d.day = %(day)s AND %(rest_ms)s::bigint > 0
               UNION ALL
               SELECT n FROM ledger.late WHERE {_MINE} AND day = %(day)s AND %(rest_ms)s::bigint > 0
           ) told CROSS JOIN LATERAL (
               SELECT amount, seq FROM ledger.posting WHERE {_MINE} AND n = told.n LIMIT 1
           ) p CROSS JOIN LATERAL (
               SELECT at_ms FROM ledger.journal WHERE shard = 0 AND seq = p.seq LIMIT 1
           ) j
           WHERE j.at_ms >= %(from_ms)s AND j.at_ms < %(from_ms)s + %(rest_ms)s::bigint
       ), 0)
     + coalesce((
           SELECT sum(p.amount) FROM ledger.posting p CROSS JOIN LATERAL (
               SELECT at_ms FROM ledger.journal WHERE shard = 0 AND seq = p.seq LIMIT 1
           ) j
           WHERE {_MINE} AND n > coalesce((SELECT low FROM span WHERE low = high), 0)
             AND j.at_ms < %(from_ms)s + %(rest_ms)s::bigint
       ), 0)
"""  # noqa: S608
)


def recorded(conn: Connection, account: AccountName, seq: int) -> int:
    """The account's balance when the journal ended with entry `seq`; 0 before its first posting."""
    return all_recorded(conn, [account], seq).get(account, 0)


def all_recorded(conn: Connection, accounts: Iterable[AccountName], seq: int) -> dict[AccountName, int]:
    """As `recorded`, for many accounts in one statement; those without a posting by then are left out."""
    asked = list(accounts)
    rows = conn.execute(_RECORDED, {**_columns(asked), "seq": seq})
    return {asked[i - 1]: balance for i, balance in rows}


def valid(conn: Connection, account: AccountName, at_ms: int) -> int:
    """The account's balance by everything recorded so far that happened at or before `at_ms`, whenever recorded."""
    day, rest_ms = divmod(at_ms + 1, DAY_MS)
    family, unit, party = account
    own = {"family": family, "unit": unit, "party": party}
    times = {"day": day, "from_ms": day * DAY_MS, "rest_ms": rest_ms}
    row = conn.execute(_VALID, {**_columns([account]), **own, **times}).fetchone()
    return int(row[0]) if row else 0


def _columns(accounts: list[AccountName]) -> dict[str, list[int]]:
    return {
        "families": [each.family for each in accounts],
        "units": [each.unit for each in accounts],
        "parties": [each.party for each in accounts],
    }

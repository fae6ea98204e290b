"""The balance of an account of 1,000,000 entries as of any journal position: how long one question takes.

    python -m bench.as_of [--entries 1000000] [--questions 2000]

The account is one merchant's outstanding points, the hottest there is; it is filled straight into the table, balanced
against a second account, because only the number of its entries matters. Asked is the balance as recorded at a random
journal position, by bisection on the primary key (account, n): postings of an account are numbered in journal order.
"Last" is the newest balance, one index probe, for comparison. One connection, prepared statements, one question a time.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import Progress

from bench.conditions import arguments, flush_microseconds, keep, machine, quantiles, server_settings, show
from bench.stage import migrated
from ledger import accounts
from ledger.accounts import AccountName
from ledger.embedded_postgres import start

SEED = 20_260_702
ISSUER = 1
SEQS_PER_ENTRY = 3
ENTRIES_PER_INSERT = 100_000

_FILL = """
INSERT INTO ledger.posting (shard, seq, leg, n, amount, balance, family, unit, party)
SELECT 0, n * %(stride)s, 0, n, side.sign, side.sign * n, side.family, %(issuer)s, %(issuer)s
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n,
     (VALUES (-1, %(credit)s), (1, %(debit)s)) side (sign, family)
"""
_BISECT = """
WITH RECURSIVE probe (low, high) AS (
    SELECT 0::bigint, (
        SELECT n FROM ledger.posting
        WHERE shard = 0 AND family = %(family)s AND unit = %(unit)s AND party = %(party)s ORDER BY n DESC LIMIT 1
    )
    UNION ALL
    SELECT CASE WHEN middle.seq <= %(seq)s THEN middle.n ELSE low END,
           CASE WHEN middle.seq <= %(seq)s THEN high ELSE middle.n - 1 END
    FROM probe CROSS JOIN LATERAL (
        SELECT n, seq FROM ledger.posting
        WHERE shard = 0 AND family = %(family)s AND unit = %(unit)s AND party = %(party)s AND n = (low + high + 1) / 2
    ) middle
    WHERE low < high
)
SELECT balance FROM ledger.posting
WHERE shard = 0 AND family = %(family)s AND unit = %(unit)s AND party = %(party)s
  AND n = (SELECT low FROM probe WHERE low >= high)
"""
_LAST = """
SELECT balance FROM ledger.posting
WHERE shard = 0 AND family = %(family)s AND unit = %(unit)s AND party = %(party)s ORDER BY n DESC LIMIT 1
"""

Ask = Callable[[AccountName, int], int]


def fill(connection: psycopg.Connection[Any], entries: int) -> AccountName:
    """Two accounts of that many entries, each of one point; answers the one to ask about."""
    account, other = accounts.outstanding(ISSUER), accounts.pendings(ISSUER)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("filling", total=entries)
        for first in range(1, entries + 1, ENTRIES_PER_INSERT):
            last = min(entries, first + ENTRIES_PER_INSERT - 1)
            rows = {"first": first, "last": last, "stride": SEQS_PER_ENTRY, "issuer": ISSUER}
            connection.execute(_FILL, rows | {"credit": other.family, "debit": account.family})
            progress.update(task, completed=last)
    connection.execute("VACUUM ANALYZE ledger.posting")
    return account


def asked(connection: psycopg.Connection[Any], statement: str) -> Ask:
    """A question as one prepared statement."""

    def ask(account: AccountName, seq: int) -> int:
        row = connection.execute(statement, account._asdict() | {"seq": seq}, prepare=True).fetchone()
        return int(row[0]) if row else 0

    return ask


def waits(ask: Ask, account: AccountName, entries: int, questions: int, expected: Callable[[int], int]) -> list[float]:
    """Seconds of each question; the answers are checked."""
    chance, found = random.Random(SEED), []
    for _ in range(questions):
        seq = chance.randrange(entries * SEQS_PER_ENTRY + 2)
        begun = time.perf_counter()
        balance = ask(account, seq)
        found.append(time.perf_counter() - begun)
        assert balance == expected(seq), (seq, balance)
    return found


def main(words: list[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=2_000)
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        conditions = machine() | vars(chosen) | {"flushMicroseconds": flush_microseconds(Path(name))}
        with start(Path(name) / "postgres") as server:
            conditions |= {"server": server_settings(server.dsn())}
            with psycopg.connect(migrated(server, "ours"), autocommit=True) as connection:
                account = fill(connection, chosen.entries)
                spans = {
                    "as recorded at a position": (_BISECT, lambda seq: seq // SEQS_PER_ENTRY),
                    "last": (_LAST, lambda _: chosen.entries),
                }
                figures = {
                    name: quantiles(
                        waits(asked(connection, statement), account, chosen.entries, chosen.questions, expected)
                    )
                    for name, (statement, expected) in spans.items()
                }
    show(f"an account of {chosen.entries:,} entries", figures)
    print(f"kept in {keep('as_of', {'conditions': conditions, 'figures': figures})}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""As-of balances of an account of 1,000,000 entries, beside a full-scan SUM over the same rows, in one run.

    python -m bench.as_of [--entries 1000000] [--questions 400]

The account is loaded through SQL, not through the poster (which would take minutes and measure nothing of this): one
journal entry of two postings each, one every five minutes for about nine and a half years, every twentieth told late,
with receipts as the book writes them. Triggers are off while loading; gapless numbers, running balances and the days
are then checked by `verify`'s own statements for them. Asked are random positions (as recorded: a bisection of the
primary key) and random instants (as valid: whole days, part of a day, and with a tail that is not projected yet). The
peer sums the account's rows, for as recorded up to that position. Times are those of the client, warm, one connection.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bench.conditions import arguments, flush_microseconds, keep, machine, quantiles, server_settings, show
from ledger import accounts, verify
from ledger.points.orders import DAY_MS
from ledger.postgres.migrated import migrated_database
from ledger.reports import as_of, projection

ACCOUNT = accounts.cash(1)
STEP_MS = 300_000
LATE_EVERY = 20
LATE_MS = 40 * 86_400_000
START_MS = 1_500_000_000_000
TAIL_ENTRIES = 2_000

LOAD = """
INSERT INTO ledger.posting (seq, party, n, amount, balance, unit, shard, family, leg)
SELECT seq, side, seq, sign * 7, sign * 7 * seq, 0, 0, 7, 0
FROM generate_series(1::bigint, %(entries)s) AS seq, (VALUES (1, 1), (2, -1)) AS sides (side, sign)
"""
LOAD_JOURNAL = """
INSERT INTO ledger.journal (shard, seq, at_ms, verb, command, receipt)
SELECT 0, seq, at_ms, 'bulk', '{"key":"' || seq || '"}',
       '{"seq":' || seq || ',"verb":"bulk","key":"' || seq || '","at_ms":' || at_ms || ',"legs":[],"postings":['
       || '[[7,0,1],' || seq || ',0,7,' || 7 * seq || '],[[7,0,2],' || seq || ',0,-7,' || -7 * seq
       || ']],"lots":[],"why":{}}'
FROM (
    SELECT seq, %(start_ms)s + seq * %(step_ms)s
           - CASE WHEN seq %% %(late_every)s = 0 THEN %(late_ms)s ELSE 0 END AS at_ms
    FROM generate_series(1::bigint, %(entries)s) AS seq
) AS told
"""
SUM_RECORDED = """
SELECT sum(amount) FROM ledger.posting
WHERE shard = 0 AND family = 7 AND unit = 0 AND party = 1 AND seq <= %s
"""
SUM_VALID = """
SELECT sum(p.amount) FROM ledger.posting p JOIN ledger.journal j USING (shard, seq)
WHERE shard = 0 AND family = 7 AND unit = 0 AND party = 1 AND j.at_ms <= %s
"""
CHECKED = ("debits-equal-credits", "running-balances-gapless", "journal-gapless", "days-are-those-of-the-postings")


def load(conn: psycopg.Connection[Any], entries: int) -> None:
    """The account and its other side, the journal, the head; then statistics, as autovacuum would gather them."""
    figures = {
        "entries": entries,
        "start_ms": START_MS,
        "step_ms": STEP_MS,
        "late_every": LATE_EVERY,
        "late_ms": LATE_MS,
    }
    conn.execute("SET session_replication_role = replica")
    conn.execute(LOAD, figures)
    conn.execute(LOAD_JOURNAL, figures)
    conn.execute("UPDATE ledger.head SET seq = %s", [entries])
    conn.execute("SET session_replication_role = DEFAULT")
    conn.execute("VACUUM ANALYZE")


def check(conn: psycopg.Connection[Any]) -> None:
    """That what was loaded is a ledger's: raises AssertionError otherwise."""
    found = verify.check(conn, names=CHECKED)
    assert all(each.held for each in found), found


def waits(question: Callable[[int], object], asked: list[int]) -> list[float]:
    """Seconds of each question."""
    found = []
    for each in asked:
        begun = time.perf_counter()
        question(each)
        found.append(time.perf_counter() - begun)
    return found


def project(conn: psycopg.Connection[Any], entries: int) -> float:
    """Project that many entries; answers how many a second."""
    begun = time.perf_counter()
    batches = entries // projection.ENTRIES_PER_BATCH
    projection.catch_up(conn, batches_max=batches)
    spent = time.perf_counter() - begun
    conn.execute("VACUUM ANALYZE ledger.day")
    return batches * projection.ENTRIES_PER_BATCH / spent


def asked_instants(entries: int, questions: int) -> list[int]:
    """Instants all over the account's time."""
    draw = random.Random(8)
    return [START_MS + draw.randrange(entries * STEP_MS) for _ in range(questions)]


def measure(conn: psycopg.Connection[Any], entries: int, questions: int) -> dict[str, list[float]]:
    """Every case, ours checked against the peer's sums on the peer's questions."""
    draw = random.Random(7)
    positions = [draw.randrange(1, entries + 1) for _ in range(questions)]
    instants = asked_instants(entries, questions)
    few = max(5, questions // 40)

    def scan(statement: str) -> Callable[[int], int]:
        return lambda each: int((conn.execute(statement, [each]).fetchone() or [0])[0] or 0)

    for position, instant in zip(positions[:few], instants[:few], strict=True):
        assert as_of.recorded(conn, ACCOUNT, position) == scan(SUM_RECORDED)(position)
        assert as_of.valid(conn, ACCOUNT, instant) == scan(SUM_VALID)(instant)
    return {
        "as recorded": waits(lambda seq: as_of.recorded(conn, ACCOUNT, seq), positions),
        "as recorded, SUM": waits(scan(SUM_RECORDED), positions[:few]),
        f"as valid, {TAIL_ENTRIES} entries not projected": waits(lambda at: as_of.valid(conn, ACCOUNT, at), instants),
        "as valid, SUM": waits(scan(SUM_VALID), instants[:few]),
    }


def main(words: list[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=400)
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        conditions = machine() | vars(chosen) | {"flushMicroseconds": flush_microseconds(Path(folder))}
        with (
            migrated_database(None, Path(folder) / "postgres") as dsn,
            psycopg.connect(dsn, autocommit=True) as conn,
        ):
            conditions |= {"server": server_settings(dsn), "loaded": "by SQL, triggers off, then checked"}
            load(conn, chosen.entries)
            projected = project(conn, chosen.entries - TAIL_ENTRIES)
            cases = measure(conn, chosen.entries, chosen.questions)
            projection.catch_up(conn)
            instants = asked_instants(chosen.entries, chosen.questions)
            cases["as valid, all projected"] = waits(lambda at: as_of.valid(conn, ACCOUNT, at), instants)
            ends = [instant // DAY_MS * DAY_MS - 1 for instant in instants]
            cases["as valid at a day's end"] = waits(lambda at: as_of.valid(conn, ACCOUNT, at), ends)
            check(conn)
    figures = {name: quantiles(found) for name, found in cases.items()}
    show(f"an account of {chosen.entries:,} entries", figures)
    print(f"projected {projected:,.0f} entries a second")
    result = {"conditions": conditions, "figures": figures, "projectedEntriesPerSecond": int(projected)}
    print(f"kept in {keep('as_of', result)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

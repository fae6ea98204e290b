"""From an empty database to N entries: how much slower it gets, and what an entry weighs.

    python -m bench.growth [--entries 1000000] [--server large]      (20000000 for the full one)

Entries are postings, four of an earn, in batches of 1,000 from lists of 10,000 over 64 merchants and 10,000 members.
The way is cut into twenty stretches; each keeps its rate, the processor time of both sides and the size so far.
`lastOverFirst` is the median of the last four over the first, which begins at an empty database; `lastOverEarly` is
over the second to the fifth. The embedded server comes with little memory and log; `--server large` gives it what
docs/operations.md asks of one in production. Sizes are those of the tables with their indexes, right after the last
batch; the log's bytes are what a replica would be sent.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import track

from bench.conditions import arguments, flush_microseconds, keep, machine, server_settings, show
from bench.stage import Till, cpu, migrated, rates
from ledger.commands import Command
from ledger.postgres.embedded import EmbeddedServer, start

STRETCHES = 20
EARNS_PER_LIST = 10_000
POSTINGS_PER_EARN = 4
FIFTH = STRETCHES // 5
LARGE = {"shared_buffers": "2GB", "max_wal_size": "16GB", "checkpoint_timeout": "30min"}

_SIZES = """
SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class
WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'r' ORDER BY pg_total_relation_size(oid) DESC
"""
_LOG_BYTES = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"


def stretch(till: Till, earns: int) -> dict[str, float]:
    """One stretch of the way: its figures."""
    spent, postings, before = 0.0, 0, cpu(till.server)
    for first in range(0, earns, EARNS_PER_LIST):
        commands: list[Command] = [till.next() for _ in range(min(EARNS_PER_LIST, earns - first))]
        begun = time.perf_counter()
        postings += till.post(commands)
        spent += time.perf_counter() - begun
    return rates(earns, postings, spent, cpu(till.server).since(before))


def measure(server: EmbeddedServer, entries: int) -> dict[str, Any]:
    """The way and the weight."""
    dsn = migrated(server, "ours")
    till = Till(server, dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        log_before, empty = _one(connection, _LOG_BYTES), _bytes(connection)
        way = []
        for _ in track(range(STRETCHES), "growth", console=Console(stderr=True)):
            figures = stretch(till, entries // POSTINGS_PER_EARN // STRETCHES)
            way.append(figures | {"megabytes": (_bytes(connection) - empty) >> 20})
        tables = {name: (table, index) for name, table, index in connection.execute(_SIZES)}
        log, grown = _one(connection, _LOG_BYTES) - log_before, _bytes(connection) - empty
    till.poster.close()
    return {"way": way, "weight": weight(till.earns, tables, grown, log)}


def weight(earns: int, tables: dict[str, tuple[int, int]], grown: int, log: int) -> dict[str, Any]:
    """Bytes by what they are divided by."""
    postings = earns * POSTINGS_PER_EARN
    return {
        "earns": earns,
        "bytesPerPosting": round(sum(tables["posting"]) / postings),
        "bytesPerEarn": round(grown / earns),
        "logBytesPerEarn": round(log / earns),
        "megabytesPerMillionEarns": round(grown / earns),
        "bytesPerEarnByTable": {
            name: {"table": round(table / earns), "indexes": round(index / earns)}
            for name, (table, index) in tables.items()
        },
    }


def _bytes(connection: psycopg.Connection[Any]) -> int:
    return sum(table + index for _, table, index in connection.execute(_SIZES))


def _one(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def main(words: list[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--server", choices=("embedded", "large"), default="embedded", help="how it is set up")
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conditions = machine() | vars(chosen) | {"flushMicroseconds": flush_microseconds(folder)}
        with start(folder / "postgres", options=LARGE if chosen.server == "large" else {}) as server:
            conditions |= {"server": server_settings(server.dsn())}
            found = measure(server, chosen.entries)
    way = [each["postingsPerSecond"] for each in found["way"]]
    last, early = statistics.median(way[-FIFTH:]), statistics.median(way[1 : FIFTH + 1])
    ratios = {"lastOverFirst": round(last / way[0], 3), "lastOverEarly": round(last / early, 3)}
    show("growth", {f"{(i + 1) * 100 // STRETCHES} %": each for i, each in enumerate(found["way"])})
    print(f"{ratios}; weight: {found['weight']}")
    called = "growth-large-server" if chosen.server == "large" else "growth"
    print(f"kept in {keep(called, {'conditions': conditions} | ratios | found)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

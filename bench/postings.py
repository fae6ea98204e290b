"""Earns and postings a second through the poster, beside its peers on the same server, in one run.

    python -m bench.postings [--seconds 4] [--rounds 3] [--flush-extra-microseconds 0]

Full durability (fsync and synchronous_commit on). An earn is a whole one: key, order, lot, fee and confirmation in one
journal entry of four postings. One caller hands in lists that the poster cuts into batches of 1, 10, 100 and 1,000,
each a transaction of its own, over 64 merchants and 10,000 members; "hot" is 1,000 at one merchant, "two levels" 1,000
by buyers whose every purchase rewards two members above them. Peers are told in `bench.peers`. Rounds alternate between
us and the peers, because a shared machine drifts; the medians are kept, every round stands in the result.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench.conditions import (
    Rounds,
    flush_microseconds,
    keep,
    machine,
    medians,
    ratios,
    rounds_arguments,
    server_settings,
    show,
)
from bench.flush import NoCompiler, slower
from bench.peers import Orm, PlainFunction, Tpcb
from bench.stage import MEMBERS, MERCHANTS, Till, migrated
from ledger.postgres.embedded import EmbeddedServer, start

CASES = (("1", 1, MERCHANTS), ("10", 10, MERCHANTS), ("100", 100, MERCHANTS), ("1,000", 1_000, MERCHANTS))
HOT = ("1,000 hot", 1_000, 1)
CLIENTS = (1, 8)
YARDSTICK = "pgbench TPC-B, 8 clients"

Case = tuple[str, Callable[[float], dict[str, float]]]


def ours(server: EmbeddedServer) -> Iterator[Case]:
    """Each batch size as a case."""
    for name, batch, merchants in (*CASES, HOT):
        till = Till(server, migrated(server, f"ours_{batch}_{merchants}"), batch)
        yield f"batch {name}", partial(till.run, merchants)
    till = Till(server, migrated(server, "ours_two_levels"), two_levels=True)
    yield "batch 1,000, two levels", partial(till.run, MERCHANTS)


def peers(server: EmbeddedServer, folder: Path) -> Iterator[Case]:
    """Each peer at each number of clients as a case."""
    runs = {
        "pgbench TPC-B": Tpcb(server).run,
        "SQL function": PlainFunction(server, folder).run,
        "ORM": Orm(server).run,
    }
    for name, run in runs.items():
        for clients in CLIENTS:
            yield f"{name}, {clients} clients", partial(_transfers, partial(run, clients))


def _transfers(run: Callable[[float], float], seconds: float) -> dict[str, float]:
    return {"transfersPerSecond": round(run(seconds))}


def measure(server: EmbeddedServer, folder: Path, seconds: float, rounds: int) -> Rounds:
    """Every round's figures by case."""
    cases = [*ours(server), *peers(server, folder)]
    found: Rounds = {name: [] for name, _ in cases}
    for _ in track(range(rounds), "postings", console=Console(stderr=True)):
        for name, run in cases:
            found[name].append(run(seconds))
    return found


def main(words: list[str] | None = None) -> int:
    parser = rounds_arguments(__doc__)
    parser.add_argument("--flush-extra-microseconds", type=int, default=0, help="make every flush slower by this")
    chosen = parser.parse_args(words)
    name = "postings" if not chosen.flush_extra_microseconds else "postings-slow-flush"
    try:
        result = run(chosen)
    except NoCompiler as absent:
        print(f"{absent}; kept in {keep(name, {'conditions': machine(), 'absent': str(absent)})}")
        return 0
    print(f"kept in {keep(name, result)}")
    return 0


def run(chosen: argparse.Namespace) -> dict[str, object]:
    """Measure and print; answers the result."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conditions = machine() | vars(chosen) | {"flushMicroseconds": flush_microseconds(folder)}
        with slower(folder, chosen.flush_extra_microseconds):
            server = start(folder / "postgres")
        with server:
            conditions |= {"members": MEMBERS, "merchants": MERCHANTS, "server": server_settings(server.dsn())}
            rounds = measure(server, folder, chosen.seconds, chosen.rounds)
    middle = medians(rounds)
    show("through the poster, and peers", middle)
    yardstick = middle[YARDSTICK]["transfersPerSecond"]
    return {
        "conditions": conditions,
        "medians": middle,
        "earnsOverTpcbAt8Clients": ratios(middle, "earnsPerSecond", yardstick),
        "postingsOverTpcbAt8Clients": ratios(middle, "postingsPerSecond", yardstick),
        "rounds": rounds,
    }


if __name__ == "__main__":
    raise SystemExit(main())

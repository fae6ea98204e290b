"""Single callers gathered: earns and postings a second, and how long each waits, beside TPC-B in the same run.

    python -m bench.gathered [--seconds 4] [--rounds 3]

1, 10, 100 and 1,000 callers on one event loop each ask for one purchase at a time by `Poster.submit` and wait for its
durable answer; the poster makes batches of whoever waits. Latency is from asking to having the answer. Building the
command counts. pgbench's TPC-B at 8 clients runs in every round for the ratio.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench.conditions import (
    Rounds,
    flush_microseconds,
    keep,
    machine,
    medians,
    quantiles,
    ratios,
    rounds_arguments,
    server_settings,
    show,
)
from bench.peers import Tpcb
from bench.stage import Till, cpu, migrated, rates, receipt
from ledger.postgres.embedded import EmbeddedServer, start

CALLERS = (1, 10, 100, 1_000)
YARDSTICK = "pgbench TPC-B, 8 clients"


async def _caller(till: Till, until: float, waits: list[float], postings: list[int]) -> None:
    while (begun := time.perf_counter()) < until:
        answer = await till.poster.submit(till.next())
        waits.append(time.perf_counter() - begun)
        postings.append(len(receipt(answer.outcome).postings))


async def _gather(till: Till, callers: int, seconds: float) -> dict[str, float]:
    waits: list[float] = []
    postings: list[int] = []
    before, begun = cpu(till.server), time.perf_counter()
    await asyncio.gather(*[_caller(till, begun + seconds, waits, postings) for _ in range(callers)])
    took, used = time.perf_counter() - begun, cpu(till.server).since(before)
    return rates(len(waits), sum(postings), took, used) | quantiles(waits)


def measure(server: EmbeddedServer, seconds: float, rounds: int) -> Rounds:
    """Every round's figures by number of callers."""
    till, tpcb = Till(server, migrated(server, "ours")), Tpcb(server)
    found: Rounds = {}
    for _ in track(range(rounds), "gathered", console=Console(stderr=True)):
        for callers in CALLERS:
            figures = asyncio.run(_gather(till, callers, seconds))
            found.setdefault(f"{callers:,} callers", []).append(figures)
        found.setdefault(YARDSTICK, []).append({"transfersPerSecond": round(tpcb.run(8, seconds))})
    till.poster.close()
    return found


def main(words: list[str] | None = None) -> int:
    chosen = rounds_arguments(__doc__).parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conditions = machine() | vars(chosen) | {"flushMicroseconds": flush_microseconds(folder)}
        with start(folder / "postgres") as server:
            conditions |= {"server": server_settings(server.dsn())}
            rounds = measure(server, chosen.seconds, chosen.rounds)
    middle = medians(rounds)
    show("single callers gathered", middle)
    over = ratios(middle, "earnsPerSecond", middle[YARDSTICK]["transfersPerSecond"])
    result = {"conditions": conditions, "medians": middle, "earnsOverTpcbAt8Clients": over, "rounds": rounds}
    print(f"kept in {keep('gathered', result)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Earns and postings a second through the poster, beside pgbench's TPC-B on the same server, in one run.

    python -m bench.postings [--seconds 4] [--rounds 3]

Full durability (fsync and synchronous_commit on). An earn is a whole one: key, order, lot, fee and confirmation in one
journal entry of four postings. Batches of 1, 10, 100 and 1,000 come from one caller over 64 merchants and 10,000
members; "hot" is 1,000 at one merchant. TPC-B is three updates, a select and an insert. Rounds alternate between us and
the peer, because a shared machine drifts; the medians are kept, every round stands in the result.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import create_engine

from bench.conditions import flush_microseconds, keep, machine
from ledger.answers import Receipt
from ledger.commands import Command, Earn, EarnRate, Enrol, ForDays, OpenMerchant, PublishTerms
from ledger.embedded_postgres import EmbeddedServer, sqlalchemy_url, start
from ledger.poster import Poster
from ledger.postgres_programs import find_programs
from ledger.store import open_store

MERCHANTS = 64
MEMBERS = 10_000
START_MS = 1_767_225_600_000
AMOUNT_MINOR = 12_345
TPCB_SCALE = 10
TPCB_CLIENTS = (1, 8)
SETUP_BATCH_COMMANDS = 1_000
CASES = (("1", 1, MERCHANTS), ("10", 10, MERCHANTS), ("100", 100, MERCHANTS), ("1,000", 1_000, MERCHANTS))
HOT = ("1,000 hot", 1_000, 1)
_TPS = re.compile(r"tps = ([0-9.]+) \(without")


def alliance() -> Iterator[Command]:
    """Merchants that issue one point per 100 minor units, their terms and the members."""
    for merchant in range(1, MERCHANTS + 1):
        yield OpenMerchant(
            key=f"merchant:{merchant}",
            at_ms=START_MS,
            merchant_id=merchant,
            code=f"m{merchant}",
            name=f"Merchant {merchant}",
            earn=EarnRate(points=1, per_minor=100),
            hold_ms=0,
            validity=ForDays(days=365),
            redemption_fee_bps=200,
            issuance_fee_bps=100,
            refund_policy="debt",
            credit_limit_au=None,
            haircut_bps=10_000,
        )
        yield PublishTerms(
            key=f"terms:{merchant}", at_ms=START_MS, terms_id=merchant, issuer_id=merchant, au_num=1, au_den=1, mode=0
        )
    for member in range(MEMBERS):
        yield Enrol(key=f"member:{member}", at_ms=START_MS, member=f"member-{member}")


def earns(first: int, count: int, merchants: int) -> list[Command]:
    """`count` purchases numbered from `first`, spread over merchants and members by a fixed stride."""
    return [
        Earn(
            key=f"earn:{number}",
            at_ms=START_MS + number,
            merchant_id=1 + number % merchants,
            member=f"member-{number * 7919 % MEMBERS}",
            order=f"order-{number}",
            amount_minor=AMOUNT_MINOR,
        )
        for number in range(first, first + count)
    ]


class Ours:
    """The poster with a running purchase number."""

    def __init__(self, dsn: str) -> None:
        self.poster = Poster(open_store(dsn))
        self._next = itertools.count()
        setup = list(alliance())
        for at in range(0, len(setup), SETUP_BATCH_COMMANDS):
            self._post(setup[at : at + SETUP_BATCH_COMMANDS])

    def _post(self, commands: list[Command]) -> int:
        """Posts and answers how many postings it made. Raises AssertionError if anything was refused."""
        outcomes = [answer.outcome for answer in self.poster.post(commands)]
        assert all(isinstance(outcome, Receipt) for outcome in outcomes)
        return sum(len(outcome.postings) for outcome in outcomes if isinstance(outcome, Receipt))

    def run(self, batch: int, merchants: int, seconds: float) -> dict[str, float]:
        """Earns and postings a second over `seconds`; building the commands is not counted."""
        spent, done, postings = 0.0, 0, 0
        while spent < seconds:
            first = next(self._next) * SETUP_BATCH_COMMANDS
            commands = earns(first, SETUP_BATCH_COMMANDS, merchants)
            for at in range(0, len(commands), batch):
                begun = time.perf_counter()
                postings += self._post(commands[at : at + batch])
                spent += time.perf_counter() - begun
                done += batch
                if spent >= seconds:
                    break
        return {"earnsPerSecond": done / spent, "postingsPerSecond": postings / spent}


def tpcb(server: EmbeddedServer, clients: int, seconds: float) -> float:
    """Transactions a second of pgbench's built-in script."""
    done = subprocess.run(
        [
            find_programs().path("pgbench"),
            *("--no-vacuum", "--client", str(clients), "--jobs", str(min(clients, 2)), "--time", str(int(seconds))),
            *("--protocol", "prepared", server.dsn("tpcb")),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    found = _TPS.search(done.stdout)
    assert found is not None, done.stdout
    return float(found.group(1))


def prepare(server: EmbeddedServer) -> str:
    """Both databases; answers the address of ours."""
    fill = ["--initialize", "--scale", str(TPCB_SCALE), "--quiet", server.ensure_database("tpcb")]
    subprocess.run([find_programs().path("pgbench"), *fill], check=True, capture_output=True)
    dsn = server.ensure_database("ours")
    engine = create_engine(sqlalchemy_url(dsn))
    config = Config(Path(__file__).parents[1] / "alembic.ini")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
    return dsn


def measure(server: EmbeddedServer, seconds: float, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Every round's figures by case."""
    found: dict[str, dict[str, list[float]]] = {}
    ours = Ours(prepare(server))
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("postings", total=rounds * (len(CASES) + 1 + len(TPCB_CLIENTS)))
        for _ in range(rounds):
            for name, batch, merchants in (*CASES, HOT):
                for figure, value in ours.run(batch, merchants, seconds).items():
                    found.setdefault(f"batch {name}", {}).setdefault(figure, []).append(round(value))
                progress.advance(task)
            for clients in TPCB_CLIENTS:
                tps = round(tpcb(server, clients, max(seconds, 1)))
                found.setdefault(f"pgbench TPC-B, {clients} clients", {}).setdefault("tps", []).append(tps)
                progress.advance(task)
    ours.poster.close()
    return found


def report(medians: dict[str, dict[str, float]], peer: float) -> None:
    table = Table(
        "case", "earns/s", "postings/s", "TPC-B/s", "earns over TPC-B at 8 clients", title="through the poster"
    )
    for name, figures in medians.items():
        rate = figures.get("earnsPerSecond")
        cells = [
            f"{figures[key]:,.0f}" if key in figures else "" for key in ("earnsPerSecond", "postingsPerSecond", "tps")
        ]
        table.add_row(name, *cells, f"{rate / peer:.2f}" if rate else "")
    Console(width=110).print(table)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each case runs in a round")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        conditions: dict[str, Any] = machine() | {"flushMicroseconds": flush_microseconds(Path(folder))}
        with start(Path(folder) / "postgres") as server:
            rounds = measure(server, chosen.seconds, chosen.rounds)
    medians = {name: {key: statistics.median(values) for key, values in case.items()} for name, case in rounds.items()}
    peer = medians[f"pgbench TPC-B, {TPCB_CLIENTS[-1]} clients"]["tps"]
    report(medians, peer)
    ratios = {
        name: round(case["earnsPerSecond"] / peer, 2) for name, case in medians.items() if "earnsPerSecond" in case
    }
    settings = {"secondsPerCase": chosen.seconds, "rounds": chosen.rounds, "members": MEMBERS, "merchants": MERCHANTS}
    path = keep(
        "postings",
        {"conditions": conditions | settings, "medians": medians, "earnsOverTpcbAt8Clients": ratios, "rounds": rounds},
    )
    print(f"kept in bench/results/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

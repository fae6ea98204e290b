"""Earns a second over HTTP, single and in bulk, with the server, the database and the load on the same cores.

    python -m bench.front_door [--seconds 4] [--rounds 3]

`python -m api.serve` is started as a process over a migrated database; `bench.http_load`, another process, keeps 64
connections busy with one purchase a request, then 4 with 1,000 a request, all of one merchant's key (a hot merchant).
Latency is from the first byte sent to the last byte read. Processor time is told apart: server, database, load.
pgbench's TPC-B at 8 clients runs in every round for the ratio.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx2
import psycopg
from rich.console import Console
from rich.progress import track

from api import keys
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
from bench.stage import TICKS_PER_SECOND, Till, migrated, own_ticks, server_cpu_seconds
from ledger.postgres.embedded import EmbeddedServer, start

ROOT = Path(__file__).parents[1]
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
YARDSTICK = "pgbench TPC-B, 8 clients"
TAKEN = {"200", "201"}


class Case(NamedTuple):
    """How the load asks, and how many requests it makes ready before."""

    name: str
    connections: int
    per_request: int
    requests_per_second_max: int


CASES = (Case("single, 64 connections", 64, 1, 12_000), Case("bulk of 1,000, 4 connections", 4, 1_000, 60))


class Door(NamedTuple):
    """The serving process and how to get in."""

    process: subprocess.Popen[bytes]
    port: int
    token: str


@contextmanager
def serving(dsn: str) -> Iterator[Door]:
    """The API as a process over a founded database."""
    with psycopg.connect(dsn) as connection:
        token = keys.issue(connection, merchant_id=1, environment="test")
    with listening(dsn) as (process, port):
        yield Door(process, port, token)


@contextmanager
def listening(dsn: str, **told: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The API as a process over a migrated database, with more settings, and its port."""
    port = free_port()
    environment = os.environ | {"TONGDUI_DATABASE_URL": dsn, "TONGDUI_PORT": str(port)} | told
    process = subprocess.Popen(
        [sys.executable, "-m", "api.serve"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready(process, port)
        yield process, port
    finally:
        process.terminate()
        process.wait(STOP_SECONDS_MAX)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Raises AssertionError when it does not become so."""
    until = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).is_success:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("api.serve did not become ready")


def loaded(server: EmbeddedServer, door: Door, case: Case, seconds: float, first: int) -> dict[str, float]:
    """One spell of load. Raises AssertionError unless every event was taken."""
    command = [sys.executable, "-m", "bench.http_load", str(door.port), door.token, "--first", str(first)]
    command += ["--connections", str(case.connections), "--events-per-request", str(case.per_request)]
    command += ["--seconds", str(seconds), "--requests", str(int(seconds * case.requests_per_second_max))]
    before = _spent(server, door)
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    api, postgres = (now - then for now, then in zip(_spent(server, door), before, strict=True))
    heard = json.loads(done.stdout)
    assert set(heard["statuses"]) <= TAKEN, heard["statuses"]
    events = heard["events"]
    return {
        "earnsPerSecond": round(events / heard["seconds"]),
        "apiCpuMicrosecondsPerEarn": round(api / events * 1e6, 1),
        "postgresCpuMicrosecondsPerEarn": round(postgres / events * 1e6, 1),
        "loadCpuMicrosecondsPerEarn": round(heard["cpuSeconds"] / events * 1e6, 1),
        **quantiles([wait / 1e6 for wait in heard["waitMicroseconds"]]),
    }


def _spent(server: EmbeddedServer, door: Door) -> tuple[float, float]:
    return own_ticks(door.process.pid) / TICKS_PER_SECOND, server_cpu_seconds(server)


def measure(server: EmbeddedServer, seconds: float, rounds: int) -> Rounds:
    """Every round's figures by case."""
    dsn, tpcb = migrated(server, "ours"), Tpcb(server)
    Till(server, dsn).poster.close()
    found: Rounds = {}
    first = 0
    with serving(dsn) as door:
        for _ in track(range(rounds), "front door", console=Console(stderr=True)):
            for case in CASES:
                found.setdefault(case.name, []).append(loaded(server, door, case, seconds, first))
                first += int(seconds * case.requests_per_second_max) * case.per_request
            found.setdefault(YARDSTICK, []).append({"transfersPerSecond": round(tpcb.run(8, seconds))})
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
    show("through the front door", middle)
    over = ratios(middle, "earnsPerSecond", middle[YARDSTICK]["transfersPerSecond"])
    result = {"conditions": conditions, "medians": middle, "earnsOverTpcbAt8Clients": over, "rounds": rounds}
    print(f"kept in {keep('front_door', result)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

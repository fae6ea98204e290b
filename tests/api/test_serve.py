"""The process itself: it starts on loopback, answers, and stops cleanly when told, losing nothing it acknowledged."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import psycopg
import pytest

from api import keys
from tests.api.conftest import LATER, TEA
from tests.loopback import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30


def wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until:
        assert process.poll() is None, f"the process ended with {process.returncode}"
        try:
            if httpx2.get(f"{address}/health/ready", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"not ready after {START_SECONDS_MAX} s")


@contextmanager
def serving(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process over a database, and its address."""
    port = free_port()
    monkeypatch.setenv("TONGDUI_DATABASE_URL", database)
    monkeypatch.setenv("TONGDUI_PORT", str(port))
    process = subprocess.Popen([sys.executable, "-m", "api.serve"], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(process, address)
        yield process, address
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_and_stops_when_told(database: str, monkeypatch: pytest.MonkeyPatch, told: signal.Signals) -> None:
    with psycopg.connect(database) as connection:
        token = keys.issue(connection, merchant_id=TEA, environment="test")
    event = {"type": "member.joined", "id": "e-1", "occurred_at": "2026-07-10T12:00:00Z", "member": "m"}
    headers = {"Authorization": f"Bearer {token}"}
    with serving(database, monkeypatch) as (process, address):
        first = httpx2.post(f"{address}/v1/events", json=event, headers=headers)
        assert first.status_code == 201
        process.send_signal(told)
        code = process.wait(STOP_SECONDS_MAX)
    assert code == 0, "it closed what it had open, and did not die of the signal"
    with serving(database, monkeypatch) as (_, address):
        again = httpx2.post(f"{address}/v1/events", json=event, headers=headers)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.usefixtures("door")
def test_a_served_sandbox_moves_its_clock(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(database) as connection:
        token = keys.issue(connection, merchant_id=LATER, environment="test")
    now = datetime.now(UTC)
    common = {"occurred_at": now.isoformat(), "member": "m"}
    events = [
        common | {"type": "member.joined", "id": "e-1"},
        common | {"type": "order.paid", "id": "e-2", "order": "o", "amount_minor": 10_000},
    ]
    headers = {"Authorization": f"Bearer {token}"}
    with serving(database, monkeypatch) as (_, address):
        for event in events:
            assert httpx2.post(f"{address}/v1/events", json=event, headers=headers).status_code == 201
        later = {"to": (now + timedelta(days=14, hours=1)).isoformat()}
        moved = httpx2.post(f"{address}/v1/test/clock", json=later, headers=headers, timeout=START_SECONDS_MAX)
        assert moved.json()["done"] == {"confirm": 1}
        had = httpx2.get(f"{address}/v1/members/m/balances", headers=headers).json()
    assert (had["points"], had["pending"]) == (100, 0)


def test_serving_loads_no_chain_client() -> None:
    """Readers of settlement's tables need no node; a client of one costs seconds of every start."""
    code = "import sys, api.serve; print(*sorted({'web3', 'eth_account', 'eth_tester'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []

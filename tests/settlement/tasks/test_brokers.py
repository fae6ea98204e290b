"""The queue inside PostgreSQL is killed and started again: what was taken is done, and workers find their way back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.postgres.embedded import EmbeddedServer, start
from tests.conftest import migrate
from tests.settlement.tasks.stage import Stage, eventually, stage

BEFORE, AFTER = 20, 5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of the test's own, as durable as in production."""
    with start(tmp_path / "postgres") as own:
        yield own


@pytest.fixture
def durable(server: EmbeddedServer, tmp_path: Path) -> Iterator[Stage]:
    dsn = server.ensure_database("tongdui")
    migrate(dsn)
    with stage(dsn, tmp_path) as made:
        yield made


def killed_and_started(server: EmbeddedServer) -> EmbeddedServer:
    os.kill(int((server.place.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    return start(server.place.folder)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_database_loses_no_task_and_workers_come_back(server: EmbeddedServer, durable: Stage) -> None:
    durable.ask(*["note"] * BEFORE)
    with killed_and_started(server):
        worker = durable.begin()
        eventually(lambda: len(durable.notes()) == BEFORE)
        with killed_and_started(server):
            durable.let_leases_run_out()
            durable.ask(*["note"] * AFTER)
            eventually(lambda: len(durable.notes()) == BEFORE + AFTER)
            assert worker.poll() is None
            durable.end()

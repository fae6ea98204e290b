"""The queue inside PostgreSQL is killed and started again: what was taken is done, and workers find their way back."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.postgres.embedded import EmbeddedServer, start
from tests.conftest import migrate, one
from tests.settlement.tasks.stage import Stage, stage
from tests.waiting import eventually

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


def test_a_login_of_ones_own_uses_the_queues_that_migrations_made(database: str, tmp_path: Path) -> None:
    """By settlement's role: it may neither make a queue nor touch what PGMQ keeps beside them."""
    with stage(database, tmp_path) as played, psycopg.connect(database, autocommit=True) as owner:
        owner.execute("CREATE ROLE queue_workers LOGIN IN ROLE tongdui_app, tongdui_settlement")
        owner.execute("GRANT SELECT, INSERT ON public.note TO queue_workers")
        try:
            played.dsn = re.sub(r"//[^@]*@", "//queue_workers@", database)
            played.ask("note")
            assert one(database, "SELECT count(*) FROM pgmq.q_tongdui_ledger") == 1
            worker = played.begin()
            eventually(lambda: played.notes() == ["note"])
            eventually(lambda: one(database, "SELECT count(*) FROM pgmq.q_tongdui_ledger") == 0)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
            for statement in (
                "SELECT pgmq.create('more')",
                "DELETE FROM pgmq.meta",
                "DROP TABLE pgmq.q_tongdui_ledger",
            ):
                with psycopg.connect(played.dsn) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(statement)
        finally:
            owner.execute("DROP OWNED BY queue_workers; DROP ROLE queue_workers")

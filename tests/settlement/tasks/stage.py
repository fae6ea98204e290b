"""What tests of tasks stand on: an alliance with its keys in files, processes over it, and questions to its tables."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from celery import Celery

from settlement.settings import SettlementSettings
from settlement.tasks import attempts
from settlement.tasks.__main__ import now_ms
from settlement.tasks.app import build, send
from settlement.tasks.attempts import Work
from settlement.tasks.ticks import Tick
from settlement.tasks.works import Works
from tests.conftest import ROOT
from tests.settlement.tasks import driver

PATIENCE_S = 90.0


@dataclass(slots=True)
class Stage:
    """One database with a broker, and the processes that work on it; all end with the test."""

    dsn: str
    folder: Path
    broker_url: str | None = None
    redelivery_seconds: int = 11
    more: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self) -> SettlementSettings:
        return SettlementSettings(
            database_url=self.dsn,
            var=self.folder,
            broker_url=self.broker_url,
            redelivery_seconds=self.redelivery_seconds,
            task_seconds_max=10,
        )

    @property
    def works(self) -> Works:
        return Works(settings=self.settings, dsn=self.dsn, now_ms=now_ms, lead_wait_s=1.0)

    def begin(self, what: str = "worker", **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker, a beat, or both."""
        told = {
            "TONGDUI_DATABASE_URL": self.dsn,
            "TONGDUI_VAR": str(self.folder),
            "TONGDUI_REDELIVERY_SECONDS": str(self.redelivery_seconds),
            "TONGDUI_TASK_SECONDS_MAX": "10",
            "HOLD_IN": str(self.folder),
            **({"TONGDUI_BROKER_URL": self.broker_url} if self.broker_url else {}),
            **self.more,
            **environment,
        }
        command = [sys.executable, "-m", "tests.settlement.tasks.driver", what]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **told}, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """The worker and its pool at once, as a power cut would."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.kill(process)

    def app(self) -> Celery:
        return build(self.works, (*driver.FAST, *driver.OWN))

    def ask(self, *names: str) -> None:
        """Put these ticks into their queues."""
        for name in names:
            send(self.app(), tick(name))

    def let_leases_run_out(self) -> None:
        """As after a minute: what the dead held is free."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute("UPDATE settlement.lease SET expires_at = '-infinity'")

    def notes(self) -> list[str]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            return [words for (words,) in conn.execute("SELECT words FROM public.note ORDER BY at")]

    def works_of(self, name: str) -> Work | None:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            return next((work for work in attempts.listed(conn) if work.name == name), None)

    def said(self) -> str:
        return (self.folder / "log").read_text()


def tick(name: str) -> Tick:
    return next(each for each in (*driver.FAST, *driver.OWN) if each.name == name)


@contextmanager
def stage(dsn: str, folder: Path, broker_url: str | None = None) -> Iterator[Stage]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(driver.NOTES)
    made = Stage(dsn, folder, broker_url)
    try:
        yield made
    finally:
        made.end()


def keep_keys(folder: Path, *, operator: bytes, vault: bytes, recipients: dict[str, bytes]) -> None:
    """The files that a worker reads."""
    (folder / "operator.key").write_text(operator.hex() + "\n")
    (folder / "vault.key").write_text(vault.hex() + "\n")
    said = {kid: key.hex() for kid, key in recipients.items()}
    (folder / "recipients.json").write_text(json.dumps(said))

"""The periodic tasks beside the API: they run while it serves, and end when it does, however it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from api.beside import LEDGER_TASKS, environment
from api.settings import Settings
from settlement.tasks import attempts
from tests.api.test_serve import serving
from tests.waiting import eventually

PATIENCE_SECONDS = 90.0


def children(pid: int) -> list[int]:
    """Of this process, still alive."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.usefixtures("door")
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGKILL])
def test_tasks_run_beside_the_api_and_end_with_it(
    database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: signal.Signals
) -> None:
    monkeypatch.setenv("TONGDUI_TASKS", "true")
    monkeypatch.setenv("TONGDUI_VAR", str(tmp_path))
    with serving(database, monkeypatch) as (process, _), psycopg.connect(database, autocommit=True) as conn:
        (tasks,) = children(process.pid)
        eventually(lambda: any(work.done_at for work in attempts.listed(conn)))
        assert not {work.name for work in attempts.listed(conn)} & set(LEDGER_TASKS)
        os.kill(process.pid, told)
        process.wait(PATIENCE_SECONDS)
        eventually(lambda: not alive(tasks))


def test_in_production_they_do_the_ledgers_due_work_too() -> None:
    settings = Settings(var=Path("elsewhere"), database_url="postgresql://db/tongdui", environment="production")
    told = environment(settings, due=True)
    assert (told["TONGDUI_VAR"], told["TONGDUI_ENVIRONMENT"]) == ("elsewhere", "production")
    assert told["TONGDUI_DATABASE_URL"] == "postgresql://db/tongdui"
    assert "TONGDUI_TASKS_OFF" not in told
    assert "TONGDUI_TASKS_OFF" in environment(settings, due=False)

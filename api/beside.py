"""The periodic tasks beside the API: a process of their own that ends when this one does, however it ends.

Invariants: one command for development; in production workers and beat are processes that somebody supervises. What
falls due in the ledger is left to whoever owns the clock: a door whose clock can be moved does it by itself. Called by
`api.serve`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from api.settings import Settings

LEDGER_TASKS = ("due", "tiers", "cycle")
STOP_SECONDS_MAX = 60
log = structlog.get_logger(__name__)


@contextmanager
def beside(settings: Settings, *, due: bool) -> Iterator[None]:
    """While inside, worker and beat run; with `due` they do the ledger's due work as well."""
    command = [sys.executable, "-m", "settlement.tasks", "run", "--beside"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment(settings, due=due)) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            _ended(process)


def environment(settings: Settings, *, due: bool) -> dict[str, str]:
    """What the process is told besides what this one was: the same database, the same folder, the same place."""
    told = {"TONGDUI_VAR": str(settings.var), "TONGDUI_ENVIRONMENT": settings.environment or "development"}
    if settings.database_url is not None:
        told["TONGDUI_DATABASE_URL"] = settings.database_url
    if not due:
        told["TONGDUI_TASKS_OFF"] = json.dumps(LEDGER_TASKS)
    return {**os.environ, **told}


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        log.warning("tasks killed", seconds=STOP_SECONDS_MAX)
        process.kill()

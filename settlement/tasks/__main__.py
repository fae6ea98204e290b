"""`python -m settlement.tasks`: run the periodic work, and look after it.

    worker    take tasks from the queues until a signal; those at hand are finished first
    beat      put a task into its queue whenever its period is over; one is enough, two do no harm
    run       both in one command, for development
    status    every task: when it last succeeded, failures in a row, whether it is parked; exit code 1 if one is
    release   let a parked task be tried again

Exit codes: 0 well; 1 a task is parked, or was not; 2 it could not run. This is the one place of the room that looks at
the clock.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import structlog
from celery import Celery
from pydantic import ValidationError

from ledger.postgres.embedded import EmbeddedPostgresError, open_database, running
from ledger.postgres.migrated import Behind, migrated_database, require_newest
from settlement.commands import refuse, say, subcommands
from settlement.embedded_chain import process
from settlement.settings import SettlementSettings
from settlement.tasks import attempts, broker, speech
from settlement.tasks.app import build
from settlement.tasks.attempts import Work
from settlement.tasks.ticks import BY_NAME, TICKS, Tick
from settlement.tasks.works import Works

WELL, NOT_WELL, CANNOT_RUN = 0, 1, 2
BROKER_RETRY_S_MAX = 10
log = structlog.get_logger("tongdui.tasks")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = SettlementSettings()
        if options.command in {"status", "release"}:
            with _stored(settings) as dsn:
                return _look_after(dsn, options)
        if options.command == "run" and options.beside:
            threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
        with opened(settings) as works:
            return beat(works) if options.command == "beat" else work(works, beats=options.command == "run")
    except (Behind, EmbeddedPostgresError, ValidationError, psycopg.OperationalError) as error:
        return refuse("settlement.tasks", CANNOT_RUN, str(error))


def work(works: Works, *, beats: bool, ticks: Sequence[Tick] = TICKS) -> int:
    """A worker until it is told to stop; with `beats` its beat as well."""
    speech.configure()
    worker = _ready(works, ticks).Worker(
        # No two workers may have one name, wherever they run.
        hostname=f"tongdui-{uuid.uuid4().hex[:12]}@{os.uname().nodename}",
        concurrency=works.settings.workers,
        beat=beats,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or WELL)


def beat(works: Works, *, ticks: Sequence[Tick] = TICKS) -> int:
    """The beat until it is told to stop."""
    speech.configure()
    _ready(works, ticks).Beat(quiet=True).run()
    return WELL


def _ready(works: Works, ticks: Sequence[Tick]) -> Celery:
    """The application, when its broker answers and has what no task declares by itself."""
    app = build(works, ticks)
    if works.settings.broker_url is not None:
        with app.connection_for_write() as connection:
            connection.ensure_connection(errback=_waiting, interval_max=BROKER_RETRY_S_MAX)
            broker.declare(connection)
    return app


def _waiting(error: Exception, seconds: int) -> None:
    log.warning("broker away", error=str(error), again_in_s=seconds)


def _stop_at_end_of_input() -> None:
    """Whoever started us beside itself holds the other end, and lets go of it however it ends. Read below `sys.stdin`,
    whose lock a forked process would find taken for ever.
    """
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _stored(settings: SettlementSettings) -> Iterator[str]:
    """The database for whoever only looks: the named one, or the embedded one, which is started if it does not run."""
    folder = settings.var / "postgres"
    with open_database(settings.database_url or running(folder), folder) as dsn:
        yield dsn


@contextmanager
def opened(settings: SettlementSettings) -> Iterator[Works]:
    """The migrated database; an embedded chain that a turn started ends with us, not with the turn's process."""
    chain = settings.var / "chain"
    with migrated_database(settings.database_url, settings.var / "postgres") as dsn, ExitStack() as stack:
        if settings.rpc_url is None:
            process.use(chain)
            if process.attach(chain) is None:
                stack.callback(_stop, chain)
        yield Works(settings=settings, dsn=dsn, now_ms=now_ms)


def _stop(chain: Path) -> None:
    node = process.attach(chain)
    if node is not None:
        node.stop()


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _look_after(dsn: str, options: argparse.Namespace) -> int:
    require_newest(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        if options.command == "release":
            released = attempts.release(conn, options.task)
            say(f"{options.task} is {'released' if released else 'not parked'}")
            return WELL if released else NOT_WELL
        works = {work.name: work for work in attempts.listed(conn)}
    for name in sorted({*BY_NAME, *works}):
        say(_line(name, works.get(name)))
    return NOT_WELL if any(work.parked_at for work in works.values()) else WELL


def _line(name: str, work: Work | None) -> str:
    every = f"every {BY_NAME[name].every_s} s" if name in BY_NAME else "no longer a task"
    if work is None:
        return f"{name:<12} {every:<18} never ran"
    if work.parked_at:
        state = f"parked since {work.parked_at:%Y-%m-%d %H:%M:%S%z}"
    elif work.at_it:
        state = f"{work.attempts - 1} failed, at it since {work.begun_at:%H:%M:%S%z}"
    else:
        state = f"{work.attempts} failed"
    last = f"{work.done_at:%Y-%m-%d %H:%M:%S%z}" if work.done_at else "never"
    return f"{name:<12} {every:<18} last done {last}, {state}{': ' + work.error if work.error else ''}"


def _parser() -> argparse.ArgumentParser:
    parser, commands = subcommands(
        "settlement.tasks",
        "The periodic work.",
        "0 well; 1 a task is parked (status), or none was (release); 2 it could not run.",
        {
            "worker": "take tasks from the queues until a signal",
            "beat": "put each task into its queue whenever its period is over",
            "run": "worker and beat in one command, for development",
            "status": "how every task fares; exit code 1 if one is parked",
            "release": "let a parked task be tried again",
        },
    )
    commands["run"].add_argument("--beside", action="store_true", help="stop when standard input ends")
    commands["release"].add_argument("task", choices=sorted(BY_NAME))
    return parser


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by sys.exit: where the signal went to the whole group, the pool waits at the very end for children that died
    # of it with its lock in hand. Everything of ours is closed by now.
    os._exit(code)

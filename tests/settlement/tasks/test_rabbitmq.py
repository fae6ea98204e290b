"""RabbitMQ is killed and started again, and what it does with what nobody can take. Collected where the machine has its
programs (see `conftest`); the other tests of tasks play on it as well.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from celery import Celery

from settlement.tasks import broker
from tests.settlement.tasks.brokers import ROOT, RabbitMq
from tests.settlement.tasks.stage import stage
from tests.waiting import eventually

BEFORE, AFTER = 20, 5
QUEUE_KEPT_S = 8
"""RabbitMQ 3.10 writes down a few seconds late that there is a new quorum queue; killed before, it loses it."""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RabbitMq]:
    """A node that the test may kill."""
    own = RabbitMq(tmp_path / "rabbitmq")
    try:
        own.start()
        yield own
    finally:
        own.stop()


def queued(node: RabbitMq, *, vhost: str = "/") -> dict[str, int]:
    rows = node.ctl("list_queues", "-p", vhost, "--no-table-headers", "name", "messages").splitlines()
    return {name: int(count) for name, count in (row.split("\t") for row in rows)}


@pytest.mark.slow
def test_a_killed_broker_loses_no_task_and_workers_come_back(node: RabbitMq, database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, node.url) as played:
        played.ask("note")
        time.sleep(QUEUE_KEPT_S)
        played.ask(*["note"] * (BEFORE - 1))
        node.kill()
        node.start()
        worker = played.begin()
        eventually(lambda: len(played.notes()) >= BEFORE)
        node.kill()
        node.start()
        played.ask(*["note"] * AFTER)
        eventually(lambda: len(played.notes()) >= BEFORE + AFTER)
        assert worker.poll() is None


STARTS = """
import pathlib, sys, time
from tests.settlement.tasks.brokers import RabbitMq
RabbitMq(pathlib.Path(sys.argv[1])).start()
print("runs", flush=True)
time.sleep(600)
"""


def processes_in(folder: Path) -> list[str]:
    """What runs with this folder as its home: node, port mapper, and whatever they started."""
    home, found = f"HOME={folder}/home".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if home in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:100])
    return found


@pytest.mark.slow
def test_a_killed_test_leaves_no_node_and_no_port_mapper(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"runs\n"
        assert len(processes_in(tmp_path)) > 1
        killed.kill()
    eventually(lambda: not processes_in(tmp_path))


def test_what_was_delivered_too_often_is_kept_with_the_dead(rabbitmq: RabbitMq, database: str, tmp_path: Path) -> None:
    rabbitmq.ctl("add_vhost", "dead")
    rabbitmq.ctl("set_permissions", "-p", "dead", "guest", ".*", ".*", ".*")
    with stage(database, tmp_path, rabbitmq.url.removesuffix("/") + "dead") as played:
        app: Celery = played.app()
        with app.connection_for_write() as connection:
            broker.declare(connection)
            played.ask("note")
            queue = app.amqp.queues["tongdui.ledger"](connection.default_channel)
            for _ in range(broker.DELIVERIES_MAX + 1):
                eventually(lambda: (message := queue.get()) is not None and message.requeue() is None)
            eventually(lambda: queued(rabbitmq, vhost="dead") == {"tongdui.ledger": 0, "tongdui.dead": 1})

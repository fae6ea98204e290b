"""RabbitMQ is killed and started again, and what it does with what nobody can take. Collected where the machine has its
programs (see `conftest`); the other tests of tasks play on it as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from tests.settlement.tasks.brokers import RabbitMq
from tests.settlement.tasks.stage import eventually, stage

BEFORE, AFTER = 20, 5


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
@pytest.mark.timeout(300)
def test_a_killed_broker_loses_no_task_and_workers_come_back(node: RabbitMq, database: str, tmp_path: Path) -> None:
    with stage(database, tmp_path, node.url) as played:
        played.ask(*["note"] * BEFORE)
        node.kill()
        node.start()
        worker = played.begin()
        eventually(lambda: len(played.notes()) >= BEFORE)
        node.kill()
        node.start()
        played.ask(*["note"] * AFTER)
        eventually(lambda: len(played.notes()) >= BEFORE + AFTER)
        assert worker.poll() is None


def test_what_cannot_be_taken_is_kept_with_the_dead(rabbitmq: RabbitMq, database: str, tmp_path: Path) -> None:
    """A message that no worker can read is rejected, not lost and not tried for ever."""
    rabbitmq.ctl("add_vhost", "dead")
    rabbitmq.ctl("set_permissions", "-p", "dead", "guest", ".*", ".*", ".*")
    with stage(database, tmp_path, rabbitmq.url.removesuffix("/") + "dead") as played:
        app: Celery = played.app()
        with app.connection_for_write() as connection, connection.Producer() as producer:
            queue = app.amqp.queues["tongdui.ledger"]
            producer.publish(
                b"\xff no json", exchange=queue.exchange, routing_key=queue.name, declare=[queue], content_type="x/y"
            )
        played.begin()
        eventually(lambda: queued(rabbitmq, vhost="dead").get("tongdui.dead") == 1)
        assert queued(rabbitmq, vhost="dead")["tongdui.ledger"] == 0

"""Brokers and stages: each test plays on the queues of its database, and on RabbitMQ where that is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.settlement.tasks.brokers import RABBITMQ_IS_HERE, RabbitMq
from tests.settlement.tasks.stage import Stage, stage

collect_ignore = [] if RABBITMQ_IS_HERE else ["test_rabbitmq.py"]


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    """One node for all tests of a session that do not kill it."""
    node = RabbitMq(tmp_path_factory.mktemp("rabbitmq"))
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture(params=["database", *(["rabbitmq"] if RABBITMQ_IS_HERE else [])])
def played(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Stage]:
    """A stage over each broker there is."""
    url = None
    if request.param == "rabbitmq":
        node: RabbitMq = request.getfixturevalue("rabbitmq")
        vhost = database.rsplit("/", 1)[-1].split("?", maxsplit=1)[0]
        node.ctl("add_vhost", vhost)
        node.ctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
        url = node.url.removesuffix("/") + vhost
    with stage(database, tmp_path, url) as made:
        yield made

"""What every test may ask for: a real PostgreSQL, built once per session by the real migrations, cloned for each test.

    def test_something(database: str) -> None:   # the libpq address of a database of its own, dropped afterwards

Invariants: the server has fsync off and lives in a temporary folder, in memory where that is possible; each worker of a
parallel run has its own.
"""

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from hypothesis import settings
from psycopg import sql
from sqlalchemy import create_engine, pool

from ledger.postgres.embedded import EmbeddedServer, sqlalchemy_url, start
from tests.scratch import MEMORY, SERVER, scratch
from tests.settlement.chain.anvil import ANVIL
from tests.settlement.tasks.brokers import RABBITMQ_IS_HERE

ROOT = Path(__file__).resolve().parent.parent
_serial = itertools.count(1)

# How long one example takes depends on who else uses the machine; pytest's own timeout bounds a test.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def one(dsn: str, statement: str) -> object:
    """The first column of the first row a statement answers."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def migrate(dsn: str, revision: str = "head") -> None:
    """Bring a database to `revision` by the real migrations."""
    engine = create_engine(sqlalchemy_url(dsn), poolclass=pool.NullPool)
    config = Config(ROOT / "alembic.ini")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    with scratch(MEMORY, tmp_path_factory.mktemp("scratch")) as folder:
        # A log that grows to gigabytes is of no use to databases that live for a second.
        with start(folder / SERVER, durable=False, options={"max_wal_size": "256MB"}) as server:
            yield server


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedServer) -> str:
    """The name of the template database, at the newest migration. Nobody connects to it but its clones."""
    migrate(postgres.ensure_database("migrated"))
    return "migrated"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with something slow come first, then those with many tests: a long file that is begun last keeps one worker
    busy while the others have nothing left. Chance decides among equals, and within each file, as before.
    """
    tests_of = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, -tests_of[item.path]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A build machine plays on everything: there a program that is missing is a failure, not a shorter run."""
    if os.environ.get("CI") == "true" and not ANVIL.exists() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which optional program was not there to be played on."""
    if not ANVIL.exists():
        terminalreporter.write_line(
            "anvil is not in node_modules (npm ci): stuck transactions, replacement and reorganisations were not played"
        )
    if not RABBITMQ_IS_HERE:
        terminalreporter.write_line(
            "RabbitMQ is not on this machine (apt-get install rabbitmq-server): tasks had the database's queue alone"
        )


def execute(server: EmbeddedServer, statement: str, *names: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture
def empty_database(postgres: EmbeddedServer) -> Iterator[str]:
    """The address of a database without a schema."""
    name = f"test_{next(_serial)}"
    yield postgres.ensure_database(name)
    execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database(postgres: EmbeddedServer, migrated: str) -> Iterator[str]:
    """The address of a database at the newest migration, this test's own."""
    name = f"test_{next(_serial)}"
    execute(postgres, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, migrated)
    yield postgres.dsn(name)
    execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)

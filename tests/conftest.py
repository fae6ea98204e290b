"""What every test may ask for: a real PostgreSQL, built once per session by the real migrations, cloned for each test;
an embedded chain that the session's tests share, and an alliance on both that was founded once.

    def test_something(database: str) -> None:   # the libpq address of a database of its own, dropped afterwards
    def test_settled(field: Field) -> None:      # an alliance of its own, founded; `unfounded` has no contracts yet

Invariants: the server has fsync off and lives in a temporary folder, in memory where that is possible; each worker of a
parallel run has its own.
"""

import itertools
import os
import signal
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
from settlement.chain.client import Chain
from settlement.embedded_chain import process
from settlement.embedded_chain.process import EmbeddedNode
from tests.attacks.on_chain import ADMIN
from tests.scratch import MEMORY, SERVER, scratch
from tests.settlement.chain.anvil import ANVIL
from tests.settlement.chain.field import Field, registry_commands
from tests.settlement.chain.founded import Founded, found_once
from tests.settlement.chain.tiny import SENDER
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
    # A log that grows to gigabytes is of no use to databases that live for a second.
    small = {"max_wal_size": "256MB"}
    with (
        scratch(MEMORY, tmp_path_factory.mktemp("scratch")) as folder,
        start(folder / SERVER, durable=False, options=small) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedServer) -> str:
    """The name of the template database, at the newest migration. Nobody connects to it but its clones."""
    migrate(postgres.ensure_database("migrated"))
    return "migrated"


def pytest_configure() -> None:
    """SIGTERM (`timeout`, a build called off) tears fixtures down as Ctrl-C does, and leaves no server behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


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


CLONE = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"


@pytest.fixture
def database(postgres: EmbeddedServer, migrated: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database at the newest migration, this test's own; with `field` it is the alliance's."""
    name = f"test_{next(_serial)}"
    template = request.getfixturevalue("founded")[0] if "field" in request.fixturenames else migrated
    execute(postgres, CLONE, name, template)
    yield postgres.dsn(name)
    execute(postgres, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNode]:
    """The node that the session's tests share. What one leaves on it stays until one asks for `field`."""
    with process.start(tmp_path_factory.mktemp("chain"), fund=[SENDER.address, ADMIN.address]) as node:
        yield node


@pytest.fixture
def chain(embedded: EmbeddedNode) -> Chain:
    """The client on the session's embedded chain; tests share its blocks and time."""
    return Chain(embedded.url)


@pytest.fixture(scope="session")
def founded(
    postgres: EmbeddedServer, migrated: str, embedded: EmbeddedNode, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Founded]:
    """The name of its template database, and the alliance."""
    execute(postgres, CLONE, "founded", migrated)
    return "founded", found_once(postgres.dsn("founded"), embedded.url, tmp_path_factory.mktemp("founded"))


@pytest.fixture(scope="module")
def punctual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain for one file, at our clock's time; the session's may have run ahead before it could be put back."""
    with process.start(tmp_path_factory.mktemp("punctual"), fund=[SENDER.address]) as node:
        yield Chain(node.url)


@pytest.fixture(scope="module")
def early(founded: tuple[str, Founded]) -> str:
    """The address of the session's chain, put back for a whole file that plays on it at a date of its own."""
    return founded[1].put_back()


@pytest.fixture
def field(database: str, founded: tuple[str, Founded], tmp_path: Path) -> Field:
    """A small alliance of its own: contracts on the shared chain, merchants, terms and members in the ledger."""
    return founded[1].copied(database, tmp_path)


@pytest.fixture
def unfounded(database: str, embedded: EmbeddedNode, tmp_path: Path) -> Field:
    """The same without contracts, to be founded by the test."""
    made = Field(dsn=database, url=embedded.url, folder=tmp_path)
    made.post(registry_commands())
    return made

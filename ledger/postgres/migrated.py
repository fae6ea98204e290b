"""The database an entry point works on, at the newest migration before anybody uses it.

Invariants: the embedded database is brought up to date, because it is ours alone, by one process at a time; a database
that the operator names is never changed here: when it is behind, the entry point says so and stops. Called by the entry
points of every room above.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, create_engine, pool, text
from sqlalchemy.exc import ProgrammingError

from ledger.postgres.embedded import open_database, sqlalchemy_url

ROOT = Path(__file__).resolve().parent.parent.parent
_ONE_AT_A_TIME = text("SELECT pg_advisory_lock(hashtext('tongdui migrations'))")


class Behind(RuntimeError):
    """The named database lacks migrations; says which it has, which it needs and the command that brings them."""


@contextmanager
def migrated_database(url: str | None, folder: Path) -> Iterator[str]:
    """The libpq address of the database that `url` names, else of the embedded one under `folder`, ready for use.

    Raises `Behind`, or what `ledger.postgres.embedded.open_database` raises.
    """
    with open_database(url, folder) as dsn:
        _bring_or_check(dsn, ours=url is None)
        yield dsn


def require_newest(dsn: str) -> None:
    """For whoever only looks: raises `Behind` when the database at `dsn` lacks migrations."""
    _bring_or_check(dsn, ours=False)


def _bring_or_check(dsn: str, *, ours: bool) -> None:
    config = Config(ROOT / "alembic.ini")
    wanted = ScriptDirectory.from_config(config).get_current_head()
    engine = create_engine(sqlalchemy_url(dsn), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(_ONE_AT_A_TIME)
            found = _found(connection)
            connection.rollback()
            if found == wanted:
                return
            if not ours:
                raise Behind(
                    f"the database is at {found or 'no migration'}, not at {wanted}: run `make migrate` as its owner"
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _found(connection: Connection) -> str | None:
    """The newest migration that the database has. Raises `Behind` where this login may not ask."""
    try:
        return MigrationContext.configure(connection).get_current_revision()
    except ProgrammingError as error:
        if not isinstance(error.orig, InsufficientPrivilege):
            raise
        raise Behind(
            "this login may not ask which migrations the database has: it has to be in the role tongdui_app or "
            "tongdui_settlement; and if it is, run `make migrate` as the owner"
        ) from error

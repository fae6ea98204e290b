"""How Alembic reaches the database: one connection, one transaction per migration, and no waiting for locks.

Invariants: the address comes from the caller (`config.attributes["connection"]`, or `-x dsn=postgresql://...`), never
from this file; a migration that cannot have its lock within LOCK_TIMEOUT_MS fails instead of queueing every writer
behind it.
Called by Alembic only.
"""

import sys

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, pool, text

from ledger.postgres.embedded import sqlalchemy_url

LOCK_TIMEOUT_MS = 4_000
STATEMENT_TIMEOUT_MS = 600_000


def migrate(connection: Connection) -> None:
    """Run the wanted steps on a connection whose transaction has not begun; leaves nothing open behind it."""
    for name, value in (("lock_timeout", LOCK_TIMEOUT_MS), ("statement_timeout", STATEMENT_TIMEOUT_MS)):
        connection.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": str(value)})
    connection.commit()
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def migrate_address(dsn: str) -> None:
    engine = create_engine(sqlalchemy_url(dsn), poolclass=pool.NullPool)
    with engine.connect() as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        migrate(connection)
        now = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    sys.stdout.write(f"the database was at {before or 'no migration'} and is at {now or 'no migration'}\n")


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    address = context.get_x_argument(as_dictionary=True).get("dsn")
    if not address:
        raise SystemExit(
            "no database named: TONGDUI_DATABASE_URL=postgresql://owner@host/name make migrate, "
            "or alembic -x dsn=postgresql://owner@host/name upgrade head"
        )
    migrate_address(address)

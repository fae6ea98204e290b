"""The ledger's migration goes up, down and up again, and the store says so when it has not run."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool

from ledger.postgres.embedded import sqlalchemy_url
from ledger.store import open_store
from tests.conftest import ROOT, migrate, one
from tests.ledger.scene import small_alliance


def back(dsn: str, revision: str) -> None:
    engine = create_engine(sqlalchemy_url(dsn), poolclass=pool.NullPool)
    config = Config(ROOT / "alembic.ini")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()


def test_up_down_and_up_again(empty_database: str) -> None:
    migrate(empty_database, "head")
    with open_store(empty_database) as store:
        store.post(small_alliance())
    for revision in ("0004_rule_book", "0003_api", "base"):
        back(empty_database, revision)
    assert one(empty_database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'ledger'") == 0
    migrate(empty_database, "head")
    assert one(empty_database, "SELECT seq FROM ledger.head") == 0
    with open_store(empty_database) as store:
        assert len(store.post(small_alliance())) == 11


def test_a_store_without_its_migration_says_what_is_missing(empty_database: str) -> None:
    with (
        pytest.raises(psycopg.Error, match=r"tongdui_app|ledger\.head|schema ledger"),
        open_store(empty_database) as store,
    ):
        store.post(small_alliance())

"""Entry points and migrations: ours is brought up to date, somebody else's is only looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.postgres.migrated import Behind, migrated_database, require_newest
from tests.conftest import one

REVISION = "SELECT version_num FROM alembic_version"


def test_a_named_database_that_is_behind_is_refused_and_left_alone(empty_database: str, tmp_path: Path) -> None:
    with pytest.raises(Behind, match="make migrate"), migrated_database(empty_database, tmp_path):
        pass
    with pytest.raises(Behind, match="make migrate"):
        require_newest(empty_database)
    assert one(empty_database, "SELECT count(*) FROM pg_tables WHERE schemaname IN ('ledger', 'api', 'public')") == 0


def test_a_named_database_that_is_current_is_used(database: str, tmp_path: Path) -> None:
    with migrated_database(database, tmp_path) as dsn:
        assert dsn == database


def test_the_embedded_database_is_brought_up_to_date(database: str, tmp_path: Path) -> None:
    with migrated_database(None, tmp_path / "postgres") as dsn:
        assert one(dsn, REVISION) == one(database, REVISION)
    with migrated_database(None, tmp_path / "postgres") as dsn:
        assert one(dsn, "SELECT seq FROM ledger.head") == 0

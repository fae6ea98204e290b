"""What was recorded cannot be changed: not by the application's role, and not by the owner without first taking a
trigger away.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from ledger.store import open_store
from tests.ledger.random_commands import history

LOG = ("journal", "posting", "answer", "claim", "member", "merchant", "terms")
DERIVED = ("orders", "lot", "head")


@pytest.fixture(name="conn")
def conn_(database: str) -> Iterator[psycopg.Connection]:
    with open_store(database) as store:
        store.post(history(seed=1, length=60))
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize("table", LOG)
@pytest.mark.parametrize("statement", ["UPDATE ledger.{} SET shard = 1", "DELETE FROM ledger.{}", "TRUNCATE ledger.{}"])
def test_the_log_takes_inserts_alone(conn: psycopg.Connection, table: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        conn.execute(statement.format(table))
    conn.execute("SET ROLE tongdui_app")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement.format(table))


@pytest.mark.parametrize("table", DERIVED)
@pytest.mark.parametrize("statement", ["DELETE FROM ledger.{}", "TRUNCATE ledger.{}"])
def test_derived_rows_are_never_deleted(conn: psycopg.Connection, table: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        conn.execute(statement.format(table))


@pytest.mark.parametrize("change", ["ledger.lot SET points = 1", "ledger.orders SET amount_minor = 1"])
def test_the_application_may_not_change_what_was_earned(conn: psycopg.Connection, change: str) -> None:
    conn.execute("SET ROLE tongdui_app")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(f"UPDATE {change}")


def test_the_head_never_goes_back(conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="does not go back"):
        conn.execute("UPDATE ledger.head SET seq = seq - 1")


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("(0, 900, 1, 0, 4, 1, 5, 5, 0), (0, 900, 1, 0, 5, 1, -4, -4, 0)", "sum to 1"),
        ("(0, 900, 1, 1, 4, 1, 5, 5, 0), (0, 900, 1, 0, 5, 1, -5, -5, 0)", "sum to"),
        ("(0, 900, 1, 0, 4, 1, 5, 6, 0), (0, 900, 1, 0, 5, 1, -5, -5, 0)", "posting_first"),
        ("(0, 900, 1, 0, 4, 1, 0, 0, 0), (0, 900, 1, 0, 5, 1, 0, 0, 0)", "posting_amount"),
        ("(0, 900, 4, 0, 4, 1, -5, -5, 0), (0, 900, 3, 0, 5, 1, 5, 5, 0)", "posting_side"),
    ],
)
def test_unbalanced_postings_are_refused_by_the_database(conn: psycopg.Connection, rows: str, error: str) -> None:
    columns = "shard, seq, family, unit, party, n, amount, balance, leg"
    with pytest.raises(psycopg.errors.CheckViolation, match=error):
        conn.execute(f"INSERT INTO ledger.posting ({columns}) VALUES {rows}")


def test_a_posting_out_of_turn_collides(conn: psycopg.Connection) -> None:
    """A writer that decided on stale state writes an n that exists."""
    with pytest.raises(psycopg.errors.UniqueViolation):
        conn.execute(
            "INSERT INTO ledger.posting SELECT * FROM ledger.posting WHERE seq = (SELECT max(seq) FROM ledger.posting)"
        )


@pytest.mark.parametrize("step", [0, 2])
def test_a_gap_in_the_journal_is_refused_by_the_database(conn: psycopg.Connection, step: int) -> None:
    statement = f"""
        INSERT INTO ledger.journal (shard, seq, at_ms, verb, command, receipt)
        SELECT 0, seq + {step}, 0, 'x', 'x', 'x' FROM ledger.head
    """
    with pytest.raises(psycopg.errors.IntegrityError):
        conn.execute(statement)

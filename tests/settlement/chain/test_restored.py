"""A database that came back from a backup older than its batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from settlement.batches import seal_next
from settlement.numbers import NumberTaken
from settlement.status import status
from settlement.submitter import drive
from settlement.tables import last_batch
from tests.settlement.chain.field import Field, attest, day
from tests.settlement.chain.test_settling import KEYS, sealed_hashes


def backed_up(field: Field) -> Field:
    """The same alliance on a copy of its database, as of now."""
    name = str(conninfo_to_dict(field.dsn)["dbname"])
    copy = f"{name}_backup"
    with psycopg.connect(make_conninfo(field.dsn, dbname="postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copy), sql.Identifier(name)))
    return replace(field, dsn=make_conninfo(field.dsn, dbname=copy))


def headers(field: Field) -> list[bytes]:
    return [(mirror / "headers" / "2.json").read_bytes() for mirror in field.mirrors]


@pytest.mark.parametrize("committed", [False, True])
def test_never_a_second_header_for_a_number(field: Field, tmp_path: Path, *, committed: bool) -> None:
    """What was published or committed after the backup stands, though the database knows nothing of it."""
    field.post(day(1))
    with field.settlement() as s:
        assert seal_next(s) is not None
    field.post(day(2))
    older = backed_up(field)
    with field.settlement() as s:
        batch = seal_next(s)
        assert batch is not None
        if committed:
            attest(s, tmp_path, sealed_hashes(s), KEYS)
            drive(s)
    before = headers(field)
    with older.settlement() as s:
        if committed:  # its mirrors may be gone as well: the chain says it too
            for mirror in field.mirrors:
                (mirror / "headers" / "2.json").unlink()
        with pytest.raises(NumberTaken, match=batch.header_hash.hex()):
            seal_next(s)
        last = last_batch(s.conn)
        assert last is not None
        assert last.batch_no == 1
        assert [each.batch_no for each in status(s.conn, first=1)] == [1]
    assert committed or headers(field) == before

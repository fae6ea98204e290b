"""The journal as a file: every entry's canonical bytes, in order, for its owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest

from ledger import journal
from ledger.__main__ import HELD, NOT_ASKED, main
from ledger.poster import Poster
from ledger.store import open_store
from proofs.journal_file import read_journal
from tests.ledger.random_commands import history

SOME = 60


def exported(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return list(read_journal(file))


def test_an_export_is_the_journal(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Poster(open_store(database)) as poster:
        poster.post(history(1, SOME))
    with psycopg.connect(database, autocommit=True) as conn:
        entries = [entry.canonical for entry in journal.read(conn, 0)]
    assert len(entries) > SOME // 2
    path = tmp_path / "journal"
    assert main(["export", "--dsn", database, "--out", str(path)]) == HELD
    assert f"{len(entries)} entries" in capsys.readouterr().out
    assert exported(path) == entries
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["export", "--dsn", database, "--out", str(path), "--seq", "7"]) == HELD
    assert exported(path) == entries[:7]


def test_an_export_that_cannot_be_written(database: str, tmp_path: Path) -> None:
    assert main(["export", "--dsn", database, "--out", str(tmp_path / "none" / "journal")]) == NOT_ASKED

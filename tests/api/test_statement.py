"""The statement's files: the page says the figures and escapes its texts, the command says what it wrote or why not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psycopg
import pytest

from api import statement as files
from ledger import queries
from ledger.journal import head_seq
from ledger.reports import forms, gather
from ledger.reports.reading import stream
from ledger.reports.statement import Batch, DisputeHeld, Statement, Transaction
from tests.ledger.random_commands import history
from tests.ledger.reports.journals import posted


@pytest.fixture(name="books")
def books_(database: str) -> str:
    posted(database, history(seed=7, length=300))
    return database


@pytest.fixture(name="statement")
def statement_(books: str) -> Statement:
    with psycopg.connect(books, autocommit=True) as conn:
        _, statements = next(gather.statements(stream(conn, upto_seq=head_seq(conn))))
    return statements[2]


def test_the_page_says_every_figure(statement: Statement) -> None:
    page = files.page(statement)
    assert f"Statement of cycle {statement.cycle.name}" in page
    assert forms.digest(statement) in page
    for amount in (statement.points.closing, statement.net.position, statement.closing.au):
        assert f"{amount:,}".replace("-", "\u2212") in page
    assert "None holds entries of this cycle yet." in page


def test_the_page_escapes_and_shows_what_is_rare(statement: Statement) -> None:
    transactions = (Transaction(purpose="seal", tx_hash="0xaa", status="MINED"),)
    batch = Batch(
        batch_no=7, first_seq=1, last_seq=2, leaves_root="0xbb", header_hash="0xcc", transactions=transactions
    )
    page = files.page(
        msgspec.structs.replace(
            statement,
            name="<script>alert(1)</script>",
            batches=(batch,),
            disputes=(DisputeHeld(acceptor=1, redemption="<b>", au=-5),),
            collateral=msgspec.structs.replace(statement.collateral, posted=800, headroom=-3),
        )
    )
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Held in dispute: &lt;b&gt; at merchant 1" in page
    for text in ("0xaa", "0xbb", "0xcc", "\u22123"):
        assert text in page


def test_the_page_needs_nothing_from_elsewhere(statement: Statement) -> None:
    page = files.page(statement)
    for reference in ("http:", "https:", "<script", "<link", "src=", "@import", "url("):
        assert reference not in page


def test_the_command_writes_three_files_a_merchant(
    books: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert files.main(["--dsn", books, "--out", str(tmp_path / "new")]) == files.WRITTEN
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    with psycopg.connect(books, autocommit=True) as conn:
        merchants = [each.merchant_id for each in queries.merchants(conn)]
    assert len(merchants) > 1
    for merchant in merchants:
        mine = sorted(path.suffix for path in written if path.name.startswith(f"statement-{merchant}-"))
        assert mine == [".csv", ".html", ".json"]
    assert len(written) == 3 * len(merchants)
    for path in written:
        body = path.read_bytes()
        assert body
        assert path.suffix != ".json" or forms.holds(body)
    assert files.main(["--dsn", books, "--out", str(tmp_path / "open"), "--open", "--merchant", "2"]) == files.WRITTEN
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cycle", "none"], "cannot write statements: no cycle is named 'none'"),
        (["--merchant", "9"], "merchant 9 is not among those of that cycle"),
        (["--out", "/dev/null/x"], "cannot write statements: "),
    ],
)
def test_what_cannot_be_written_is_said(
    books: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert files.main(["--dsn", books, *arguments]) == files.NOT_ASKED
    assert words in capsys.readouterr().err


def test_without_a_database_it_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TONGDUI_VAR", str(tmp_path))
    monkeypatch.delenv("TONGDUI_DATABASE_URL", raising=False)
    assert files.main([]) == files.NOT_ASKED
    assert f"nothing runs in {tmp_path / 'postgres'}" in capsys.readouterr().err

"""`python -m api.statement`: a merchant's statement of a cycle as three files: JSON, CSV and a page to print.

The ledger draws the statement (`ledger.reports`); here the batches that settlement made of the cycle are added, and the
page is drawn. The page is whole: no script, font or address outside itself, and all text is escaped. Reading only; the
files go where `--out` says and replace what is there. Exit code 2: the question could not be asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from ledger.postgres.embedded import running
from ledger.reports import forms
from ledger.reports.ask import CannotAnswer, of_merchant, statements_of
from ledger.reports.reading import UnknownCycle
from ledger.reports.statement import Batch, Statement, Transaction
from settlement.status import BatchStatus, status

TEMPLATES = Path(__file__).parent / "templates"
WRITTEN, NOT_ASKED = 0, 2

_drawn = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_drawn.filters["figure"] = lambda value: "" if value is None else f"{value:,}".replace("-", "\u2212")


class StatementSettings(BaseSettings):
    """Which database is asked where --dsn is not given: the one named, else the embedded one that runs under `var`."""

    model_config = SettingsConfigDict(
        env_prefix="TONGDUI_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: str | None = None
    var: Path = Path("var")


def page(statement: Statement) -> str:
    """The statement as HTML to print."""
    return _drawn.get_template("statement.html").render(forms.with_digest(statement))


def batches(conn: psycopg.Connection[Any]) -> list[Batch]:
    """The live batches of settlement, as statements name them."""
    return [_batch(each) for each in status(conn)]


def _batch(batch: BatchStatus) -> Batch:
    return Batch(
        batch_no=batch.batch_no,
        first_seq=batch.first_seq,
        last_seq=batch.last_seq,
        leaves_root=_hex(batch.header.leaves_root),
        header_hash=_hex(batch.header_hash),
        transactions=tuple(
            Transaction(purpose=each.purpose, tx_hash=_hex(each.tx_hash), status=each.status)
            for each in batch.transactions
        ),
    )


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"


def write(statement: Statement, folder: Path) -> list[Path]:
    """The three files; named by numbers, because codes and cycles may hold any sign."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"statement-{statement.merchant_id}-{statement.cycle.first_seq}-{statement.cycle.last_seq}"
    texts = {
        "json": forms.to_json(statement) + b"\n",
        "csv": forms.to_csv(statement).encode(),
        "html": page(statement).encode(),
    }
    paths = [folder / f"{name}.{ending}" for ending in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_bytes(text)
    return paths


def parser() -> argparse.ArgumentParser:
    said = argparse.ArgumentParser(
        prog="python -m api.statement", description="Write merchants' statements of a cycle."
    )
    said.add_argument("--cycle", metavar="NAME", help="default: the last one that was charged")
    said.add_argument("--open", action="store_true", help="the open cycle, so far")
    said.add_argument("--merchant", type=int, metavar="NUMBER", help="this merchant alone")
    said.add_argument("--out", type=Path, metavar="FOLDER", help="default: statements under TONGDUI_VAR or var/")
    said.add_argument(
        "--dsn", help="libpq address of the database; default: TONGDUI_DATABASE_URL, else the embedded one"
    )
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and say which; answers the exit code."""
    options, settings = parser().parse_args(arguments), StatementSettings()
    dsn = options.dsn or settings.database_url or running(settings.var / "postgres")
    if dsn is None:
        _complain(f"no database: nothing runs in {settings.var / 'postgres'}; start it (make serve) or say --dsn")
        return NOT_ASKED
    try:
        with psycopg.connect(dsn, autocommit=True) as conn:
            found = statements_of(
                conn, cycle=options.cycle, still_open=options.open, progress=_show, batches=batches(conn)
            )
        for statement in of_merchant(found, options.merchant):
            for path in write(statement, options.out or settings.var / "statements"):
                sys.stdout.write(f"{path}\n")
    except (psycopg.Error, OSError, CannotAnswer, UnknownCycle) as error:
        _complain(f"cannot write statements: {error}")
        return NOT_ASKED
    return WRITTEN


def _show(progress: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{progress:<60}\r")
        sys.stderr.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())

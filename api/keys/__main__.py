"""`python -m api.keys issue --merchant 7`: an operator's hands on the keys of merchants.

A new key is printed once, on standard output and nowhere else. Works on the database that TONGDUI_DATABASE_URL names,
or on the embedded one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import psycopg
import typer

from api import keys
from api.keys import ON_PURPOSE, SCOPES
from api.settings import Settings
from ledger.postgres.migrated import Behind, migrated_database
from ledger.queries import merchants
from proofs.accounts import OPERATOR_ID

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Issue, rotate, end and list the keys of merchants.")

Merchant = Annotated[int, typer.Option(help=f"The merchant's number; {OPERATOR_ID} is the alliance's operator.")]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The 12 characters after tdk_live_ or tdk_test_.")]


@contextmanager
def _database() -> Iterator[psycopg.Connection[Any]]:
    """One transaction; what goes wrong is said in one line."""
    settings = Settings()
    try:
        with (
            migrated_database(settings.database_url, settings.var / "postgres") as dsn,
            psycopg.connect(dsn) as connection,
        ):
            yield connection
    except (Behind, LookupError, ValueError) as error:
        typer.echo(f"refused: {error.args[0]}", err=True)
        raise typer.Exit(1) from error


@app.command()
def issue(
    merchant: Merchant,
    environment: Annotated[keys.Environment, typer.Option(help="Where the key works.")] = "test",
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"Repeatable; left out: {', '.join(SCOPES)}. On purpose only: {', '.join(ON_PURPOSE)}."),
    ] = None,
) -> None:
    """Print a new key."""
    with _database() as connection:
        if merchant != OPERATOR_ID and merchant not in {each.merchant_id for each in merchants(connection)}:
            raise LookupError(f"merchant: there is no merchant {merchant}")
        token = keys.issue(connection, merchant_id=merchant, environment=environment, scopes=scope or None)
        typer.echo(token)


@app.command()
def rotate(
    name: KeyName, overlap_hours: Annotated[int, typer.Option(help="How long the old key still works.")] = 24
) -> None:
    """Print a key that replaces another one."""
    with _database() as connection:
        typer.echo(keys.rotate(connection, name=name, overlap_hours=overlap_hours))


@app.command()
def revoke(name: KeyName) -> None:
    """End a key now."""
    with _database() as connection:
        keys.revoke(connection, name=name)


@app.command(name="list")
def list_keys(merchant: Merchant) -> None:
    """Show a merchant's keys: name, environment, scopes, end, last use."""
    with _database() as connection:
        for key in keys.keys_of(connection, merchant):
            over, used = (at.isoformat(timespec="seconds") if at else "-" for at in (key.expires_at, key.last_used_at))
            typer.echo(f"{key.name} {key.environment} {','.join(sorted(key.scopes))} ends {over} last used {used}")


if __name__ == "__main__":
    app()

"""Which database a command asks: the one that --dsn names, else TONGDUI_DATABASE_URL, else the embedded server that
runs under TONGDUI_VAR (var when left out). One rule for every command that only asks; nothing is started for it.

Called by the command lines of `ledger`, `settlement` and `api`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from ledger.postgres.embedded import running

HELP: Final = "libpq address of the database; default: TONGDUI_DATABASE_URL, else the embedded server that runs"


class NoDatabase(LookupError):
    """No database is named and none runs. The message says how to name one."""


def add_dsn(command: argparse.ArgumentParser) -> None:
    """The option, told everywhere in the same words."""
    command.add_argument("--dsn", help=HELP)


def asked_dsn(named: str | None) -> str:
    """The libpq address. Raises `NoDatabase`."""
    folder = Path(os.environ.get("TONGDUI_VAR") or "var") / "postgres"
    dsn = named or os.environ.get("TONGDUI_DATABASE_URL") or running(folder)
    if dsn is None:
        raise NoDatabase(
            f"no database: nothing runs in {folder}; start it (make serve), set TONGDUI_DATABASE_URL or say --dsn"
        )
    return dsn

"""`python -m settlement.answers`: the data that answers a demand, from what was published, to be shown to a court.

    --batch N | --header HASH     the live batch of a number, or any incarnation by its header's hash
    --leaf NUMBER | --row ACCOUNT what is demanded: a leaf by its number, or the row of an account (32 bytes of hex)

Prints one JSON object: chainId, hub, the header with its hash, and the exhibit (`proofs.exhibits`): the leaf with its
event, all its postings and its path, or the row with its path. Everything is checked against the header before it is
shown. Mirrors and keys come from the settings of the settling processes (TONGDUI_*). Reading only: nothing is sent,
because there is no court yet to send it to. Exit code 0: shown; 1: there is no such leaf or row; 2: it could not be
read. Run by an operator, when `batch-demanded` or `demand-due` says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from ledger.postgres.asked import NoDatabase, add_dsn, asked_dsn
from proofs.arguments import hex_argument
from proofs.exhibits import ExhibitError, OpenBatch, check_leaf, check_row
from proofs.json_form import hex_text, to_json
from proofs.lpb1 import FileError, open_file
from proofs.words import WORD_BYTES
from settlement import keys, tables
from settlement.commands import refuse
from settlement.mirrors import Mirror
from settlement.publish import PublicationError, fetch
from settlement.settings import SettlementSettings
from settlement.tables import Batch, Conn
from settlement.vault import Vault, VaultError

SHOWN, NOT_THERE, NOT_READ = 0, 1, 2
PROGRAM = "settlement.answers"
_word = hex_argument(WORD_BYTES)


class NoAnswer(LookupError):
    """There is no such batch, leaf or row; the message says which."""


def answer(
    batch: Batch, vault: Vault, mirrors: Sequence[Mirror], *, leaf_no: int | None = None, account: bytes | None = None
) -> dict[str, Any]:
    """The header and the exhibit of a leaf or of a row. Raises `NoAnswer`; PublicationError, VaultError, ExhibitError
    or FileError where the data cannot be had.
    """
    header = batch.done.header
    file = fetch(mirrors, header, data_key=keys.data_key(vault, batch))
    opened = OpenBatch(open_file(file), header, keys.batch_secret(vault, batch))
    told: dict[str, Any] = {"header": to_json(header), "headerHash": hex_text(batch.header_hash)}
    if leaf_no is not None:
        leaf = opened.leaf(leaf_no)
        if leaf is None:
            last = header.first_leaf_no + header.leaf_count - 1
            raise NoAnswer(f"batch {batch.batch_no} has the leaves {header.first_leaf_no} to {last}")
        check_leaf(leaf, header)
        return told | {"leaf": leaf}
    row = opened.row(account or b"")
    if row is None:
        raise NoAnswer(f"batch {batch.batch_no} has no row of this account")
    check_row(row, header)
    return told | {"row": row}


def main(arguments: Sequence[str] | None = None) -> int:
    """Show what is asked for; the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        settings = SettlementSettings()
        vault = Vault(bytes.fromhex((settings.keys_folder / "vault.key").read_text("ascii").strip()))
        with psycopg.connect(asked_dsn(asked.dsn), autocommit=True) as conn:
            batch = _asked_for(conn, asked)
            anchor = tables.anchor(conn, batch_no=batch.batch_no)
            told = answer(batch, vault, settings.open(), leaf_no=asked.leaf, account=asked.row)
    except NoAnswer as error:
        return refuse(PROGRAM, NOT_THERE, str(error))
    except (
        NoDatabase,
        psycopg.Error,
        PublicationError,
        VaultError,
        ExhibitError,
        FileError,
        OSError,
        ValueError,
    ) as error:
        return refuse(PROGRAM, NOT_READ, f"cannot be read: {error}")
    assert anchor is not None, "batches exist only on a chain"
    shown = {"chainId": str(anchor.chain_id), "hub": hex_text(anchor.hub), **told}
    sys.stdout.write(json.dumps(shown, indent=1) + "\n")
    return SHOWN


def _asked_for(conn: Conn, asked: argparse.Namespace) -> Batch:
    by_header = asked.header is not None
    found = tables.incarnation(conn, asked.header) if by_header else tables.batch(conn, asked.batch)
    if found is None or found.sealed is None:
        raise NoAnswer("there is no such batch")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {PROGRAM}",
        description="The data that answers a demand.",
        epilog="Exit codes: 0 shown; 1 there is no such leaf or row; 2 it cannot be read.",
    )
    add_dsn(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--batch", type=int, help="a batch by its number: the incarnation that is live")
    which.add_argument("--header", type=_word, help="a batch by its header's hash, whatever has its number now")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--leaf", type=int, help="a leaf's number")
    what.add_argument("--row", type=_word, metavar="ACCOUNT", help="an account, 32 bytes of hex")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`python -m settlement.readers`: an operator says who may read the batches that are sealed from now on.

    list                    names, from which batch on, up to which
    admit KID PUBLIC-KEY    64 hex digits of an X25519 key that the reader made itself
    dismiss KID             from the next batch on

Exit code 0: done; 1: refused, and why; 2: no database. Takes --dsn, TONGDUI_DATABASE_URL or the embedded server that
runs under TONGDUI_VAR.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import psycopg

from ledger.postgres.asked import NoDatabase, add_dsn, asked_dsn
from proofs.json_form import hex_bytes
from settlement.publish import Recipient
from settlement.readers import ReaderRefused, admit, dismiss, readers

DONE, REFUSED, NOT_ASKED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with psycopg.connect(asked_dsn(options.dsn), autocommit=True) as conn:
            sys.stdout.write(_done(conn, options))
    except ReaderRefused as error:
        return _refuse(REFUSED, str(error))
    except NoDatabase as error:
        return _refuse(NOT_ASKED, str(error))
    except psycopg.Error as error:
        return _refuse(NOT_ASKED, f"cannot ask: {error}")
    return DONE


def _done(conn: psycopg.Connection[object], options: argparse.Namespace) -> str:
    """What was done, in words."""
    if options.command == "admit":
        return f"{options.kid} reads from batch {admit(conn, Recipient(options.kid, _key(options.key)))} on\n"
    if options.command == "dismiss":
        return f"{options.kid} reads no more from batch {dismiss(conn, options.kid)} on\n"
    lines = (
        f"{each.kid}  {bytes(each.public_key).hex()}  from {each.from_batch}"
        + ("" if each.until_batch is None else f" until before {each.until_batch}")
        for each in readers(conn)
    )
    return "".join(f"{line}\n" for line in lines)


def _key(text: str) -> bytes:
    try:
        return hex_bytes(text)
    except ValueError as error:
        raise ReaderRefused(f"{text!r} is no hex") from error


def _parser() -> argparse.ArgumentParser:
    dsn = argparse.ArgumentParser(add_help=False)
    add_dsn(dsn)
    top = argparse.ArgumentParser(
        prog="python -m settlement.readers",
        description="Who may read the batches.",
        epilog="Exit codes: 0 done; 1 refused, and why; 2 no database.",
    )
    commands = top.add_subparsers(dest="command", metavar="command", required=True)
    commands.add_parser("list", parents=[dsn], help="everybody ever admitted")
    new = commands.add_parser("admit", parents=[dsn], help="from the next batch on")
    new.add_argument("kid")
    new.add_argument("key", metavar="PUBLIC-KEY", help="64 hex digits")
    commands.add_parser("dismiss", parents=[dsn], help="from the next batch on").add_argument("kid")
    return top


def _refuse(code: int, words: str) -> int:
    sys.stderr.write(f"{words}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

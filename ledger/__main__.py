"""`python -m ledger verify --dsn ...` and `python -m ledger rebuild --dsn ...`: an operator asks whether the books are
right.

Exit code 0: everything held; 1: something is broken and was named; 2: the question could not be asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import psycopg

from ledger import rebuild, verify
from ledger.journal import head_seq

HELD, BROKEN, NOT_ASKED = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ledger", description="Check a ledger's books.")
    parser.add_argument("command", choices=["verify", "rebuild"], help="verify: invariants in SQL, then rebuild")
    parser.add_argument("--dsn", required=True, help="libpq address of the ledger's database")
    options = parser.parse_args(arguments)
    try:
        with psycopg.connect(options.dsn, autocommit=True) as conn:
            held = _verify(conn) if options.command == "verify" else True
            return HELD if _rebuild(conn) and held else BROKEN
    except psycopg.Error as error:
        sys.stderr.write(f"cannot ask: {error}\n")
        return NOT_ASKED


def _verify(conn: verify.Connection) -> bool:
    invariants = verify.check(conn, progress=_show)
    for invariant in invariants:
        _say(f"{invariant.name:<40} {'held' if invariant.held else 'BROKEN: ' + invariant.detail}\n")
    return all(invariant.held for invariant in invariants)


def _rebuild(conn: verify.Connection) -> bool:
    head = head_seq(conn)
    faults = rebuild.differences(conn, progress=lambda seq: _show(f"rebuilding {seq} of {head}"))
    for fault in faults:
        _say(f"{fault}\n")
    _say(f"{'rebuild-equals-store':<40} {'BROKEN' if faults else 'held'} ({head} entries)\n")
    return not faults


def _show(progress: str) -> None:
    """One line that the next one overwrites, for somebody who watches."""
    if sys.stdout.isatty():
        _say(f"{progress:<60}\r")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m ledger`: an operator asks whether the books are right, and what they say.

Exit code 0: everything held, or the question was answered; 1: something is broken and was named; 2: the question could
not be asked. Which database is asked: `ledger.postgres.asked`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from ledger import rebuild, verify
from ledger.export import export
from ledger.journal import head_seq
from ledger.postgres.asked import NoDatabase, add_dsn, asked_dsn
from ledger.reports import ask
from ledger.reports.labels import FORMS, UnknownAccount
from ledger.reports.reading import UnknownCycle

HELD, BROKEN, NOT_ASKED = 0, 1, 2

Question = Callable[[verify.Connection, argparse.Namespace, ask.Progress], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    options = parser().parse_args(arguments)
    try:
        with psycopg.connect(asked_dsn(options.dsn), autocommit=True) as conn:
            return int(options.run(conn, options))
    except NoDatabase as error:
        _complain(str(error))
        return NOT_ASKED
    except (psycopg.Error, ask.CannotAnswer, UnknownCycle, UnknownAccount) as error:
        _complain(f"cannot ask: {error}")
        return NOT_ASKED


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    dsn = argparse.ArgumentParser(add_help=False)
    add_dsn(dsn)
    top = argparse.ArgumentParser(
        prog="python -m ledger",
        description="Check a ledger's books, and read them.",
        epilog="Exit codes: 0 it held, or here is the answer; 1 something is broken and named; 2 it could not ask.",
    )
    commands = top.add_subparsers(metavar="command", required=True)

    def add(name: str, run: Callable[..., int], words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[dsn], help=words, description=words)
        command.set_defaults(run=run)
        return command

    add("verify", verify_all, "ask every invariant of one snapshot, then rebuild from the journal and compare")
    add("rebuild", lambda conn, _: _outcome(_rebuild(conn)), "rebuild from the journal and compare")
    command = add("export", export_journal, "write the journal to a file, for an auditor admitted to the books")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="where it goes; its owner's alone")
    command.add_argument("--seq", type=_count, help="up to this entry; default: the last one")
    _add_questions(add)
    return top


def _add_questions(add: Callable[[str, Callable[..., int], str], argparse.ArgumentParser]) -> None:
    add("cycles", _answer(ask.cycle_table), "list the cycles")
    command = add("positions", _answer(ask.position_table), "who owes what: at an entry, or over a cycle with peaks")
    _at_entry(command)
    command.add_argument("--cycle", metavar="NAME", help="over this cycle instead; '' is the open one")
    command = add("statement", _answer(ask.statement), "one merchant's statement of a cycle")
    command.add_argument("--merchant", type=int, required=True, metavar="NUMBER")
    command.add_argument("--cycle", metavar="NAME", help="default: the last one that was charged")
    command.add_argument("--open", action="store_true", help="the open cycle, so far")
    command.add_argument("--csv", action="store_true", help="CSV instead of JSON")
    command = add("liability", _answer(ask.liability), "each issuer's roll-forward and what it owes its members")
    _at_entry(command)
    command.add_argument("--after", type=_count, metavar="SEQ", help="roll forward from after this entry; default 0")
    command.add_argument("--issuer", type=int, metavar="NUMBER", help="this issuer alone")
    command.add_argument("--json", action="store_true", help="one line of JSON per issuer")
    _add_ifrs15(add("ifrs15", _answer(ask.ifrs15), "deferred revenue by month (IFRS 15, CAS 14)"))
    command = add("balance-as-of", _answer(ask.balance), "one account as recorded at an entry, or as valid at a time")
    command.add_argument("account", help=FORMS)
    when = command.add_mutually_exclusive_group()
    when.add_argument("--seq", type=_count, help="as recorded when this was the last entry; default: the last one")
    when.add_argument("--at", dest="at_ms", type=_instant, metavar="TIME", help="as valid then: 2026-07-25T00:00+08:00")
    when.add_argument("--at-ms", type=_count, help="the same in milliseconds since 1970, UTC")
    command = add("project", _answer(ask.project), "bring the changes by day up to the journal's head")
    command.add_argument("--afresh", action="store_true", help="forget them first (takes the tables' owner)")


def _at_entry(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seq", type=_count, help="at this entry; default: the last one")


def _add_ifrs15(command: argparse.ArgumentParser) -> None:
    _at_entry(command)
    command.add_argument("--issuer", type=int, required=True, metavar="NUMBER")
    bps = "share of points expected to be used, in basis points"
    command.add_argument("--expected-bps", type=ask.share_bps, required=True, metavar="BPS", help=f"{bps}, now")
    command.add_argument("--at-issue-bps", type=ask.share_bps, metavar="BPS", help=f"{bps}, when issued; default: now")
    month: dict[str, Any] = {"type": ask.month_share, "action": "append", "default": [], "metavar": "MONTH=BPS"}
    command.add_argument("--expected", **month, help="for one month, e.g. 2026-07=9700; may be repeated")
    command.add_argument("--at-issue", **month, help="the same for the estimate when issued")
    command.add_argument(
        "--elsewhere",
        choices=["principal", "agent"],
        default="agent",
        help="what the issuer is for points used with others: its revenue gross, or less what they were paid",
    )
    command.add_argument("--json", action="store_true", help="one line of JSON per cohort")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _instant(text: str) -> int:
    """A time with its offset, in milliseconds."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-07-25T00:00:00+08:00") from error
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} does not say its offset from UTC, such as +08:00 or Z")
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def _answer(question: Question) -> Callable[[verify.Connection, argparse.Namespace], int]:
    def run(conn: verify.Connection, options: argparse.Namespace) -> int:
        _say(question(conn, options, _show))
        return HELD

    return run


def verify_all(conn: verify.Connection, _: argparse.Namespace) -> int:
    """The invariants in SQL, then the rebuild; both always."""
    invariants = verify.check(conn, progress=_show)
    for invariant in invariants:
        _say(f"{invariant.name:<40} {'held' if invariant.held else 'BROKEN: ' + invariant.detail}\n")
    return _outcome(_rebuild(conn) and all(invariant.held for invariant in invariants))


def export_journal(conn: verify.Connection, options: argparse.Namespace) -> int:
    """The journal's canonical bytes, entry by entry."""
    upto_seq = head_seq(conn) if options.seq is None else options.seq
    try:
        count = export(conn, options.out, upto_seq=upto_seq)
    except OSError as error:
        _complain(f"{options.out}: {error.strerror}")
        return NOT_ASKED
    _say(f"{count} entries in {options.out}\n")
    return HELD


def _outcome(held: bool) -> int:  # noqa: FBT001 - the one thing it says
    return HELD if held else BROKEN


def _rebuild(conn: verify.Connection) -> bool:
    head = head_seq(conn)
    faults = rebuild.differences(conn, progress=lambda seq: _show(f"rebuilding {seq} of {head}"))
    for fault in faults:
        _say(f"{fault}\n")
    _say(f"{'rebuild-equals-store':<40} {'BROKEN' if faults else 'held'} ({head} entries)\n")
    return not faults


def _show(progress: str) -> None:
    """One line that the next one overwrites, for somebody who watches; on stderr, so that answers can be piped."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{progress:<60}\r")
        sys.stderr.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

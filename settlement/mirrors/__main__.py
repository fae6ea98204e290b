"""`python -m settlement.mirrors`: an operator looks after what was published.

    list                  the mirrors and what they should hold
    verify [--repair]     read everything back from every mirror; with --repair from another mirror where one is wrong
    expire --years N      erase what is older than N years and finished, N at least the policy's; --yes does it

Exit code 0: everything is whole, or is again; 1: something is missing, wrong or lost; 2: the question could not be
asked, or a mirror does not answer. What `verify` finds and leaves is an alert too. Mirrors come from TONGDUI_MIRRORS;
without --dsn and TONGDUI_DATABASE_URL the embedded server under TONGDUI_VAR is asked, if it runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import psycopg

from ledger.postgres.asked import NoDatabase, add_dsn, asked_dsn
from settlement.mirrors import Mirror, MirrorError
from settlement.mirrors.keeping import (
    ALERTS,
    RETENTION_YEARS_MIN,
    Fault,
    Finding,
    alerts_of,
    erase,
    expired,
    published,
    verify,
)
from settlement.mirrors.settings import MirrorsSettings
from settlement.tables import Conn
from settlement.watch import alerts

WHOLE, FAULTY, NOT_ASKED = 0, 1, 2
FINDINGS_SHOWN_MAX = 200

Clock = Callable[[], datetime]


def main(arguments: Sequence[str] | None = None, *, now: Clock = lambda: datetime.now(UTC)) -> int:
    """Run one command; answers the exit code."""
    options = parser().parse_args(arguments)
    try:
        settings = MirrorsSettings()
        mirrors = settings.open()
        with psycopg.connect(asked_dsn(options.dsn), autocommit=True) as conn:
            return int(options.run(conn, mirrors, options, now()))
    except NoDatabase as error:
        return _refuse(str(error))
    except (psycopg.Error, OSError, ValueError, MirrorError) as error:
        return _refuse(f"cannot ask: {error}")


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    dsn = argparse.ArgumentParser(add_help=False)
    add_dsn(dsn)
    top = argparse.ArgumentParser(
        prog="python -m settlement.mirrors",
        description="Look after what was published.",
        epilog="Exit codes: 0 everything is whole, or is again; 1 something is missing, wrong or lost; 2 not asked.",
    )
    commands = top.add_subparsers(metavar="command", required=True)
    commands.add_parser("list", parents=[dsn], help="the mirrors").set_defaults(run=list_mirrors)
    check = commands.add_parser("verify", parents=[dsn], help="read everything back from every mirror")
    check.add_argument("--repair", action="store_true", help="write what is wrong from a mirror that has it right")
    check.add_argument("--from", dest="first", type=int, default=0, metavar="BATCH")
    check.add_argument("--to", dest="last", type=int, default=2**62, metavar="BATCH")
    check.set_defaults(run=verify_mirrors)
    end = commands.add_parser("expire", parents=[dsn], help="erase what is older than the policy asks for")
    end.add_argument("--years", type=int, default=RETENTION_YEARS_MIN, help=f"at least {RETENTION_YEARS_MIN}")
    end.add_argument("--yes", action="store_true", help="do it; without, say what would go")
    end.set_defaults(run=expire)
    return top


def list_mirrors(conn: Conn, mirrors: Sequence[Mirror], _: argparse.Namespace, __: datetime) -> int:
    """Names, places and how much there is to keep."""
    for mirror in mirrors:
        _say(f"{mirror.name}  ({mirror.place})")
    _say(f"{len(published(conn))} batches to keep for at least {RETENTION_YEARS_MIN} years")
    return WHOLE


def verify_mirrors(conn: Conn, mirrors: Sequence[Mirror], options: argparse.Namespace, now: datetime) -> int:
    """Every fault on a line, then one line that sums. What may have been erased is not asked for."""
    everything = published(conn, first=options.first, last=options.last)
    erasable = expired(everything, now, years=RETENTION_YEARS_MIN)
    batches = [each for each in everything if each not in erasable]
    found = list(verify(batches, mirrors, repair=options.repair))
    for finding in found[:FINDINGS_SHOWN_MAX]:
        _say(_told(finding))
    left = [finding for finding in found if finding.repaired_from is None]
    alerts.keep(conn, ALERTS, alerts_of(left))
    _say(f"{len(batches)} batches on {len(mirrors)} mirrors: {len(found)} faults, {len(found) - len(left)} repaired")
    if not left:
        return WHOLE
    return NOT_ASKED if all(finding.fault is Fault.DOWN for finding in left) else FAULTY


def expire(conn: Conn, mirrors: Sequence[Mirror], options: argparse.Namespace, now: datetime) -> int:
    """What is old enough, erased only when told so twice."""
    going = expired(published(conn), now, years=options.years)
    for each in going:
        done = f"erased {erase(each, mirrors)} blobs" if options.yes else "would go"
        _say(f"batch {each.header.batch_no} of {datetime.fromtimestamp(each.header.sealed_at, UTC):%Y-%m-%d}: {done}")
    _say(f"{len(going)} batches older than {options.years} years")
    return WHOLE


def _told(finding: Finding) -> str:
    then = f", repaired from {finding.repaired_from}" if finding.repaired_from else ""
    return f"{finding.mirror}: {finding.path} {finding.fault.value}{then}"


def _refuse(words: str) -> int:
    sys.stderr.write(f"{words}\n")
    return NOT_ASKED


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main())

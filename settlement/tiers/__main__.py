"""`python -m settlement.tiers`: how the epochs of members' tiers fare, and what an operator does about them.

    status              every epoch: its state, members, root, when it counts; exit code 1 if one is stuck
    seal                take all epochs as far as they go, now, as the periodic task does
    revoke EPOCH        let an epoch count no more, here at once and on the chain
    new-key             draw a key that signs headers into the vault, and print its address for governance
    erase MEMBER        destroy what the member's witnesses are made from, in every epoch

Exit codes: 0 done, or well; 1 refused or stuck, and why; 2 it could not run. Takes the settings of `settlement.tasks`
from the environment. Never shows a secret, a salt or a path.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from pydantic import ValidationError

from ledger.postgres.embedded import EmbeddedPostgresError
from ledger.postgres.migrated import Behind
from proofs.json_form import hex_text
from settlement.alliance import AllianceError
from settlement.chain.client import ChainError
from settlement.chain.contracts import Refused
from settlement.chain.senders import KeyRefused
from settlement.lease import LeaseHeld
from settlement.settings import SettlementSettings
from settlement.tables import Conn, StateMoved
from settlement.tasks.__main__ import opened
from settlement.tasks.leading import leading
from settlement.tasks.ticks import TIERS
from settlement.tasks.works import Works
from settlement.tiers import epochs, forgetting, rows, signing_keys
from settlement.tiers.commitments import CommitmentRefused
from settlement.tiers.rows import Epoch
from settlement.vault import VaultError
from settlement.watch.alerts import alerts

DONE, NOT_DONE, CANNOT_RUN = 0, 1, 2
EPOCHS_SHOWN_MAX = 50


class NoSuchEpoch(LookupError):
    """No epoch of this number was drawn."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = SettlementSettings()
        with opened(settings) as works, works.connection() as conn:
            return _do(works, conn, options)
    except (NoSuchEpoch, CommitmentRefused, KeyRefused, VaultError, Refused, LeaseHeld, StateMoved) as error:
        return _refuse(NOT_DONE, str(error))
    except (Behind, EmbeddedPostgresError, ValidationError, psycopg.Error, AllianceError, ChainError, OSError) as error:
        return _refuse(CANNOT_RUN, str(error))


def _do(works: Works, conn: Conn, options: argparse.Namespace) -> int:
    match options.command:
        case "status":
            return _status(conn)
        case "seal":
            return _seal(works, conn)
        case "revoke":
            return _revoke(works, conn, options.epoch)
        case "erase":
            left = forgetting.erase(conn, works.vault(), options.member, now=works.now_s())
            return _say(f"{options.member}: erased; {left} leaves are left as hashes")
        case _:
            address = signing_keys.make(conn, works.vault(), now=works.now_s())
            return _say(f"{hex_text(address)}: let governance name it in the contract (setEpochKey)")


def _status(conn: Conn) -> int:
    for epoch in rows.epochs(conn, newest=EPOCHS_SHOWN_MAX):
        _say(_line(epoch))
    stuck = [alert for alert in alerts(conn) if alert.source == epochs.SOURCE]
    for alert in stuck:
        _say(f"{alert.place}: {alert.code}: {alert.actual}")
    return NOT_DONE if stuck else DONE


def _seal(works: Works, conn: Conn) -> int:
    """Under the periodic task's own lease, so that never two at once are at it."""
    with leading(conn, works.dsn, TIERS, wait_s_max=works.lead_wait_s), works.tiers(conn) as desk:
        standings = epochs.drive(desk)
    for each in standings:
        _say(f"epoch {each.epoch}: {each.state.name}: {each.reason}")
    return NOT_DONE if any(each.alarm for each in standings) else DONE


def _revoke(works: Works, conn: Conn, number: int) -> int:
    if rows.epoch(conn, number) is None:
        raise NoSuchEpoch(f"epoch {number} was never drawn")
    new = rows.revoke(conn, number, now=works.now_s())
    _say(f"epoch {number}: {'revoked here' if new else 'was revoked here before'}; nobody gets its witnesses any more")
    return _seal(works, conn)


def _line(epoch: Epoch) -> str:
    members = "" if epoch.members is None else f" {epoch.members} members"
    hashed = f" ({epoch.leaves_done} hashed)" if epoch.state is rows.State.SNAPSHOTTED else ""
    root = "" if epoch.root is None else f" root {hex_text(bytes(epoch.root))[:18]}…"
    ended = "" if epoch.ended_as is None else f": {epoch.ended_as}"
    revoked = ", revoked" if epoch.revoked_at is not None else ""
    when = f"{_day(epoch.not_before)} to {_day(epoch.not_after)}"
    return f"{epoch.epoch:<10} {epoch.state.name:<12} {when}{members}{hashed}{root}{revoked}{ended}"


def _day(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"


def _say(words: str) -> int:
    sys.stdout.write(f"{words}\n")
    return DONE


def _refuse(code: int, words: str) -> int:
    sys.stderr.write(f"settlement.tiers: {words}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m settlement.tiers",
        description="Epochs of members' tiers.",
        epilog="Exit codes: 0 done, or well; 1 refused or stuck, and why; 2 it could not run.",
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, words in {
        "status": "every epoch; exit code 1 if one is stuck",
        "seal": "take all epochs as far as they go, now",
        "revoke": "let an epoch count no more, here at once and on the chain",
        "new-key": "draw a key that signs headers, and print its address",
        "erase": "destroy what a member's witnesses are made from",
    }.items():
        command = commands.add_parser(name, help=words, description=words)
        if name == "revoke":
            command.add_argument("epoch", type=int)
        if name == "erase":
            command.add_argument("member")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`python -m settlement.tiers`: how the epochs of members' tiers fare, and what an operator does about them.

    status              every epoch: its state, members, root, when it counts; exit code 1 if one is stuck
    seal                take all epochs as far as they go, now, as the periodic task does
    revoke EPOCH        let an epoch count no more, here at once and on the chain; after a hand-over the chain takes it
                        from a guardian alone: --guardian KEYSTORE --password-file FILE, or it says who has to call what
    new-key             draw a key that signs headers into the vault, and print its address for governance
    withdraw MEMBER     let the member be in no later epoch, until a new commitment is registered
    erase MEMBER        the same, and destroy what the member's witnesses are made from, in every epoch

Exit codes: 0 done, or well; 1 refused or stuck, and why; 2 it could not run. Takes the settings of `settlement.tasks`
from the environment. Never shows a secret, a salt or a path.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from pydantic import ValidationError

from ledger.postgres.embedded import EmbeddedPostgresError
from ledger.postgres.migrated import Behind
from proofs.json_form import hex_text
from settlement.alliance import AllianceError
from settlement.chain.client import ChainError
from settlement.chain.contracts import Refused
from settlement.chain.outbox import Outbox
from settlement.chain.senders import KeyRefused, open_keystore, refuse_test_keys
from settlement.commands import refuse, say, subcommands
from settlement.lease import LeaseHeld
from settlement.settings import SettlementSettings
from settlement.tables import Conn, StateMoved
from settlement.tasks import by_hand
from settlement.tasks.__main__ import opened
from settlement.tasks.works import Works
from settlement.tiers import epochs, forgetting, registry, rows, signing_keys
from settlement.tiers.commitments import CommitmentRefused
from settlement.tiers.epochs import Standing
from settlement.tiers.registry import GuardianNeeded
from settlement.tiers.rows import Epoch
from settlement.vault import VaultError
from settlement.watch.alerts import alerts

PROGRAM = "settlement.tiers"
DONE, NOT_DONE, CANNOT_RUN = 0, 1, 2
EPOCHS_SHOWN_MAX = 50


class NoSuchEpoch(LookupError):
    """No epoch of this number was drawn."""


_NOT_DONE = (
    *(NoSuchEpoch, CommitmentRefused, KeyRefused, VaultError, Refused, GuardianNeeded),
    *(LeaseHeld, StateMoved),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = SettlementSettings()
        with opened(settings) as works, works.connection() as conn:
            return _do(works, conn, options)
    except _NOT_DONE as error:
        return refuse(PROGRAM, NOT_DONE, str(error))
    except (Behind, EmbeddedPostgresError, ValidationError, psycopg.Error, AllianceError, ChainError, OSError) as error:
        return refuse(PROGRAM, CANNOT_RUN, str(error))


def _do(works: Works, conn: Conn, options: argparse.Namespace) -> int:
    match options.command:
        case "status":
            return _status(conn)
        case "seal":
            return _told(by_hand.seal_epochs(works, conn))
        case "revoke":
            return _revoke(works, conn, options)
        case "withdraw":
            ended = forgetting.withdraw(conn, options.member, now=works.now_s())
            say(f"{options.member}: withdrawn; {ended} keys have ended")
        case "erase":
            left = forgetting.erase(conn, works.vault(), options.member, now=works.now_s())
            say(f"{options.member}: erased; {left} leaves are left as hashes")
        case _:
            address = signing_keys.make(conn, works.vault(), now=works.now_s())
            say(f"{hex_text(address)}: let governance name it in the contract (setEpochKey)")
    return DONE


def _status(conn: Conn) -> int:
    for epoch in rows.epochs(conn, newest=EPOCHS_SHOWN_MAX):
        say(_line(epoch))
    stuck = [alert for alert in alerts(conn) if alert.source == epochs.SOURCE]
    for alert in stuck:
        say(f"{alert.place}: {alert.code}: {alert.actual}")
    return NOT_DONE if stuck else DONE


def _told(standings: Sequence[Standing]) -> int:
    for each in standings:
        say(f"epoch {each.epoch}: {each.state.name}: {each.reason}")
    return NOT_DONE if any(each.alarm for each in standings) else DONE


def _revoke(works: Works, conn: Conn, options: argparse.Namespace) -> int:
    """Here at once; on the chain by our own account while it may, by a guardian's after a hand-over."""
    number = options.epoch
    if rows.epoch(conn, number) is None:
        raise NoSuchEpoch(f"epoch {number} was never drawn")
    if (options.guardian is None) != (options.password_file is None):
        raise KeyRefused("--guardian and --password-file: neither without the other")
    new = rows.revoke(conn, number, now=works.now_s())
    say(f"epoch {number}: {'revoked here' if new else 'was revoked here before'}; nobody gets its witnesses any more")
    if options.guardian is not None:
        _as_guardian(works, conn, options)
    standings = by_hand.seal_epochs(works, conn)
    if any(each.alarm == epochs.UNREVOKED for each in standings):
        _say_who(works, conn, number)
    return _told(standings)


def _as_guardian(works: Works, conn: Conn, options: argparse.Namespace) -> None:
    signer = open_keystore(options.guardian, options.password_file)
    if works.settings.environment == "production":
        refuse_test_keys(signer)
    chain = works.chain()
    registry.attach(conn, chain, Outbox(conn, chain, signer)).revoke(options.epoch)
    say(f"epoch {options.epoch}: the chain is told by the guardian {hex_text(signer.address)}")


def _say_who(works: Works, conn: Conn, number: int) -> None:
    with works.tiers(conn) as desk:
        port = desk.registry
    assert isinstance(port, registry.OnChain), "works attach to the chain"
    say(f"on the chain only a guardian may revoke it: {', '.join(map(hex_text, port.guardians())) or 'there is none'}")
    say(f"  to    {hex_text(port.address)} on chain {port.chain_id}")
    say(f"  data  {hex_text(port.revocation(number))}")
    say(f"or with its keystore: {PROGRAM} revoke {number} --guardian FILE --password-file FILE")


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


def _parser() -> argparse.ArgumentParser:
    parser, commands = subcommands(
        PROGRAM,
        "Epochs of members' tiers.",
        "0 done, or well; 1 refused or stuck, and why; 2 it could not run.",
        {
            "status": "every epoch; exit code 1 if one is stuck",
            "seal": "take all epochs as far as they go, now",
            "revoke": "let an epoch count no more, here at once and on the chain",
            "new-key": "draw a key that signs headers, and print its address",
            "withdraw": "let a member be in no later epoch, until it registers a new commitment",
            "erase": "the same, and destroy what the member's witnesses are made from",
        },
    )
    commands["revoke"].add_argument("epoch", type=int)
    commands["revoke"].add_argument("--guardian", type=Path, metavar="FILE", help="a guardian's V3 keystore")
    commands["revoke"].add_argument("--password-file", type=Path, metavar="FILE", help="what opens it")
    for name in ("withdraw", "erase"):
        commands[name].add_argument("member")
    return parser


if __name__ == "__main__":
    sys.exit(main())

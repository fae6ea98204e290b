"""`python -m settlement register`: what the ledger has and the registry does not yet, of merchants that joined later.

    python -m settlement register --rpc URL --keystore merchants-admin.json
    python -m settlement register … --yes

Merchants come in by the registrar, which after a hand-over is the council: for those that are missing the call to draw
up is told, and nothing is sent. Lanes and terms of merchants that are there are their administrator's to add, whose
keystore this takes. What is registered counts from the next batch. Exit codes: 0 nothing is missing, or it was done;
1 refused, or it is somebody else's to do; 2 wrong use; 3 node or database away: run it again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Final

import psycopg

from ledger import queries
from ledger.postgres.asked import add_dsn, asked_dsn
from settlement.alliance import Alliance, attach
from settlement.chain.outbox import Outbox
from settlement.chain.passwords import add_signer, asked_signer
from settlement.chain.senders import refuse_test_keys
from settlement.commands import AWAY, DONE, REFUSED, add_node, asked_chain, refuse, say
from settlement.deploy import Registration, extend, missing
from settlement.deployment.endings import AWAY_BY, REFUSED_BY
from settlement.founding import Founding
from settlement.settings import SettlementSettings
from settlement.tables import Conn
from settlement.tasks.works import Works

PROGRAM: Final = "settlement register"
SHOWN_MAX: Final = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell what is missing, or register it; answers the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return _registered(asked)
    except AWAY_BY as error:
        return refuse(PROGRAM, AWAY, str(error))
    except REFUSED_BY as error:
        return refuse(PROGRAM, REFUSED, str(error))


def _registered(asked: argparse.Namespace) -> int:
    settings = SettlementSettings()
    signer = asked_signer(asked)
    if settings.environment == "production":
        refuse_test_keys(signer)
    dsn = asked_dsn(asked.dsn or settings.database_url)
    with psycopg.connect(dsn, autocommit=True) as conn:
        alliance = attach(conn, asked_chain(asked))
        founding = _founding(conn, Works(settings=settings, dsn=dsn, now_ms=lambda: 0))
        if laneless := [merchant for merchant in founding.merchants if not _hosted(founding, merchant)]:
            say(f"without hosted lanes in {settings.keys_folder / 'lanes.json'}: {_listed(laneless)}")
        first = alliance.anchor.deploy_block
        wanted = missing(alliance.registry, founding, signer.address, first_block=first)
        for each in wanted:
            say(f"{each.function}: {len(each.part)}")
        if not wanted:
            say("nothing is missing")
        elif not _may(alliance, signer.address, wanted):
            return refuse(PROGRAM, REFUSED, _registrars_call(wanted))
        elif asked.yes:
            extend(alliance, Outbox(conn, alliance.chain, signer), founding)
            say("registered, valid from the next batch")
        else:
            say("nothing was sent; the same command with --yes registers it")
    return DONE


def _founding(conn: Conn, works: Works) -> Founding:
    """What the ledger and the lanes say; nothing else of a founding is looked at."""
    return Founding(
        merchants=[merchant.merchant_id for merchant in queries.merchants(conn)],
        roster=works.roster(),
        terms=queries.terms(conn),
        attesters=(),
        collateral={},
    )


def _hosted(founding: Founding, merchant: int) -> bool:
    return any(lane.merchant_id == merchant for lane in founding.roster)


def _listed(merchants: Sequence[int]) -> str:
    shown = ", ".join(map(str, merchants[:SHOWN_MAX]))
    return shown + (f" and {len(merchants) - SHOWN_MAX} more" if len(merchants) > SHOWN_MAX else "")


def _may(alliance: Alliance, sender: bytes, wanted: Sequence[Registration]) -> bool:
    """Whether merchants are missing that this account must not add."""
    registry = alliance.registry
    return all(each.function != "addMerchants" for each in wanted) or bool(
        registry.read("hasRole", registry.read("REGISTRAR_ROLE"), sender)
    )


def _registrars_call(wanted: Sequence[Registration]) -> str:
    """The call that lets the missing merchants in, as the council's command takes it."""
    rows = [[each[0], *(f"0x{account.hex()}" for account in each[1:])] for each in _merchants(wanted)]
    return f"the registrar lets merchants in; draw up: council propose registry.addMerchants '{json.dumps([rows])}'"


def _merchants(wanted: Sequence[Registration]) -> list[tuple[int, bytes, bytes]]:
    return [
        (int(merchant), bytes(admin), bytes(payout))
        for each in wanted
        if each.function == "addMerchants"
        for merchant, admin, payout in each.part
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {PROGRAM}",
        description="Lanes and terms of merchants that joined after the founding; without --yes they are only told.",
        epilog="Exit codes: 0 nothing is missing, or done; 1 refused, or somebody else's to do; 2 wrong use; 3 node or "
        "database away.",
    )
    add_node(parser)
    parser.add_argument("--yes", action="store_true", help="send the transactions")
    add_signer(parser)
    add_dsn(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())

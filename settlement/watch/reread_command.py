"""`python -m settlement reread`: read the contracts' events again, by a node that is believed, and put right what an
earlier reading left out or made up.

    python -m settlement reread --rpc URL [--check-rpc URL] [--from-block N] [--reorganised] [--yes]

Without --yes nothing is changed. With it the rows are put right and the ledger is told what it was told too little,
while no task of settlement runs. --reorganised where blocks that were read as final have given way to others: then the
watcher goes on from the block that stands there now. To take out rows of events that never were takes a login that may
delete them: the owner's. Exit codes: 0 nothing differs, or all is right now; 1 something differs, and --yes was not
said; 2 it could not be put right; 3 the chain or the database cannot be asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import psycopg

from ledger.postgres.asked import NoDatabase, add_dsn, asked_dsn
from ledger.store import open_store
from settlement.alliance import Alliance, AllianceError, attach
from settlement.chain.client import Chain, ChainError
from settlement.chain.points import Checkpoint, unwatched
from settlement.commands import add_node, asked_chain, refuse, say
from settlement.lease import LEASE_S, LeaseHeld
from settlement.posting import leads_elsewhere
from settlement.tables import Conn
from settlement.tasks.leading import leading
from settlement.tasks.ticks import SETTLEMENT
from settlement.watch import rereading
from settlement.watch.moved import Unbalanced
from settlement.watch.recoveries import LedgerRefused
from settlement.watch.rereading import NothingRead, Reread, Row
from settlement.watch.watcher import FinalityBroken

WELL, DIFFERENT, NOT_RIGHT, CANNOT_ASK = 0, 1, 2, 3
PROGRAM: Final = "settlement reread"


def main(arguments: Sequence[str] | None = None, *, checkpoint: Checkpoint = unwatched) -> int:
    """Read, tell, and with --yes put right; answers the exit code. `checkpoint` is told how far that came."""
    asked = _parser().parse_args(arguments)
    if asked.check_rpc is not None and not leads_elsewhere(asked.check_rpc, asked.rpc):
        return refuse(PROGRAM, NOT_RIGHT, "--check-rpc: has to be another node than the first")
    second = None if asked.check_rpc is None else Chain(asked.check_rpc, confirmations=asked.confirmations)
    try:
        dsn = asked_dsn(asked.dsn)
        with psycopg.connect(dsn, autocommit=True) as conn:
            alliance = attach(conn, asked_chain(asked), second=second)
            if not asked.yes:
                return _looked(conn, _reread(conn, alliance, asked))
            with leading(conn, dsn, SETTLEMENT, wait_s_max=2 * LEASE_S):
                return _put_right(conn, dsn, alliance, asked, checkpoint)
    except (NothingRead, LedgerRefused, Unbalanced, LeaseHeld, psycopg.errors.InsufficientPrivilege) as error:
        return refuse(PROGRAM, NOT_RIGHT, str(error))
    except (ChainError, AllianceError, FinalityBroken, psycopg.OperationalError, NoDatabase) as error:
        return refuse(PROGRAM, CANNOT_ASK, str(error))


def _reread(conn: Conn, alliance: Alliance, asked: argparse.Namespace) -> Reread:
    return rereading.reread(conn, alliance, first=asked.from_block, reorganised=asked.reorganised)


def _looked(conn: Conn, found: Reread) -> int:
    for line in _lines(found):
        say(line)
    rest = {} if found.differs else rereading.untold(conn)
    for party, au in rest.items():
        say(f"untold\tparty {party}\t{au} AU")
    if not found.differs and not rest:
        say(f"blocks {found.first} to {found.last}: every event was read, and the ledger was told")
        return WELL
    say("nothing was changed; --yes puts it right")
    return DIFFERENT


def _put_right(conn: Conn, dsn: str, alliance: Alliance, asked: argparse.Namespace, checkpoint: Checkpoint) -> int:
    found = _reread(conn, alliance, asked)
    for line in _lines(found):
        say(line)
    checkpoint("reread")
    rereading.put_right(conn, found)
    checkpoint("righted")
    for party, au in rereading.untold(conn).items():
        say(f"told\tparty {party}\t{au} AU")
    with open_store(dsn) as store:
        rereading.tell_rest(conn, alliance, store.post)
    checkpoint("told")
    say(f"blocks {found.first} to {found.last}: the rows are what the chain says")
    return WELL


def _lines(found: Reread) -> Iterator[str]:
    if found.gone:
        yield f"gone\tblock {found.last}\tread as 0x{found.gone.hex()}, now 0x{found.true.hex()}"
    yield from (_line("missing", row) for row in found.missing)
    yield from (_line("untrue", row) for row in found.untrue)


def _line(what: str, row: Row) -> str:
    fields = ", ".join(f"{name} {value}" for name, value in row["fields"].items())
    return f"{what}\tblock {row['block_number']} log {row['log_index']}\t{row['contract']}.{row['name']}\t{fields}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {PROGRAM}",
        description="Read the contracts' events again, and put right what an earlier reading left out or made up.",
        epilog="Exit codes: 0 nothing differs, or all is right now; 1 something differs; 2 it could not be put right; "
        "3 chain or database cannot be asked.",
    )
    add_dsn(parser)
    add_node(parser, "the node that is believed")
    parser.add_argument("--check-rpc", metavar="URL", help="a second one, which has to say the same")
    parser.add_argument("--from-block", type=int, metavar="N", help="the contracts' first block when left out")
    parser.add_argument("--reorganised", action="store_true", help="blocks that were read are gone for good")
    parser.add_argument("--yes", action="store_true", help="put it right")
    return parser


if __name__ == "__main__":
    sys.exit(main())

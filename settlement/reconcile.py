"""Compares the ledger, this database's batches and the chain, and says what does not agree: rows, log lines, an exit
code.

    python -m settlement.reconcile [--dsn postgresql://...] [--rpc http://...] [--check-rpc http://...] [--sender 0x..]
        [--mirror DIR]...

What is not said is as the workers have it: TONGDUI_RPC_URL, TONGDUI_CONFIRMATIONS, the submitter's account and mirrors.

Invariants: what is compared is gathered first (`gather`), and judged by one pure function (`differences`); money is
compared exactly; nothing is corrected here. A difference is an alert until a later run does not find it. May be run
twice, late, or by two workers. Exit: 0 nothing found, 1 something urgent, 2 warnings only, 3 the chain or the
database cannot be asked, or the command was not understood.
Called by periodic tasks, and by operators as a command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg

from ledger import queries
from ledger.postgres.asked import NoDatabase, add_dsn, asked_dsn
from ledger.reports import positions as recorded
from proofs.json_form import hex_bytes
from proofs.kinds import BASE_UNITS_PER_AU
from settlement import second_node, tables
from settlement.alliance import Alliance, AllianceError, attach
from settlement.chain.client import Chain, ChainError
from settlement.commands import add_check, second_url
from settlement.mirrors import Mirror
from settlement.mirrors.folder import FolderMirror
from settlement.sealing import desk, openings
from settlement.sealing.seal import cash_balances
from settlement.settings import SettlementSettings
from settlement.steps import State
from settlement.tables import Conn
from settlement.watch import alerts, claims, look, moved, recoveries, watcher
from settlement.watch.alerts import URGENT, Alert
from settlement.watch.demands import open_demands
from settlement.watch.look import Collateral, Look

CANNOT_ASK = 3
WATCH_LAG_S_MAX = 1_800
SLOW_S_MAX = 3_600
"""A batch that is sealed should be on the chain within the hour; after that somebody looks."""
TRANSACTIONS_PAID_MIN = 100
TRANSACTION_GAS_USUAL = 500_000
FAILED = frozenset({State.FAILED_FRAUD, State.FAILED_CASCADE, State.FAILED_CONFLICT})
ON_CHAIN = frozenset({State.CONFIRMED, State.CHALLENGED, State.FINALISING})


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBatch:
    """A live batch of this database, as far as it is compared."""

    batch_no: int
    state: State
    header_hash: bytes
    sealed_at: int
    nets: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Due:
    """A batch of which data is demanded: how many demands are open, when the oldest has to be answered and when half
    of the time for it is over, in Unix seconds.
    """

    batch_no: int
    open: int
    half_at: int
    answer_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is compared. `settled_au` is the ledger's word for what the chain moved, `moved` the chain's own, in base
    units over all batches that ended here and all recoveries that the ledger was told; `untold` recoveries it was not;
    `ledger_cash` and `sealed_cash` are the cash of all parties at the end of
    the newest sealed batch, from the books and as it was sealed, `parked_cash` what of the books' is on legs that wait
    for a merchant's signature; `committed` are the headers of the chain's events.
    """

    look: Look
    batches: Sequence[LocalBatch]
    known: Mapping[int, bytes]
    committed: Mapping[int, bytes]
    settled_au: Mapping[int, int]
    moved: Mapping[int, int]
    untold: int
    ledger_cash: Mapping[int, int]
    sealed_cash: Mapping[int, int]
    parked_cash: Mapping[int, int]
    demands: Sequence[Due] = ()
    owed: Mapping[int, int] | None = None
    """What each defaulter owes by the events that were read; None while they are not read as far as was looked."""


def reconcile(conn: Conn, alliance: Alliance, *, sender: bytes, mirrors: Sequence[Mirror] = ()) -> list[Alert]:
    """Read on, look, compare, and keep what was found. Raises `ChainUnclear`, `AllianceError`, `FinalityBroken`."""
    watcher.watch(conn, alliance)
    try:
        facts = gather(conn, alliance, sender=sender, mirrors=mirrors)
    except ChainError as error:
        alerts.report(conn, "reconcile", second_node.alert(alliance, error))
        raise
    found = differences(facts)
    look.keep(conn, facts.look)
    alerts.keep(conn, "reconcile", found)
    return found


def gather(conn: Conn, alliance: Alliance, *, sender: bytes, mirrors: Sequence[Mirror] = ()) -> Facts:
    """All that is compared, read now."""
    parties = openings.parties(conn)
    seen = look.look(conn, alliance, sender=sender, parties=parties, mirrors=mirrors)
    last = tables.last_sealed(conn)
    steps, told = moved.steps(conn), recoveries.told(conn)
    cash = recorded.at(conn, last.done.last_seq) if last and last.done.last_seq else {}
    parked = desk.parked_cash(conn, batch_no=last.batch_no) if last else {}
    return Facts(
        look=seen,
        batches=[_local(batch) for batch in tables.unfinished(conn) if batch.sealed],
        known=tables.live_hashes(conn),
        committed=_committed(conn),
        settled_au={party: position.settled for party, position in queries.positions(conn).items()},
        moved=moved.summed(step.moved for step in told),
        untold=sum(step.recovered for step in steps) - sum(step.recovered for step in told),
        ledger_cash={party: position.cash * BASE_UNITS_PER_AU for party, position in cash.items()},
        sealed_cash=cash_balances(last.done.rows) if last and cash else {},
        parked_cash={party: au * BASE_UNITS_PER_AU for party, au in parked.items()},
        demands=_demands(conn, alliance),
        owed=claims.owed(conn) if seen.watched == seen.final.number else None,
    )


def _demands(conn: Conn, alliance: Alliance) -> list[Due]:
    found = open_demands(conn)
    window_s = alliance.policy.read("disputeParams")[0] if found else 0
    since = [alliance.chain.head(each.since_block).timestamp for each in found]
    return [
        Due(each.batch_no, each.open, at + window_s // 2, at + window_s) for each, at in zip(found, since, strict=True)
    ]


def _local(batch: tables.Batch) -> LocalBatch:
    done = batch.done
    return LocalBatch(
        batch_no=batch.batch_no,
        state=batch.state,
        header_hash=batch.header_hash,
        sealed_at=done.sealed_at,
        nets=done.nets,
    )


_COMMITTED = """
SELECT DISTINCT ON (batch_no) batch_no, fields->>'headerHash' FROM settlement.chain_event AS one
WHERE name = 'BatchCommitted' AND contract = 'SettlementHub' AND NOT EXISTS (
    SELECT 1 FROM settlement.chain_event AS gone
    WHERE gone.name = 'BatchReverted' AND gone.batch_no <= one.batch_no
        AND (gone.block_number, gone.log_index) > (one.block_number, one.log_index))
ORDER BY batch_no, block_number DESC, log_index DESC
"""


def _committed(conn: Conn) -> dict[int, bytes]:
    rows = conn.execute(_COMMITTED).fetchall()
    return {number: hex_bytes(header_hash) for number, header_hash in rows}


def differences(facts: Facts) -> list[Alert]:
    """What does not agree, or is about to go wrong. Pure."""
    return [
        *_money(facts),
        *_headers(facts),
        *_ways(facts),
        *(_demand(due, facts.look.head.timestamp) for due in facts.demands),
        *(alert for each in facts.look.collateral for alert in _standing(each)),
        *_debts(facts),
        *_shortages(facts),
        *_surroundings(facts.look),
    ]


def _money(facts: Facts) -> list[Alert]:
    found = []
    try:
        whole = moved.in_whole_au(facts.moved)
    except moved.Unbalanced as error:
        return [_alert("events-missing", "what moved", "events that sum to zero", str(error))]
    for party in sorted({*facts.settled_au, *whole}):
        told, real = facts.settled_au.get(party, 0), whole.get(party, 0)
        if told != real:
            found.append(_alert("ledger-unlike-chain", f"party {party}", f"{real} AU moved by the chain", f"{told} AU"))
    for party in sorted({*facts.sealed_cash, *facts.ledger_cash, *facts.parked_cash}):
        books = facts.ledger_cash.get(party, 0) - facts.parked_cash.get(party, 0)
        sealed = facts.sealed_cash.get(party, 0)
        if books != sealed:
            found.append(
                _alert("nets-unlike-ledger", f"party {party}", f"{books} base units in the books", f"{sealed} sealed")
            )
    if facts.untold:
        found.append(_alert("recoveries-untold", "ledger", "every recovery is posted", f"{facts.untold} are not"))
    if facts.look.held < facts.look.owed:
        found.append(_alert("hub-insolvent", "hub", f"at least {facts.look.owed} held", f"{facts.look.held}"))
    return found


def _headers(facts: Facts) -> list[Alert]:
    found = []
    for number, header_hash in sorted(facts.committed.items()):
        ours = facts.known.get(number)
        if ours is None:
            found.append(_alert("batch-unknown", f"batch {number}", "a row of ours", f"header {header_hash.hex()}"))
        elif ours != header_hash:
            found.append(_alert("batch-conflict", f"batch {number}", f"header {ours.hex()}", header_hash.hex()))
    return found


def _ways(facts: Facts) -> list[Alert]:
    """Batches that stand still, failed, or are not where their state says."""
    found = []
    for batch in facts.batches:
        place, there = f"batch {batch.batch_no}", facts.look.batches.get(batch.batch_no)
        if batch.state in FAILED:
            found.append(_alert("batch-failed", place, "FINALISED in the end", f"{batch.state.name}"))
        elif batch.state in ON_CHAIN:
            if there is not None and there.reverted:
                found.append(_alert("batch-reverted", place, "in the chain", "thrown out"))
        elif facts.look.head.timestamp > batch.sealed_at + SLOW_S_MAX:
            age = facts.look.head.timestamp - batch.sealed_at
            found.append(_alert("batch-slow", place, f"on the chain {SLOW_S_MAX} s after sealing", f"{age} s"))
        if batch.state is State.CHALLENGED and batch.batch_no not in {due.batch_no for due in facts.demands}:
            found.append(_alert("batch-demanded", place, "no open demand", "answers are due"))
    return found


def _demand(due: Due, now: int) -> Alert:
    """Half of the time is for whoever is on call; in the other half it is urgent."""
    code = "demand-due" if now >= due.half_at else "batch-demanded"
    where = f"python -m settlement.answers --batch {due.batch_no} --leaf N or --row ACCOUNT has the data"
    return _alert(
        code,
        f"batch {due.batch_no}",
        f"answered by {due.answer_by} (Unix seconds, by the chain's clock)",
        f"{due.open} open; {where}",
    )


def _standing(money: Collateral) -> list[Alert]:
    found, place = [], f"merchant {money.merchant_id}"
    if money.owed:
        found.append(_alert("claims-open", place, "nothing owed to creditors", f"{money.owed} base units"))
    if money.leaving:
        taken = f"{money.leaving} base units can be taken out from {money.leaving_at} (Unix seconds) on"
        found.append(_alert("collateral-leaving", place, "no withdrawal is announced", taken))
    if money.free < money.floor:
        found.append(_alert("collateral-low", place, f"at least {money.floor} free", f"{money.free}"))
    return found


def _debts(facts: Facts) -> list[Alert]:
    """A node that leaves out events is found by what the contract itself says."""
    if facts.owed is None:
        return []
    return [
        _alert(
            "events-missing", f"merchant {each.merchant_id}", f"{each.owed} owed by the contract", f"{told} by events"
        )
        for each in facts.look.collateral
        if (told := facts.owed.get(each.merchant_id, 0)) != each.owed
    ]


def _shortages(facts: Facts) -> list[Alert]:
    """Who could not pay what its pending nets ask, if they were due now."""
    due: dict[int, int] = {}
    for batch in facts.batches:
        if batch.state not in FAILED:
            for party, net in batch.nets:
                due[party] = due.get(party, 0) - min(net, 0)
    has = {money.merchant_id: money.free + money.locked for money in facts.look.collateral}
    return [
        _alert("shortage", f"merchant {party}", f"{owes} base units in the hub", f"{has.get(party, 0)}")
        for party, owes in sorted(due.items())
        if owes > has.get(party, 0)
    ]


def _surroundings(seen: Look) -> list[Alert]:
    found = []
    lag = seen.final.timestamp - seen.watched_at
    if lag > WATCH_LAG_S_MAX:
        found.append(_alert("watch-behind", "watcher", f"at most {WATCH_LAG_S_MAX} s behind", f"{lag} s"))
    needed = TRANSACTIONS_PAID_MIN * TRANSACTION_GAS_USUAL * seen.fee_wei
    if seen.gas_money_wei < needed:
        found.append(_alert("gas-money-low", f"0x{seen.sender.hex()}", f"{needed} wei", f"{seen.gas_money_wei} wei"))
    for mirror in seen.mirrors:
        if mirror.behind or mirror.down:
            lacks = mirror.down or "lacks " + ", ".join(map(str, mirror.behind))
            found.append(_alert("mirror-behind", mirror.place, "every published batch", lacks))
    return found


def _alert(code: str, place: str, expected: str, actual: str) -> Alert:
    return Alert(code=code, place=place, expected=expected, actual=actual)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; the exit code says what was found."""
    asked = _parser().parse_args(arguments)
    try:
        settings = SettlementSettings()
        with psycopg.connect(asked_dsn(asked.dsn), autocommit=True) as conn:
            chain, second = _chains(asked, settings)
            alliance = attach(conn, chain, second=second)
            sender = asked.sender or settings.submitter or alliance.anchor.deployer
            mirrors = [FolderMirror(each) for each in asked.mirror] or (settings.open() if settings.mirrors else [])
            found = reconcile(conn, alliance, sender=sender, mirrors=mirrors)
    except (
        ChainError,
        AllianceError,
        watcher.FinalityBroken,
        psycopg.OperationalError,
        NoDatabase,
        OSError,
        ValueError,
    ) as error:
        sys.stderr.write(f"settlement.reconcile: {error}\n")
        return CANNOT_ASK
    for alert in found:
        sys.stdout.write(
            f"{alert.severity}\t{alert.code}\t{alert.place}\texpected {alert.expected}\tfound {alert.actual}\n"
        )
    if not found:
        sys.stdout.write("ledger, batches and chain agree\n")
    return 0 if not found else 1 if any(alert.severity == URGENT for alert in found) else 2


def _chains(asked: argparse.Namespace, settings: SettlementSettings) -> tuple[Chain, Chain | None]:
    """The node that is named here, else the workers'; and one that has to say the same: what is named, else that of the
    workers' two which the first one is not. Raises ValueError.
    """
    url = asked.rpc or settings.rpc_url
    if url is None:
        raise ValueError("no node: say --rpc, or set TONGDUI_RPC_URL as the workers have it")
    check = second_url(url, asked.check_rpc, settings)
    confirmations = settings.confirmations if asked.confirmations is None else asked.confirmations
    return Chain(url, confirmations=confirmations), None if check is None else Chain(check, confirmations=confirmations)


class _Parser(argparse.ArgumentParser):
    """Wrong use is no warning: argparse's 2 means that here."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(CANNOT_ASK, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m settlement.reconcile",
        description="Compare ledger and chain. What is not said is as the workers have it (TONGDUI_RPC_URL, …).",
        epilog="Exit codes: 0 nothing found; 1 something urgent; 2 warnings only; 3 chain or database cannot be asked.",
    )
    add_dsn(parser)
    parser.add_argument("--rpc", help="the node; default: TONGDUI_RPC_URL")
    add_check(parser)
    parser.add_argument("--confirmations", type=int, help="blocks that make one final, where the node has no such tag")
    parser.add_argument(
        "--sender", type=hex_bytes, help="the sending account; default: the workers', else the founding one"
    )
    parser.add_argument(
        "--mirror",
        type=Path,
        action="append",
        default=[],
        help="a folder of published batches; default: TONGDUI_MIRRORS",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

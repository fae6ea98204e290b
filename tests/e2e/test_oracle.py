"""Real purchases through the ledger, against the oracle: every balance, debt, fee, position and net, to the unit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from api.demo import figures
from api.demo.founding import found
from api.demo.purchases import Rejects, read_links, read_purchases, survey
from api.demo.replay import Tally, replay
from ledger import queries, verify
from ledger.accounts import Family
from ledger.commands import ChargeFees
from ledger.store import Store, open_store
from proofs.accounts import OPERATOR_ID
from tests.e2e.sources import SAMPLE_NAME, Source, generated, sample_or_generated
from tests.oracle.alliance import OPERATOR, Alliance

LATEST = datetime(2026, 6, 1, tzinfo=UTC)
CYCLE_MS = 1_780_000_000_000

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = open_store(database)
    yield opened
    opened.close()


def play(store: Store, source: Source, folder: Path) -> tuple[Tally, dict[str, int]]:
    """Founds and replays as the demo does; the tally and the merchants' numbers."""
    found_ = survey(source.events, LATEST)
    numbers = found(store.post, known={}, plans=source.plans, members=found_.members, progress=lambda _: None)
    with Rejects(folder / "rejects.jsonl") as rejects:
        tally = replay(
            read_purchases(source.events, rejects, currency=found_.currency, latest=LATEST),
            post=store.post,
            merchant_ids=numbers,
            origins=read_links(source.links, rejects),
            rejects=rejects,
            source=source.events.name,
            progress=lambda _: None,
        )
    assert rejects.total == 0
    return tally, numbers


def compare(conn: psycopg.Connection[tuple[object, ...]], oracle: Alliance, numbers: dict[str, int]) -> None:
    """Everything the oracle knows and the ledger says."""
    codes = {number: code for code, number in numbers.items()} | {OPERATOR_ID: OPERATOR}
    assert member_balances(conn, codes) == oracle.balances()
    points = figures.gather(conn).points
    for code, number in numbers.items():
        assert points[number].issued == oracle.issued()[code]
        assert points[number].used == oracle.used()[code]
        assert points[number].taken_back == oracle.taken_back()[code]
        assert points[number].outstanding == oracle.outstanding()[code]
    positions = {codes[party]: position for party, position in queries.positions(conn).items()}
    assert {code: p.cash for code, p in positions.items() if p.cash} == oracle.cash()
    assert {code: p.fees for code, p in positions.items() if p.fees} == oracle.fees()
    assert {code: p.total for code, p in positions.items() if p.total} == {
        c: au for c, au in oracle.positions().items() if au
    }


def member_balances(conn: psycopg.Connection[tuple[object, ...]], codes: dict[int, str]) -> dict[tuple[str, str], int]:
    """(member, issuer) -> the last posting's running balance, straight from the journal; zeros left out."""
    last: dict[tuple[str, str], int] = {}
    for entry in figures.entries(conn):
        members = {leg.no: leg.member for leg in entry.legs}
        for posting in entry.postings:
            if posting.account.family == Family.MEMBER:
                last[str(members[posting.leg]), codes[posting.account.unit]] = posting.balance
    return {pair: balance for pair, balance in last.items() if balance}


def stated_debts(
    conn: psycopg.Connection[tuple[object, ...]], oracle: Alliance, numbers: dict[str, int]
) -> dict[tuple[str, str], int]:
    """What the balance query answers as debt, for every member the oracle knows."""
    codes = {number: code for code, number in numbers.items()}
    members = oracle.buyers()
    return {
        (member, codes[row.issuer]): row.debt
        for member in members
        for row in queries.member_balances(conn, member, CYCLE_MS)
        if row.debt
    }


def check(store: Store, source: Source, database: str, folder: Path) -> Tally:
    """Replay, compare, charge the fees, compare again, and ask the ledger whether its own invariants hold."""
    tally, numbers = play(store, source, folder)
    oracle = source.oracle()
    assert tally.nothing_to_redeem == len([reason for _, reason in oracle.refused if reason == "nothing-to-redeem"])
    assert tally.refused.total() == len(oracle.refused) - tally.nothing_to_redeem
    with psycopg.connect(database, autocommit=True) as conn:
        compare(conn, oracle, numbers)
        [charged] = store.post([ChargeFees(key="cycle", at_ms=CYCLE_MS, cycle="year")])
        assert not charged.replayed
        oracle.charge_fees()
        compare(conn, oracle, numbers)
        assert stated_debts(conn, oracle, numbers) == oracle.open_debts()
        invariants = verify.check(conn)
    assert invariants
    assert [result for result in invariants if not result.held] == []
    assert sum(oracle.nets().values()) == 0
    return tally


@pytest.mark.parametrize("source_name", [SAMPLE_NAME])
def test_the_sample_comes_out_as_the_oracle_says(store: Store, database: str, tmp_path: Path, source_name: str) -> None:
    tally = check(store, sample_or_generated(tmp_path), database, tmp_path)
    if source_name == "birmingham-sample":
        assert (tally.taken, tally.refunds, tally.without_origin) == (27_064, 706, 26)
        assert not tally.refused


def test_awkward_rates_come_out_as_the_oracle_says(store: Store, database: str, tmp_path: Path) -> None:
    check(store, generated(tmp_path, events=3_000, members=60), database, tmp_path)


def test_playing_again_adds_nothing(store: Store, database: str, tmp_path: Path) -> None:
    source = generated(tmp_path, events=600, members=20)
    first, _ = play(store, source, tmp_path)
    with psycopg.connect(database, autocommit=True) as conn:
        before = [entry.canonical for entry in figures.entries(conn)]
        again, _ = play(store, source, tmp_path)
        assert [entry.canonical for entry in figures.entries(conn)] == before
    assert (first.replayed, again.replayed) == (0, first.taken)
    assert (again.taken, again.redemptions, again.nothing_to_redeem) == (
        first.taken,
        first.redemptions,
        first.nothing_to_redeem,
    )

"""Reading the chain back and comparing: every event once, every difference an alert, and gone when it is gone."""

from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any

import psycopg
import pytest

from ledger.commands import Net, SettleNets
from settlement import reconcile
from settlement.batches import Settlement, seal_next
from settlement.chain.client import Chain, Head
from settlement.reconcile import Due, Facts, differences, gather
from settlement.status import status
from settlement.steps import State
from settlement.submitter import drive
from settlement.watch import look, watcher
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import AT_MS, ATTESTERS, Field, attest, day
from tests.settlement.chain.tiny import ADDRESS

HOURS_6 = 6 * 3_600


def settled(s: Settlement, field: Field) -> None:
    seal_next(s, settling=True)
    attest(s, field.folder, [(1, status(s.conn)[1].header_hash)], list(ATTESTERS))
    drive(s)
    s.alliance.chain.advance_time(HOURS_6)
    drive(s)


def names(conn: psycopg.Connection[Any]) -> dict[str, int]:
    rows = conn.execute("SELECT name, count(*) FROM settlement.chain_event GROUP BY name").fetchall()
    return dict(rows)


def codes(conn: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    return [(row.code, row.place) for row in alerts(conn)]


def compared(s: Settlement) -> list[tuple[str, str]]:
    found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
    return [(alert.code, alert.place) for alert in found]


def test_every_event_becomes_a_row_once_and_nothing_differs(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        settled(s, field)
        first = watcher.watch(s.conn, s.alliance)
        assert (first.upto, first.stored) == (first.final, 0), "driving to the end has read it all"
        found = names(s.conn)
        assert (found["BatchCommitted"], found["BatchFinalised"], found["Deposited"]) == (2, 2, 3)
        assert found["AttesterSet"] == len(ATTESTERS)
        assert found["NetSettled"] == len(status(s.conn)[1].nets)
        moved = "SELECT merchant_id, amount FROM settlement.chain_event WHERE name = 'NetSettled' ORDER BY 1"
        assert [(party, int(net)) for party, net in s.conn.execute(moved)] == status(s.conn)[1].nets
        assert compared(s) == []
        assert codes(s.conn) == []
        assert compared(s) == []


def test_two_watchers_at_once_store_each_event_once(field: Field) -> None:
    with field.settlement() as s:
        alliance = s.alliance

    def read() -> None:
        with psycopg.connect(field.dsn, autocommit=True) as conn:
            watcher.watch(conn, replace(alliance, chain=Chain(field.url)))

    readers = [Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    with psycopg.connect(field.dsn, autocommit=True) as conn:
        assert names(conn)["Deposited"] == 3


def test_a_final_block_that_is_gone_ends_the_reading(field: Field) -> None:
    with field.settlement() as s:
        watcher.watch(s.conn, s.alliance)
        before = names(s.conn)
        back = "UPDATE settlement.chain_cursor SET block_number = block_number - 1, block_hash = %s"
        s.conn.execute(back, [b"x" * 32])
        with pytest.raises(watcher.FinalityBroken):
            watcher.watch(s.conn, s.alliance)
        assert codes(s.conn) == [("finality-broken", s.alliance.chain.place)]
        assert names(s.conn) == before


def test_what_the_ledger_was_told_beside_the_chain_is_found(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        settled(s, field)
    field.post([SettleNets(key="rogue", at_ms=AT_MS, batch_no=99, nets=(Net(1, -5), Net(2, 5)))])
    with field.settlement() as s:
        expected = [("ledger-unlike-chain", "party 1"), ("ledger-unlike-chain", "party 2")]
        assert compared(s) == expected
        assert sorted(codes(s.conn)) == expected
        assert reconcile.main(["--dsn", field.dsn, "--rpc", field.url]) == 1
    field.post([SettleNets(key="undone", at_ms=AT_MS, batch_no=98, nets=(Net(1, 5), Net(2, -5)))])
    with field.settlement() as s:
        assert compared(s) == []
        assert codes(s.conn) == []
        assert [row.resolved_at is not None for row in alerts(s.conn, resolved=True)] == [True, True]


def test_a_shortage_is_seen_before_the_money_is_due_and_a_default_after(unfounded: Field) -> None:
    poor = replace(unfounded, collateral=1 * 10_000)
    poor.post(day(1))
    with poor.settlement() as s:
        seal_next(s, settling=True)
        assert ("shortage", "merchant 1") in compared(s)
        attest(s, unfounded.folder, [(1, status(s.conn)[1].header_hash)], list(ATTESTERS))
        drive(s)
        s.alliance.chain.advance_time(HOURS_6)
        drive(s)
        assert ("claims-open", "merchant 1") in compared(s)
        assert names(s.conn)["Defaulted"] == 1


def test_the_command_says_what_it_cannot_ask(
    field: Field, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with field.settlement():
        pass
    assert reconcile.main(["--dsn", field.dsn, "--rpc", "http://127.0.0.1:9"]) == 3
    assert "settlement.reconcile: " in capsys.readouterr().err
    assert reconcile.main(["--dsn", field.dsn]) == 3
    assert "TONGDUI_RPC_URL" in capsys.readouterr().err
    monkeypatch.setenv("TONGDUI_RPC_URL", field.url)
    assert reconcile.main(["--dsn", field.dsn]) == 0, "as the workers have it"
    assert "agree" in capsys.readouterr().out
    monkeypatch.setenv("TONGDUI_RPC_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("TONGDUI_RPC_CHECK_URL", field.url)
    assert reconcile.main(["--dsn", field.dsn, "--rpc", field.url]) == 3, "the second node's word alone is not enough"


CHANGES: dict[str, tuple[Callable[[Facts], Facts], tuple[str, str]]] = {
    "insolvent": (lambda f: replace(f, look=replace(f.look, held=f.look.owed - 1)), ("hub-insolvent", "hub")),
    "poor": (lambda f: replace(f, look=replace(f.look, gas_money_wei=1)), ("gas-money-low", "0x" + ADDRESS.hex())),
    "late": (lambda f: replace(f, look=replace(f.look, watched_at=0)), ("watch-behind", "watcher")),
    "foreign": (lambda f: replace(f, committed={7: b"x" * 32}), ("batch-unknown", "batch 7")),
    "conflict": (lambda f: replace(f, committed={0: b"x" * 32}), ("batch-conflict", "batch 0")),
    "books": (lambda f: replace(f, sealed_cash={5: 1}), ("nets-unlike-ledger", "party 5")),
    "parked": (lambda f: replace(f, parked_cash={5: 1}), ("nets-unlike-ledger", "party 5")),
    "unread": (lambda f: replace(f, owed={1: 5}), ("events-missing", "merchant 1")),
    "untold": (lambda f: replace(f, untold=2), ("recoveries-untold", "ledger")),
    "failed": (lambda f: _with(f, state=State.FAILED_FRAUD), ("batch-failed", "batch 1")),
    "demanded": (lambda f: _with(f, state=State.CHALLENGED), ("batch-demanded", "batch 1")),
    "asked": (lambda f: replace(f, demands=[Due(1, 2, 10_001, 10_002)]), ("batch-demanded", "batch 1")),
    "asked long ago": (lambda f: replace(f, demands=[Due(1, 2, 10_000, 10_001)]), ("demand-due", "batch 1")),
    "slow": (lambda f: _with(f, state=State.PUBLISHED, sealed_at=0), ("batch-slow", "batch 1")),
    "mirror": (
        lambda f: replace(f, look=replace(f.look, mirrors=[look.MirrorLook(place="b", behind=[1])])),
        ("mirror-behind", "b"),
    ),
    "floor": (
        lambda f: replace(f, look=replace(f.look, collateral=[replace(f.look.collateral[0], floor=2**90)])),
        ("collateral-low", "merchant 1"),
    ),
}


def _with(facts: Facts, **changes: Any) -> Facts:
    (batch,) = facts.batches
    return replace(facts, batches=[replace(batch, **changes)])


@pytest.mark.parametrize("change", CHANGES)
def test_each_difference_has_its_alert(facts: Facts, change: str) -> None:
    assert differences(facts) == []
    make, expected = CHANGES[change]
    assert [(alert.code, alert.place) for alert in differences(make(facts))] == [expected]


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Those of an alliance with one sealed batch and no trouble, written down."""
    head = Head(9, b"h" * 32, 10_000, 7)
    seen = look.Look(
        head=head,
        final=head,
        watched=9,
        watched_at=10_000,
        next_batch_no=1,
        next_final_no=1,
        operator_bond=5,
        held=10,
        owed=10,
        sender=ADDRESS,
        gas_money_wei=10**20,
        fee_wei=1,
        nonce_latest=3,
        nonce_pending=3,
        collateral=[look.Collateral(merchant_id=1, free=5, locked=0, floor=1, owed=0)],
        batches={},
        mirrors=[],
    )
    sealed = reconcile.LocalBatch(
        batch_no=1, state=State.PUBLISHED, header_hash=b"1" * 32, sealed_at=9_000, nets=[(1, -5), (2, 5)]
    )
    return Facts(
        look=seen,
        batches=[sealed],
        known={0: b"0" * 32, 1: b"1" * 32},
        committed={0: b"0" * 32},
        settled_au={1: 0},
        moved={},
        untold=0,
        ledger_cash={},
        sealed_cash={},
        parked_cash={},
    )


def test_facts_are_gathered_from_the_real_parts(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s, settling=True)
        watcher.watch(s.conn, s.alliance)
        found = gather(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
        assert [batch.batch_no for batch in found.batches] == [1]
        sealed, books = (
            {party: cash for party, cash in each.items() if cash} for each in (found.sealed_cash, found.ledger_cash)
        )
        assert sealed == books
        assert any(found.sealed_cash.values())
        assert [mirror.behind for mirror in found.look.mirrors] == [[], []]
        assert found.look.held == found.look.owed > 0

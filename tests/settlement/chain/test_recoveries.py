"""After a default: what is repaid, collected and put back on the chain comes to the ledger, each once, to the unit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ledger import queries
from proofs.accounts import GUARANTEE_ID, OPERATOR_ID
from proofs.keccak import keccak256
from proofs.kinds import BASE_UNITS_PER_AU
from settlement import reconcile
from settlement.batches import Settlement, seal_next
from settlement.chain.transactions import call
from settlement.deploy import deposit
from settlement.submitter import drive
from settlement.watch import moved, recoveries, watcher
from settlement.watch.alerts import alerts
from settlement.watch.claims import Claim, Debt, claims, debts
from settlement.watch.recoveries import tell, tell_recoveries
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.liar import lying
from tests.settlement.chain.test_carrying import Hubs, names
from tests.settlement.chain.test_settling import HOURS_6, in_default, poor_field, sealed_hashes

MISSING_AU, BOND_AU = 664, 100
"""Merchant 1 owes 666 AU, half to each other one, and has two; a fifth of the bond goes first."""


def settled_au(s: Settlement) -> dict[int, int]:
    return {party: position.settled for party, position in queries.positions(s.conn).items() if position.settled}


def journal_entries(s: Settlement) -> int:
    (count,) = s.conn.execute("SELECT count(*) FROM ledger.journal").fetchone() or (0,)
    return int(count)


def repay(s: Settlement, base_units: int, reference: str) -> None:
    """The defaulter pays in."""
    with s.outbox.leading() as led:
        call(led, f"mint:{reference}", s.alliance.token, "mint", led.sender, base_units)
        deposit(s.alliance, led, merchant_id=1, amount=base_units, reference=reference)


def on_fund(s: Settlement, purpose: str, function: str, *arguments: int) -> None:
    with s.outbox.leading() as led:
        call(led, purpose, s.alliance.fund, function, *arguments, gas=250_000)


def seen(s: Settlement) -> list[str]:
    """The watcher reads on, the ledger is told, and what reconciliation finds of money."""
    watcher.watch(s.conn, s.alliance)
    assert tell_recoveries(s) == []
    found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
    return [each.code for each in found if each.code in {"ledger-unlike-chain", "recoveries-untold", "hub-insolvent"}]


def test_every_recovery_is_told_and_in_the_end_everybody_has_what_was_owed(unfounded: Field) -> None:
    in_default(unfounded, 2, bond_au=BOND_AU)
    au = BASE_UNITS_PER_AU
    with poor_field(unfounded, 2, BOND_AU).settlement() as s:
        assert settled_au(s) == {1: -2, 2: 11, 3: 11, OPERATOR_ID: -20}
        assert debts(s.conn) == [Debt(default_id=1, merchant_id=1, missing=MISSING_AU * au, repaid=0)]
        cut = (MISSING_AU - 20) // 2 * au
        assert [(each.creditor_id, each.cut, each.recovered) for each in claims(s.conn)] == [(2, cut, 0), (3, cut, 0)]

        repay(s, 100 * au, "some")
        assert seen(s) == []
        assert settled_au(s) == {1: -102, 2: 11, 3: 11, OPERATOR_ID: -20, GUARANTEE_ID: 100}
        assert [(each.recovered, each.collected) for each in claims(s.conn)] == [(50 * au, 0)] * 2

        on_fund(s, "collect:2", "collectClaim", 1, 2)
        assert seen(s) == []
        assert settled_au(s) == {1: -102, 2: 61, 3: 11, OPERATOR_ID: -20, GUARANTEE_ID: 50}

        hubs = Hubs(poor_field(unfounded, 2, BOND_AU), s)
        assert names(hubs) == ["claims-open", "claims-uncollected"], "nor may it leave its hub"
        repay(s, (MISSING_AU - 100) * au, "rest")
        assert names(hubs) == ["claims-uncollected", "recoveries-untold"]
        for creditor in (2, 3):
            on_fund(s, f"collect:{creditor}:all", "collectClaim", 1, creditor)
        on_fund(s, "restore", "restoreReserves", 1)
        assert seen(s) == []
        assert settled_au(s) == {1: -666, 2: 333, 3: 333}
        hubs.require_free()
        assert debts(s.conn) == [Debt(default_id=1, merchant_id=1, missing=MISSING_AU * au, repaid=MISSING_AU * au)]
        assert claims(s.conn) == [
            Claim(default_id=1, creditor_id=creditor, cut=cut, recovered=cut, collected=cut) for creditor in (2, 3)
        ]
        assert [row.code for row in alerts(s.conn) if row.code == "claims-open"] == []
        before = settled_au(s), tell(s)
        assert (settled_au(s), 0) == before, "nothing is told twice"


def test_who_died_before_the_cursor_moved_says_the_same_again(unfounded: Field) -> None:
    in_default(unfounded, 2)
    with poor_field(unfounded, 2).settlement() as s:
        repay(s, 15_000, "in parts of an AU")
        watcher.watch(s.conn, s.alliance)
        assert tell(s) == 1
        told, entries = settled_au(s), journal_entries(s)
        s.conn.execute("DELETE FROM settlement.chain_cursor WHERE name = %s", [recoveries.CURSOR])
        assert tell(s) == 1
        assert (settled_au(s), journal_entries(s)) == (told, entries)
        assert sum(told.values()) == 0


def test_what_is_recovered_while_nobody_tells_is_an_alert(unfounded: Field) -> None:
    in_default(unfounded, 2)
    with poor_field(unfounded, 2).settlement() as s:
        repay(s, 20_000, "unseen")
        found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
        assert ("recoveries-untold", "ledger") in [(each.code, each.place) for each in found]
        assert "ledger-unlike-chain" not in [each.code for each in found]
        assert seen(s) == []


def test_a_recovery_after_a_batch_waits_until_the_ledger_knows_that_batch(unfounded: Field) -> None:
    """And the next batch's own nets are told as if nothing had come between."""
    in_default(unfounded, 2)
    poor = poor_field(unfounded, 2)
    with poor.settlement() as s:
        repay(s, 10_000 * BASE_UNITS_PER_AU, "everything, and more")
    poor.post(day(2))
    with poor.settlement() as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        drive(s)
        attest(s, unfounded.folder, sealed_hashes(s), list(ATTESTERS))
        drive(s)
        s.alliance.chain.advance_time(HOURS_6)
        for creditor in (2, 3):
            on_fund(s, f"collect:{creditor}", "collectClaim", 1, creditor)
        drive(s)
        assert seen(s) == []
        exact = moved.summed(step.moved for step in moved.steps(s.conn))
        assert settled_au(s) == {party: au for party, au in moved.in_whole_au(exact).items() if au}


def test_a_node_that_leaves_out_events_is_found_by_the_contracts_own_word(unfounded: Field) -> None:
    in_default(unfounded, 2)
    poor = poor_field(unfounded, 2)
    with poor.settlement() as s:
        repay(s, 50_000, "unseen")
    repaid = "0x" + keccak256(b"DebtRepaid(uint64,uint32,uint256,uint256)").hex()

    def leave_out(method: str, _params: list[Any], result: Any) -> Any:
        return [log for log in result if log["topics"][0] != repaid] if method == "eth_getLogs" else result

    with lying(unfounded.url) as liar, replace(poor, url=liar.url).settlement() as s:
        liar.distort = leave_out
        found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
    assert ("events-missing", "merchant 1") in [(each.code, each.place) for each in found]


def test_a_batch_is_told_when_it_is_finalised_here_and_a_recovery_when_its_block_is() -> None:
    told = [recoveries.is_told(moved.Step(4, batch_no, {}), ended=1, until=5) for batch_no in (1, 2)]
    assert told == [True, False]
    told = [recoveries.is_told(moved.Step(block, 9, {}, recovered=True), ended=0, until=5) for block in (5, 6)]
    assert told == [True, False]

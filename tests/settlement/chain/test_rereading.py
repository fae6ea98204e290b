"""What a node left out or made up is found by reading again, and put right: rows, ledger, and what waited for them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from ledger import queries
from settlement import reconcile
from settlement.__main__ import main
from settlement.batches import Settlement, seal_next
from settlement.chain.client import ChainUnclear
from settlement.submitter import drive
from settlement.watch import moved, recoveries, watcher
from settlement.watch.recoveries import tell
from settlement.watch.watcher import FinalityBroken
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.liar import lying
from tests.settlement.chain.test_recoveries import on_fund, repay, settled_au
from tests.settlement.chain.test_second_node import without
from tests.settlement.chain.test_settling import HOURS_6, in_default, poor_field

REPAID = 500_000
INVENTED = """
INSERT INTO settlement.chain_event
    (block_number, log_index, block_hash, tx_hash, contract, name, batch_no, merchant_id, amount, fields)
SELECT block_number, log_index + 1000, block_hash, tx_hash, contract, name, batch_no, merchant_id, 70000, fields
FROM settlement.chain_event WHERE name = 'DebtRepaid' LIMIT 1
"""


def codes(s: Settlement) -> set[str]:
    found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
    return {each.code for each in found} & {"events-missing", "ledger-unlike-chain", "recoveries-untold"}


def agrees(s: Settlement) -> bool:
    """Whether the ledger knows exactly what the chain moved."""
    exact = moved.in_whole_au(moved.summed(step.moved for step in moved.steps(s.conn)))
    return {party: au for party, au in exact.items() if au} == {
        party: position.settled for party, position in queries.positions(s.conn).items() if position.settled
    }


def test_a_recovery_that_was_left_out_is_read_again_and_told(
    unfounded: Field, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that was made up is taken out, though claims were collected and told in between."""
    in_default(unfounded, 2)
    poor = poor_field(unfounded, 2)
    words = ["reread", "--dsn", unfounded.dsn, "--rpc", unfounded.url]
    with lying(unfounded.url) as liar, replace(poor, url=liar.url).settlement() as s:
        repay(s, REPAID, "unseen")
        liar.distort = without("DebtRepaid(uint64,uint32,uint256,uint256)")
        watcher.watch(s.conn, s.alliance)
        on_fund(s, "collect:2", "collectClaim", 1, 2)
        watcher.watch(s.conn, s.alliance)
        assert tell(s) == 1
        assert codes(s) == {"events-missing"}
        liar.honest()
        assert codes(s) == {"events-missing"}, "the watcher reads no block twice"

        assert main(words) == 1
        assert "missing\tblock " in capsys.readouterr().out
        assert codes(s) == {"events-missing"}, "looking changes nothing"
        assert main([*words, "--yes"]) == 0
        assert (codes(s), agrees(s)) == (set(), True)
        assert main(words) == 0

        repay(s, REPAID, "seen")
        watcher.watch(s.conn, s.alliance)
        s.conn.execute(INVENTED)
        assert tell(s) == 1
        assert codes(s) == {"events-missing", "ledger-unlike-chain"}
        assert main([*words, "--yes"]) == 0
        assert "untrue\tblock " in capsys.readouterr().out
        assert (codes(s), agrees(s), main(words)) == (set(), True, 0)


def test_who_believed_the_wrong_node_reads_again_at_once(unfounded: Field) -> None:
    """Twice at one cursor: what the first reading told too much the second takes back; and a node that keeps no old
    events is not believed to begin with.
    """
    in_default(unfounded, 2)
    with lying(unfounded.url) as liar, poor_field(unfounded, 2).settlement() as s:
        repay(s, REPAID, "seen")
        watcher.watch(s.conn, s.alliance)
        assert tell(s) == 1
        true = settled_au(s)
        words = ["reread", "--dsn", unfounded.dsn, "--yes", "--rpc"]
        liar.distort = lambda method, _params, result: [] if method == "eth_getLogs" else result
        assert main([*words, liar.url]) == 3
        assert settled_au(s) == true
        liar.distort = without("DebtRepaid(uint64,uint32,uint256,uint256)")
        assert main([*words, liar.url]) == 0
        assert settled_au(s) != true
        assert main([*words, unfounded.url]) == 0
        assert (settled_au(s), agrees(s), codes(s)) == (true, True, set())


def test_who_died_before_noting_what_was_told_is_not_taken_for_untold(unfounded: Field) -> None:
    in_default(unfounded, 2)
    with poor_field(unfounded, 2).settlement() as s:
        repay(s, REPAID, "seen")
        watcher.watch(s.conn, s.alliance)
        assert tell(s) == 1
        true = settled_au(s)
        s.conn.execute("DELETE FROM settlement.chain_cursor WHERE name = %s", [recoveries.CURSOR])
        s.conn.execute("UPDATE settlement.batch SET state = 'FINALISING' WHERE batch_no = 1")
        assert main(["reread", "--dsn", unfounded.dsn, "--rpc", unfounded.url, "--yes"]) == 0
        assert settled_au(s) == true


def test_a_batch_whose_nets_were_left_out_goes_on_when_they_are_read(field: Field) -> None:
    field.post(day(1))
    with lying(field.url) as liar, replace(field, url=liar.url).settlement() as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        attest(s, field.folder, [(1, batch.header_hash)], list(ATTESTERS))
        drive(s)
        s.alliance.chain.advance_time(HOURS_6)
        liar.distort = without("NetSettled(uint64,uint32,int256,uint256)")
        with suppress(ChainUnclear):
            drive(s)
        liar.honest()
        assert [(each.state.name, each.alarm) for each in drive(s)] == [("FINALISING", "chain-unclear")]
        assert main(["reread", "--dsn", field.dsn, "--rpc", field.url, "--yes"]) == 0
        assert [each.state.name for each in drive(s)] == ["FINALISED"]
        assert agrees(s)


def test_what_cannot_be_read_again_is_said(field: Field, capsys: pytest.CaptureFixture[str]) -> None:
    with field.settlement() as s:
        words = ["reread", "--dsn", field.dsn, "--rpc", field.url]
        assert main(words) == 2
        assert "no event was read yet" in capsys.readouterr().err
        watcher.watch(s.conn, s.alliance)
        assert main(words) == 0
        assert main(["reread", "--dsn", field.dsn, "--rpc", "http://127.0.0.1:9"]) == 3
        assert main([*words, "--from-block", str(2**40)]) == 2
        assert main([*words, "--check-rpc", f"{field.url}/"]) == 2
        s.conn.execute("UPDATE settlement.chain_cursor SET block_hash = %s", [b"x" * 32])
        assert main(words) == 3
        s.alliance.chain.advance_time(60)
        with pytest.raises(FinalityBroken):
            watcher.watch(s.conn, s.alliance)
        assert main([*words, "--reorganised"]) == 1
        assert main([*words, "--reorganised", "--yes"]) == 0
        assert main(words) == 0
        watcher.watch(s.conn, s.alliance)

"""Two nodes, of which one lies, always the same way: nothing is called final, nothing told, until both say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from proofs.headers import SEAL_LAG_SECONDS_BOUND
from proofs.keccak import keccak256
from settlement import reconcile
from settlement.batches import Settlement, seal_next
from settlement.embedded_chain.process import EmbeddedNode
from settlement.second_node import NodesDisagree
from settlement.status import status
from settlement.submitter import drive
from settlement.watch import moved, watcher
from settlement.watch.alerts import alerts
from settlement.watch.recoveries import tell
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.liar import Distortion, Liar, answering, lying
from tests.settlement.chain.test_courts import COURT, call, throw_out
from tests.settlement.chain.test_recoveries import repay
from tests.settlement.chain.test_settling import HOURS_6, in_default, poor_field

WORD = "0x{:064x}"


def without(event: str) -> Distortion:
    """A node that leaves out every event of a kind."""
    topic = "0x" + keccak256(event.encode()).hex()

    def lie(method: str, _params: list[Any], result: Any) -> Any:
        return [log for log in result if log["topics"][0] != topic] if method == "eth_getLogs" else result

    return lie


def long_ago(number: int) -> Distortion:
    """A node that tells another time of one block."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        asked = method == "eth_getBlockByNumber" and params[0] == hex(number)
        return {**result, "timestamp": "0x5"} if asked else result

    return lie


@contextmanager
def confirmed(field: Field, node: EmbeddedNode, *, lies: str) -> Iterator[tuple[Settlement, Liar]]:
    """A batch of nothing but leaves that both nodes bear out, and the one of them (first, second) that may lie."""
    field.post(day(1))
    with field.settlement() as s:
        batch = seal_next(s)
        assert batch is not None
        attest(s, field.folder, [(1, batch.header_hash)], list(ATTESTERS))
    with lying(node.url) as liar:
        urls = (liar.url, node.url) if lies == "first" else (node.url, liar.url)
        both = replace(field, url=urls[0], second_url=urls[1])
        with both.settlement() as s:
            yield s, liar


def stands(s: Settlement) -> tuple[str, list[str]]:
    """Where the one batch is after a drive, and what is an alert."""
    (standing,) = drive(s)
    return standing.state.name, [row.code for row in alerts(s.conn)]


@pytest.mark.parametrize(
    ("signature", "told"),
    [("nextFinalNo()", WORD.format(2)), ("headerHash(uint64)", WORD.format(0xBAD))],
    ids=["a finalisation that never was", "another header under our number"],
)
def test_what_one_node_invents_is_not_believed(field: Field, embedded: EmbeddedNode, signature: str, told: str) -> None:
    with confirmed(field, embedded, lies="first") as (s, liar):
        assert stands(s) == ("CONFIRMED", [])
        liar.distort = answering(signature, told)
        for _ in range(2):
            assert stands(s) == ("CONFIRMED", ["nodes-disagree"])
        liar.honest()
        s.alliance.chain.advance_time(HOURS_6)
        assert stands(s) == ("FINALISED", [])


def forgetting(*, nonces: int = 0) -> Distortion:
    """A node whose hub has no header of ours, and that knows no receipt; of the account it counts more or less."""
    lies = [answering("headerHash(uint64)", WORD.format(0)), answering("nextBatchNo()", WORD.format(1)), no_receipt]

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getTransactionCount":
            return hex(int(result, 16) + nonces)
        for each in lies:
            result = each(method, params, result)
        return result

    return lie


def test_no_other_header_is_sealed_on_one_nodes_word_that_ours_is_dead(field: Field, embedded: EmbeddedNode) -> None:
    """It took the commit, and says that the hub has none and that another transaction has used the nonce."""
    with confirmed(field, embedded, lies="first") as (s, liar):
        liar.distort = forgetting()
        assert stands(s) == ("SUBMITTED", ["commit-refused"])
        s.alliance.chain.advance_time(SEAL_LAG_SECONDS_BOUND + 60)
        for _ in range(2):
            assert stands(s) == ("SUBMITTED", ["nodes-disagree"])
        liar.honest()
        assert stands(s) == ("FINALISED", [])
        assert [row.incarnation for row in status(s.conn)] == [0, 0]


def test_a_commit_that_only_one_node_calls_dead_keeps_its_header(field: Field, embedded: EmbeddedNode) -> None:
    """Neither node has it; the first says that its nonce is gone, and it could still be mined."""
    with confirmed(field, embedded, lies="first") as (s, liar):
        liar.deaf = {"eth_sendRawTransaction"}
        assert stands(s) == ("SUBMITTED", [])
        s.alliance.chain.advance_time(SEAL_LAG_SECONDS_BOUND + 60)
        liar.distort = forgetting(nonces=1)
        for _ in range(2):
            assert stands(s) == ("SUBMITTED", ["nodes-disagree"])
        liar.honest()
        for _ in range(3):
            drive(s)
        assert status(s.conn)[-1].incarnation == 1, "its nonce is used up, and then it is sealed anew"


def test_one_node_makes_no_fraud_somebody_elses(field: Field, embedded: EmbeddedNode) -> None:
    """What was thrown out after another batch is sealed anew by itself; a fraud waits for a person."""
    with confirmed(field, embedded, lies="first") as (s, liar):
        assert stands(s) == ("CONFIRMED", [])
        call(s, "court", "grantRole", COURT, s.outbox.sender)
        throw_out(s, 1)
        liar.distort = without("BatchReverted(uint64,uint16,address,uint256)")
        assert stands(s) == ("CONFIRMED", ["nodes-disagree"])
        liar.honest()
        assert stands(s) == ("FAILED_FRAUD", ["batch-failed"])


SECOND: dict[str, tuple[Callable[[Liar], None], str]] = {
    "is away": (lambda liar: liar.deaf.update({"eth_getBlockByNumber"}), "chain-unclear"),
    "lags": (lambda liar: setattr(liar, "distort", lagging(liar)), "chain-unclear"),
    "has another history": (lambda liar: setattr(liar, "distort", other_history), "nodes-disagree"),
    "has no receipt of ours": (lambda liar: setattr(liar, "distort", no_receipt), "nodes-disagree"),
}


def lagging(liar: Liar) -> Distortion:
    def lie(method: str, params: list[Any], result: Any) -> Any:
        late = method == "eth_getBlockByNumber" and params[0] == "finalized"
        return liar.block(int(result["number"], 16) - 1) if late else result

    return lie


def other_history(method: str, _params: list[Any], result: Any) -> Any:
    return {**result, "hash": WORD.format(7)} if method == "eth_getBlockByNumber" else result


def no_receipt(method: str, _params: list[Any], result: Any) -> Any:
    return None if method == "eth_getTransactionReceipt" else result


@pytest.mark.parametrize("how", SECOND)
def test_a_second_node_holds_up_what_is_final_and_no_commit(field: Field, embedded: EmbeddedNode, how: str) -> None:
    misbehave, code = SECOND[how]
    with confirmed(field, embedded, lies="second") as (s, liar):
        misbehave(liar)
        assert stands(s) == ("SUBMITTED", [code])
        assert s.alliance.hub.read("nextBatchNo") == 2, "the commit went out all the same"
        liar.honest()
        assert stands(s) == ("CONFIRMED", [])


def test_events_that_one_node_leaves_out_are_not_passed_over(unfounded: Field, embedded: EmbeddedNode) -> None:
    in_default(unfounded, 2)
    poor = poor_field(unfounded, 2)
    with poor.settlement() as s:
        repay(s, 50_000, "unseen")
        seen = watcher.cursor(s.conn, s.alliance)
    with lying(unfounded.url) as liar, replace(poor, url=liar.url, second_url=embedded.url).settlement() as s:
        liar.distort = without("DebtRepaid(uint64,uint32,uint256,uint256)")
        with pytest.raises(NodesDisagree, match="events of blocks"):
            watcher.watch(s.conn, s.alliance)
        assert (watcher.cursor(s.conn, s.alliance), tell(s)) == (seen, 0)
        assert [row.code for row in alerts(s.conn)] == ["nodes-disagree"]
        liar.honest()
        watcher.watch(s.conn, s.alliance)
        s.alliance.chain.advance_time(60)
        liar.distort = long_ago(moved.steps(s.conn)[-1].block_number)
        with pytest.raises(NodesDisagree, match=r"block \d+: timestamp 5 by .*, timestamp \d+ by "):
            tell(s)
        liar.honest()
        assert tell(s) == 1
        found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
        assert "events-missing" not in [each.code for each in found]
        assert "nodes-disagree" not in [row.code for row in alerts(s.conn)]


def test_what_is_looked_at_by_one_node_alone_is_told(field: Field, embedded: EmbeddedNode) -> None:
    """The events are the same by both, the collateral is not; and where reading begins is no matter of belief."""
    with confirmed(field, embedded, lies="first") as (s, liar):
        before = max(0, s.alliance.anchor.deploy_block - 1)
        liar.distort = long_ago(before)
        with pytest.raises(NodesDisagree, match=f"block {before}"):
            watcher.watch(s.conn, s.alliance)
        assert watcher.cursor(s.conn, s.alliance) is None
        liar.distort = answering("balanceOf(uint32)", WORD.format(7) + WORD.format(0)[2:])
        with pytest.raises(NodesDisagree, match="collateral: free 7 by "):
            reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender)
        assert [row.code for row in alerts(s.conn)] == ["nodes-disagree"]
        liar.honest()
        reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender)
        assert "nodes-disagree" not in [row.code for row in alerts(s.conn)]

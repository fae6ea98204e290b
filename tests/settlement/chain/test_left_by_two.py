"""A hub is left, and another taken for ours, by what two nodes say: one that lies about either is not believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from proofs.keccak import keccak256
from settlement import lease, tables
from settlement.alliance import attach
from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.contracts import artifact
from settlement.chain.outbox import NotMinedYet, Outbox
from settlement.deploy import found
from settlement.sealing.lanes import create_keystore
from settlement.second_node import NodesDisagree
from settlement.tasks.ticks import SETTLEMENT
from settlement.tiers.place import registry_place
from tests.settlement.chain.field import MERCHANTS, OPERATOR, Field, founding
from tests.settlement.chain.liar import Distortion, answering, lying
from tests.settlement.chain.test_carrying import Hubs, settled
from tests.settlement.chain.test_liars import counting
from tests.settlement.chain.test_second_node import WORD, without
from tests.settlement.chain.test_tier_founding import TIERS

__all__ = ["settled"]
FINALIZED = "eth_getBlockByNumber", "finalized"
POLICY = "0x" + keccak256(b"policy()").hex()[:8]


def with_administrator(merchant_id: int, admin: bytes) -> Distortion:
    """A node that says that somebody else administers a merchant."""
    topics = "0x" + keccak256(b"MerchantSet(uint32,address,address,uint8)").hex(), WORD.format(merchant_id)

    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method != "eth_getLogs":
            return result
        told = "0x" + admin.rjust(32, b"\0").hex()
        return [
            {**log, "data": told + log["data"][66:]} if tuple(log["topics"][:2]) == topics else log for log in result
        ]

    return lie


LIES: dict[str, tuple[Distortion, str]] = {
    "has moved nothing": (without("NetSettled(uint64,uint32,int256,uint256)"), "events of blocks"),
    "takes no batch any more": (answering("windDownAt()", WORD.format(1)), "the hub at block"),
    "has another last header": (answering("headerHash(uint64)", WORD.format(7)), "the hub at block"),
    "is owed": (answering("owedBy(uint32)", WORD.format(7)), "the hub at block"),
    "knows another administrator": (with_administrator(1, b"\x0d" * 20), "who administers merchants"),
}
"""What one node says of the hub that is left, and about what they differ; events first, for they are read once."""


def test_no_hub_is_left_on_one_nodes_word(settled: Field) -> None:
    """Nor are a merchant's keys and its administrator carried over by it: it would be another's for good."""
    with (
        lying(settled.url) as liar,
        replace(settled, url=liar.url, second_url=settled.url).settlement() as s,
    ):
        s.conn.execute("DELETE FROM settlement.chain_cursor")
        s.conn.execute("DELETE FROM settlement.chain_event")  # as if nothing had been watched yet
        for lie, about in LIES.values():
            liar.distort = lie
            with pytest.raises(NodesDisagree, match=about):
                Hubs(settled, s).require_free()
        liar.honest()
        Hubs(settled, s).require_free()


def test_the_hub_is_looked_at_once_more_where_both_nodes_have_its_end(settled: Field) -> None:
    """One that lags calls a block before it the last, and what was committed in between would be nobody's."""
    with lying(settled.url) as slow, replace(settled, second_url=slow.url).settlement() as s:
        hubs, last = Hubs(settled, s), slow.block(s.alliance.chain.head().number)
        slow.distort = lambda method, params, told: last if (method, params[0]) == FINALIZED else told
        with pytest.raises(NotMinedYet, match="every node calls final"):
            hubs.leave()
        slow.honest()
        hubs.leave()


def with_code(name: str, otherwise: Distortion) -> Distortion:
    """A node that shows this contract with another partner built into its code."""
    places = [
        slice(2 + 2 * at["start"], 2 + 2 * (at["start"] + at["length"])) for at in artifact(name)["immutableReferences"]
    ]
    length = len(artifact(name)["deployedBytecode"])

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method != "eth_getCode" or len(result) != length:
            return otherwise(method, params, result)
        return result[: places[0].start] + "0d" * 32 + result[places[0].stop :]

    return lie


def ahead(method: str, params: list[Any], result: Any) -> Any:
    """A node that says that it is a century later."""
    asked = method == "eth_getBlockByNumber" and params[0] == "pending"
    return {**result, "timestamp": hex(int(result["timestamp"], 16) + 100 * 31_557_600)} if asked else result


def elsewhere(method: str, _params: list[Any], result: Any) -> Any:
    """A node that says of every contract that it was made at another address."""
    made = method == "eth_getTransactionReceipt" and result is not None and result["contractAddress"]
    return {**result, "contractAddress": "0x" + "0d" * 20} if made else result


def counting_ahead_once_the_time_is_told() -> Distortion:
    """A node that counts one too many at one moment alone: before the hub's first header is made for its address."""
    before: tuple[str, Any] = "", None

    def lie(method: str, params: list[Any], result: Any) -> Any:
        nonlocal before
        told, before = before == ("eth_getBlockByNumber", "pending"), (method, params[0] if params else None)
        return counting(1, "latest")(method, params, result) if told else result

    return lie


def test_no_hub_is_taken_for_ours_on_one_nodes_word(unfounded: Field) -> None:
    """What stands in the anchor stays: its address, its code, its first header, its partners. Nor does anybody write it
    who lost the lead of the whole work while the nodes were asked.
    """
    lanes = create_keystore(unfounded.folder / "lanes.json", MERCHANTS)
    with lying(unfounded.url) as liar, psycopg.connect(unfounded.dsn, autocommit=True) as conn:
        chain, second = Chain(liar.url), Chain(unfounded.url)
        outbox, made = Outbox(conn, chain, OPERATOR), founding(conn, lanes)

        def found_it() -> None:
            found(conn, chain, outbox, made, unfounded.publication(), second=second)

        liar.distort = ahead
        with pytest.raises(NodesDisagree, match="the time: "):
            found_it()
        liar.distort = elsewhere
        with pytest.raises(ChainUnclear, match=r"made 0x(0d){20}, which can only be 0x"):
            found_it()
        liar.distort = counting_ahead_once_the_time_is_told()
        with pytest.raises(ChainUnclear, match="deploy:SettlementHub was made for nonce"):
            found_it()
        miscounting = counting(-1, "latest")  # of which the hub's first header, made for its address, takes no harm
        for lie, about in (
            (with_code("SettlementHub", miscounting), "the new hub: code_hash"),
            (answering("policy()", WORD.format(7)), "the new hub: partners"),
        ):
            liar.distort = lie
            with pytest.raises(NodesDisagree, match=about):
                found_it()
            assert tables.anchor(conn) is None

        def slept(method: str, params: list[Any], result: Any) -> Any:
            if method == "eth_call" and params[0]["data"].startswith(POLICY):
                with psycopg.connect(unfounded.dsn, autocommit=True) as task:
                    under.release(task)
                    lease.take(task, under.name, holder="a task")
            return result

        under = lease.take(conn, SETTLEMENT, holder="this one")
        outbox = Outbox(conn, chain, OPERATOR, under=under)
        liar.distort = slept
        with pytest.raises(lease.LeaseLost, match=SETTLEMENT):
            found_it()
        assert tables.anchor(conn) is None
        outbox, made = Outbox(conn, chain, OPERATOR), replace(made, tiers=TIERS)
        liar.distort = with_code("TierRegistry", counting(0))
        with pytest.raises(NodesDisagree, match="the registry of tiers: "):
            found_it()
        assert registry_place(conn) is None
        liar.honest()
        found_it()
        assert attach(conn, second).anchor.deploy_block > 0

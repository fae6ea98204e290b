"""An epoch comes to the chain once, whatever dies, is reorganised away, runs twice or jumps: kills at every named point
of publishing, on a chain that is final at once and on one that is not; reorganisations that take the publication out;
two workers, of whom one sleeps through its lease; a clock that goes back.

On anvil where its npm package is installed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.embedded_chain.process import EmbeddedNode
from settlement.lease import LeaseLost
from settlement.tables import StateMoved
from settlement.tasks import turn
from settlement.tasks.ticks import BY_NAME
from settlement.tasks.turn import Outcome
from settlement.tiers.registry import NO_HASH
from settlement.tiers.rows import State
from settlement.tiers.steps import GONE
from settlement.watch.alerts import alerts
from tests.settlement.chain.anvil import NODES, Anvil, started
from tests.settlement.chain.nodes import Node
from tests.settlement.tiers.anchored import LENGTH_S, NUMBER, Anchored, on, works_of
from tests.settlement.tiers.driver import killed_on_chain
from tests.settlement.tiers.ground import Ground

POINTS = ["signed", "signed:tier-epoch", "sent:tier-epoch", "included:tier-epoch", "published"]
ONCE = [(f"tier-epoch:{NUMBER}", "MINED", True)]


@pytest.fixture
def node(request: pytest.FixtureRequest, embedded: EmbeddedNode) -> Iterator[Node]:
    with started(request.param, embedded.url) as node:
        yield node


@pytest.fixture
def anchored(ground: Ground, node: Node) -> Anchored:
    return on(ground, Chain(node.url))


@pytest.fixture
def contract(anchored: Anchored, node: Node) -> Contract:
    """The registry, in a final block, before which no epoch is looked for in it."""
    made = anchored.found()
    node.finalise()
    return made


def anchored_once(anchored: Anchored, contract: Contract, node: Node) -> None:
    """Drive to the end, and see that everything happened once."""
    for _ in range(3):
        anchored.drive()
        node.finalise()
    (standing,) = anchored.drive()
    assert (standing.epoch, standing.state, standing.alarm) == (NUMBER, State.ANCHORED, ""), standing
    (epoch,) = anchored.rows()
    (event,) = contract.events("EpochPublished", first=0)
    assert event.fields["headerHash"] == epoch.header_hash
    assert contract.read("lastEpoch") == (NUMBER, epoch.header_hash)
    assert anchored.sent() == ONCE


@pytest.mark.parametrize("node", NODES, indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_while_publishing_leaves_one_effect(
    anchored: Anchored, contract: Contract, node: Node, point: str
) -> None:
    assert killed_on_chain(anchored, point)
    (before,) = anchored.rows()
    assert before.state is State.SIGNED
    anchored_once(anchored, contract, node)
    assert anchored.rows()[0].signature == before.signature, "the header that was signed before the kill"


@pytest.mark.parametrize("node", NODES, indirect=True)
def test_a_kill_when_it_was_noted_as_anchored_leaves_one_effect(
    anchored: Anchored, contract: Contract, node: Node
) -> None:
    if isinstance(node, Anvil):
        anchored.drive()
        node.finalise()
    assert killed_on_chain(anchored, "anchored")
    anchored_once(anchored, contract, node)


def taken_out(anchored: Anchored, contract: Contract, node: Anvil) -> None:
    """Publish, and let the chain forget the block of it; nothing is mined until somebody asks."""
    node.finalise()
    (standing,) = anchored.drive()
    node.ask("evm_mine")
    assert standing.reason == "sent, not final yet"
    assert contract.read("lastEpoch")[0] == NUMBER
    node.mine_at_once(on=False)
    node.ask("anvil_reorg", 2, [])
    assert contract.read("lastEpoch") == (0, NO_HASH), "the publication is gone"


@pytest.mark.parametrize("node", NODES[1:], indirect=True)
def test_the_task_publishes_again_what_a_reorganisation_took_out(
    anchored: Anchored, contract: Contract, node: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_out(anchored, contract, node)
    works = works_of(anchored, lambda: anchored.chain.now() * 1_000, monkeypatch)
    node.mine_at_once(on=True)
    assert turn.take(BY_NAME["epochs"], works) is Outcome.DONE
    node.ask("evm_mine")
    assert contract.read("lastEpoch")[0] == NUMBER
    assert anchored.rows()[0].state is State.SIGNED, "it is believed when it is final"
    node.finalise()
    assert turn.take(BY_NAME["epochs"], works) is Outcome.DONE
    anchored_once(anchored, contract, node)


@pytest.mark.parametrize("node", NODES[1:], indirect=True)
def test_a_kill_when_it_was_sent_again_after_a_reorganisation_leaves_one_effect(
    anchored: Anchored, contract: Contract, node: Anvil
) -> None:
    taken_out(anchored, contract, node)
    node.mine_at_once(on=True)
    assert killed_on_chain(anchored, "sent:tier-epoch")
    anchored_once(anchored, contract, node)


@pytest.mark.parametrize("node", NODES[1:], indirect=True)
def test_an_epoch_that_was_final_and_is_gone_is_told_to_a_person(
    anchored: Anchored, contract: Contract, node: Anvil
) -> None:
    """Deeper than final blocks may change: another chain behind the address, or fewer confirmations than it takes."""
    hasty = replace(anchored, chain=Chain(node.url, confirmations=0))
    node.finalise()
    for _ in range(2):
        hasty.drive()
        node.ask("evm_mine")
    assert hasty.rows()[0].state is State.ANCHORED
    node.mine_at_once(on=False)
    node.ask("anvil_reorg", 3, [])
    assert contract.read("lastEpoch") == (0, NO_HASH)
    (standing,) = hasty.drive()
    assert standing.alarm == GONE
    with anchored.ground.conn() as conn:
        assert [each.code for each in alerts(conn)] == [GONE]


@pytest.mark.parametrize("node", NODES, indirect=True)
@pytest.mark.parametrize("point", ["signed", "signed:tier-epoch", "sent:tier-epoch"])
def test_a_worker_that_sleeps_through_its_lease_is_overtaken_and_sends_nothing_more(
    anchored: Anchored, contract: Contract, node: Node, point: str
) -> None:
    inside, go = threading.Event(), threading.Event()

    def wait_here(reached: str) -> None:
        if reached == point and not inside.is_set():
            inside.set()
            assert go.wait(60)

    def driven() -> str:
        try:
            anchored.drive(checkpoint=wait_here)
        except (LeaseLost, StateMoved) as overtaken:
            return type(overtaken).__name__
        return "done"

    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(driven)
        assert inside.wait(60)
        anchored.drive()
        go.set()
        assert sleeping.result() in {"done", "LeaseLost", "StateMoved"}
    anchored_once(anchored, contract, node)


@pytest.mark.parametrize("node", NODES, indirect=True)
def test_a_clock_that_jumps_back_publishes_nothing_twice(anchored: Anchored, contract: Contract, node: Node) -> None:
    assert killed_on_chain(anchored, "signed")
    anchored.drive(-LENGTH_S)
    node.finalise()
    (standing,) = anchored.drive(-3 * LENGTH_S)
    assert standing.state is State.ANCHORED
    anchored_once(anchored, contract, node)
    anchored.drive(2 * LENGTH_S)
    node.finalise()
    anchored.drive(LENGTH_S)
    assert [each.epoch for each in anchored.rows()] == [NUMBER, NUMBER + 2]
    assert [event.fields["epoch"] for event in contract.events("EpochPublished", first=0)] == [NUMBER, NUMBER + 2]

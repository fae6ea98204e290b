"""SIGKILL at every named point of a batch's way, on a chain that is final at once and on one that is not: afterwards
there is exactly one effect on the chain.

Collected on anvil where its npm package is installed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.keccak import keccak256
from proofs.kinds import Kind
from settlement.chain.outbox import Intent
from settlement.embedded_chain.process import EmbeddedNode
from settlement.mirrors.folder import FolderMirror
from settlement.publish import published_header
from settlement.status import TransactionStatus, status
from settlement.submitter import drive
from settlement.tables import batch as batch_row
from tests.settlement.chain.anvil import NODES, Anvil, started
from tests.settlement.chain.driver import killed_at, run
from tests.settlement.chain.field import Field, day, registry_commands
from tests.settlement.chain.nodes import Instant, Node
from tests.settlement.chain.test_forced import force, lane_for

POINTS = ["opened", "sealed", "published", "decided", "answered", "signed", "sent", "included"]


@pytest.fixture
def node(request: pytest.FixtureRequest, embedded: EmbeddedNode) -> Iterator[Node]:
    with started(request.param, embedded.url) as node:
        yield node


@pytest.fixture
def alone(database: str, node: Node, tmp_path: Path) -> Field:
    """An alliance of its own with a day of trade, founded."""
    made = Field(dsn=database, url=node.url, folder=tmp_path)
    made.post([*registry_commands(), *day(1)])
    with made.settlement():
        pass
    return made


def settle(field: Field, node: Node) -> list[TransactionStatus]:
    """Drive batch 1 to its end and see that everything happened once; its transactions."""
    run(field)
    node.finalise()
    with field.settlement() as s:
        drive(s)
        (_, batch) = status(s.conn)
        assert (batch.state, batch.incarnation) == ("CONFIRMED", 0)
        committed = s.alliance.hub.events("BatchCommitted", first=0)
        assert [event.fields["batchNo"] for event in committed] == [0, 1]
        assert committed[1].fields["headerHash"] == batch.header_hash
        assert [published_header(FolderMirror(folder), 1) for folder in field.mirrors] == [batch.header] * 2
        s.alliance.chain.advance_time(6 * 3_600)
        drive(s)
        node.finalise()
        drive(s)
        assert status(s.conn)[1].state == "FINALISED"
        assert len(s.alliance.hub.events("BatchFinalised", first=0)) == 2
        return status(s.conn)[1].transactions


def shown(transactions: list[TransactionStatus]) -> list[tuple[str, str]]:
    return [(tx.purpose, tx.status) for tx in transactions]


@pytest.mark.parametrize("node", NODES, indirect=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_one_effect(alone: Field, node: Node, point: str) -> None:
    assert killed_at(alone, point)
    assert shown(settle(alone, node)) == [("commit:1.0", "MINED"), ("finalise:1.0", "MINED")]


def made_stuck(field: Field, node: Anvil) -> None:
    """The commit waits in the pool, and has done so for long."""
    node.mine_at_once(on=False)
    run(field)
    with field.settlement() as s:
        s.conn.execute("UPDATE settlement.chain_tx SET sent_at = sent_at - interval '10 minutes' WHERE status = 'SENT'")


@pytest.mark.parametrize("node", NODES[1:], indirect=True)
@pytest.mark.parametrize("point", ["answered", "replaced", "resent"])
def test_a_kill_while_a_stuck_commit_is_replaced_leaves_one_of_the_two(alone: Field, node: Anvil, point: str) -> None:
    made_stuck(alone, node)
    assert killed_at(alone, point)
    run(alone)
    node.mine_at_once(on=True)
    node.ask("evm_mine")
    node.finalise()
    commits = shown(settle(alone, node))[:2]
    assert sorted(commits) == [("commit:1.0", "DROPPED"), ("commit:1.0", "MINED")]


@pytest.mark.parametrize("node", NODES[1:], indirect=True)
def test_a_kill_after_a_reorganisation_leaves_one_commit(alone: Field, node: Anvil) -> None:
    run(alone)
    node.ask("evm_mine")
    run(alone)
    node.mine_at_once(on=False)
    node.ask("anvil_reorg", 2, [])
    assert killed_at(alone, "reorganised")
    with alone.settlement() as s:
        assert s.alliance.hub.read("nextBatchNo") == 1, "the commit is gone"
    node.mine_at_once(on=True)
    assert shown(settle(alone, node)) == [("commit:1.0", "MINED"), ("finalise:1.0", "MINED")]


OTHERS = ["signed", "sent", "included"]


@pytest.mark.parametrize("node", NODES, indirect=True)
@pytest.mark.parametrize("point", ["answered", *OTHERS])
def test_a_kill_while_it_is_finalised_leaves_one_effect(alone: Field, node: Node, point: str) -> None:
    confirm(alone, node)
    with alone.settlement() as s:
        s.alliance.chain.advance_time(6 * 3_600)
    assert killed_at(alone, f"{point}:finalise")
    run(alone)
    node.finalise()
    with alone.settlement() as s:
        drive(s)
        assert status(s.conn)[1].state == "FINALISED"
        assert len(s.alliance.hub.events("BatchFinalised", first=0)) == 2
        assert shown(status(s.conn)[1].transactions) == [("commit:1.0", "MINED"), ("finalise:1.0", "MINED")]


@pytest.mark.parametrize("node", NODES, indirect=True)
@pytest.mark.parametrize("point", OTHERS)
def test_a_kill_while_locks_are_released_leaves_one_effect(alone: Field, node: Node, point: str) -> None:
    confirm(alone, node)
    with alone.settlement() as s:
        hub, row = s.alliance.hub, batch_row(s.conn, 1)
        assert row is not None
        granted = hub.data("grantRole", keccak256(b"COURT_ROLE"), s.outbox.sender)
        s.outbox.complete(Intent("court", hub.address, granted, 300_000))
        thrown_out = hub.data("revertFrom", row.done.header, b"\x0c" * 20, 9)
        s.outbox.complete(Intent("revert", hub.address, thrown_out, 500_000))
    node.finalise()
    assert killed_at(alone, f"{point}:release")
    run(alone)
    node.finalise()
    with alone.settlement() as s:
        drive(s)
        assert len(s.alliance.hub.events("LocksReleased", first=0)) == 1
        assert shown(status(s.conn)[1].transactions) == [("commit:1.0", "MINED"), ("release:1.0", "MINED")]


@pytest.mark.parametrize("node", NODES, indirect=True)
@pytest.mark.parametrize("point", ["answered", *OTHERS])
@pytest.mark.parametrize("verb", ["discharge", "cover"])
def test_a_kill_while_the_forced_queue_is_tended_leaves_one_effect(
    alone: Field, node: Node, verb: str, point: str
) -> None:
    with alone.settlement() as s:
        force(s, lane_for(s, Kind.EARN))
        if verb == "cover":
            s.alliance.chain.advance_time(25 * 3_600)
    node.finalise()
    if verb == "discharge" and not isinstance(node, Instant):
        run(alone)  # commits; what is not final yet is not discharged
        node.finalise()
    assert killed_at(alone, f"{point}:{verb}")
    for _ in range(2):
        run(alone)
        node.finalise()
    with alone.settlement() as s:
        drive(s)
        assert len(s.alliance.queue.events("ForcedDischarged", first=0)) == 1
        assert s.alliance.queue.read("queue") == (2, 2)
        order = ["cover", "commit"] if verb == "cover" else ["commit", "discharge"]
        sent = shown(status(s.conn)[1].transactions)
        assert [(purpose.partition(":")[0], end) for purpose, end in sent] == [(each, "MINED") for each in order]


def confirm(field: Field, node: Node) -> None:
    run(field)
    node.finalise()
    with field.settlement() as s:
        drive(s)
        assert status(s.conn)[1].state == "CONFIRMED"
    node.finalise()

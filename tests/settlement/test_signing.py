"""Processes sign as threads do, and are believed as little."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey

from proofs.kinds import Kind
from settlement.sealing.lanes import POS, Keystore, Lane, LaneId, Roster
from settlement.sealing.leaves import UnsealedLeaf
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.signing import LEAVES_WORTH_PROCESSES, PIECE_LEAVES, signing
from tests.settlement.alliance import CHAIN_ID, HUB, Journal, Operator, digest, keystore


def waiting(count: int) -> list[UnsealedLeaf]:
    journal = Journal()
    for number in range(count):
        journal.points(Kind.EARN, 1 + number % 3, "ann", 10)
    return Operator().leaves(journal.entries)


def signed(leaves: list[UnsealedLeaf], count: int, *, signer: Keystore, roster: Roster) -> list[tuple[bytes, bytes]]:
    hashes = [leaf.event.hash_struct() for leaf in leaves]
    with signing(count, chain_id=CHAIN_ID, hub=HUB, roster=roster, signer=signer) as work:
        for start in range(0, len(leaves), PIECE_LEAVES):
            work.ask(leaves[start : start + PIECE_LEAVES], hashes[start : start + PIECE_LEAVES])
        return work.all()


def test_processes_give_the_signatures_that_threads_give() -> None:
    leaves = waiting(PIECE_LEAVES + 5)
    ways = [signed(leaves, count, signer=keystore(), roster=keystore().roster) for count in (1, LEAVES_WORTH_PROCESSES)]
    assert ways[0] == ways[1]
    assert len(ways[0]) == len(leaves)


@pytest.mark.parametrize("count", [1, LEAVES_WORTH_PROCESSES])
def test_a_key_that_is_not_the_registered_one_is_found_at_its_leaf(count: int) -> None:
    leaves = waiting(5)
    wrong = LaneId(2, POS)
    other = Keystore({wrong: (PrivateKey(digest("another")), frozenset({Kind.EARN}))})
    roster = Roster(
        Lane(*lane.id, next(iter(other.roster)).address, lane.kinds) if lane.id == wrong else lane
        for lane in keystore().roster
    )
    with pytest.raises(SealRefused) as refused:
        signed(leaves, count, signer=keystore(), roster=roster)
    assert (refused.value.reason, refused.value.where) == (Reason.SIGNATURE, leaves[1].source)

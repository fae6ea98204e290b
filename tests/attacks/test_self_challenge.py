"""Row 12 of the protocol's threats: an operator that throws out its own batch to have its bond back by another door.

A revert costs a fifth of the bond: half for the challenger, half for the guarantee fund. Whoever is operator and
challenger in one gets back half of what it lost, and what went to the fund belongs to nobody who could take it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.keccak import keccak256
from settlement.chain.contracts import Contract, Refused
from settlement.embedded_chain.process import EmbeddedNode, start
from tests.attacks.on_chain import ADMIN, ADMIN_ADDRESS, UNIT, Settled, send, settle
from tests.attacks.test_on_chain import audited

pytestmark = pytest.mark.xdist_group("self-challenge")

BOND = 50_000 * UNIT
SLASH, BOUNTY = BOND // 5, BOND // 10
DEMAND_TIMED_OUT = 20


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNode]:
    with start(tmp_path_factory.mktemp("self-challenged-chain"), fund=[ADMIN.address], idle_s=300.0) as running:
        yield running


@pytest.fixture(scope="module")
def settled(node: EmbeddedNode, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Batch 1 committed; the court is the operator's own account, as bad as it gets."""
    made = settle(node.url, tmp_path_factory.mktemp("self-challenged"), bond=BOND)
    send(made.chain, made.hub, made.contract.data("grantRole", keccak256(b"COURT_ROLE"), ADMIN.address))
    made.commit(1, [[]] * 3)
    return made


def partner(settled: Settled, function: str, name: str) -> Contract:
    return Contract(settled.chain, name, bytes.fromhex(settled.contract.read(function)[2:]))  # type: ignore[arg-type] # a name of ours


def test_an_operator_that_challenges_itself_has_lost_half_of_the_slash_for_good(
    settled: Settled, tmp_path: Path
) -> None:
    hub, fund, token = settled.contract, partner(settled, "guaranteeFund", "GuaranteeFund"), partner(settled, "asset", "TestToken")
    purse = token.read("balanceOf", ADMIN_ADDRESS)
    send(settled.chain, settled.hub, hub.data("revertFrom", settled.batches[1].header, ADMIN_ADDRESS, DEMAND_TIMED_OUT))
    send(settled.chain, fund.address, fund.data("collectBounty", ADMIN_ADDRESS))
    assert token.read("balanceOf", ADMIN_ADDRESS) - purse == BOUNTY
    assert (hub.read("operatorBond"), fund.read("assets")) == (BOND - SLASH, BOUNTY)
    send(settled.chain, fund.address, fund.data("joinGuarantee", 1, 1_000 * UNIT))
    assert fund.read("worthOf", 1) <= 1_000 * UNIT, "whoever joins then buys nothing of it"
    with pytest.raises(Refused, match="BondTooLow"):
        hub.try_out(hub.data("withdrawBond", 1, ADMIN_ADDRESS), sender=ADMIN_ADDRESS)
    held, owed = hub.read("solvency")
    assert held == owed
    _, report = audited(settled, tmp_path / "report.json")
    assert report["findings"] == []


def test_the_header_that_was_thrown_out_does_not_come_again(settled: Settled) -> None:
    """Within the seal lag, with the attesters' signatures still in everybody's hands."""
    hub, batch = settled.contract, settled.batches[1]
    data = hub.data("commitBatch", batch.header, list(batch.sealed.nets), [])
    send(settled.chain, settled.hub, hub.data("postBond", SLASH))
    with pytest.raises(Refused, match="AlreadyReverted"):
        hub.try_out(data, sender=ADMIN_ADDRESS)

"""Row 12 of the protocol's threats: an operator that throws out its own batch to have its bond back by another door.

A revert costs a fifth of the bond: half for the challenger, half for the guarantee fund. Whoever is operator and
challenger in one gets back half of what it lost, and what went to the fund belongs to nobody who could take it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from proofs.keccak import keccak256
from settlement.chain.contracts import Contract, Name, Refused
from tests.attacks.on_chain import ADMIN, ADMIN_ADDRESS, UNIT, Settled, send, settle
from tests.attacks.test_on_chain import audited

pytestmark = pytest.mark.xdist_group("self-challenge")

BOND = 50_000 * UNIT
SLASH, BOUNTY = BOND // 5, BOND // 10
DEMAND_TIMED_OUT = 20


class Left(NamedTuple):
    """What the operator had out of it, and what its bond and the fund were then."""

    purse: int
    bond: int
    fund: int


@pytest.fixture(scope="module")
def settled(early: str, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Batch 1 committed; the court is the operator's own account, as bad as it gets."""
    made = settle(early, tmp_path_factory.mktemp("self-challenged"), bond=BOND)
    send(made.chain, made.hub, made.contract.data("grantRole", keccak256(b"COURT_ROLE"), ADMIN.address))
    made.commit(1, [[]] * 3)
    return made


@pytest.fixture(scope="module")
def left(settled: Settled) -> Left:
    """Its own batch thrown out, and the bounty collected."""
    hub, fund, token = settled.contract, fund_of(settled), partner(settled, "asset", "TestToken")
    purse = token.read("balanceOf", ADMIN_ADDRESS)
    send(settled.chain, settled.hub, hub.data("revertFrom", settled.batches[1].header, ADMIN_ADDRESS, DEMAND_TIMED_OUT))
    send(settled.chain, fund.address, fund.data("collectBounty", ADMIN_ADDRESS))
    made = token.read("balanceOf", ADMIN_ADDRESS) - purse
    return Left(made, hub.read("operatorBond"), fund.read("assets"))


def partner(settled: Settled, function: str, name: Name) -> Contract:
    return Contract(settled.chain, name, bytes.fromhex(settled.contract.read(function)[2:]))


def fund_of(settled: Settled) -> Contract:
    return partner(settled, "guaranteeFund", "GuaranteeFund")


def test_who_challenges_itself_has_lost_half_of_the_slash(settled: Settled, left: Left) -> None:
    assert left == Left(purse=BOUNTY, bond=BOND - SLASH, fund=SLASH - BOUNTY)
    hub, fund = settled.contract, fund_of(settled)
    with pytest.raises(Refused, match="NoBounty"):
        fund.try_out(fund.data("collectBounty", ADMIN_ADDRESS), sender=ADMIN_ADDRESS)
    with pytest.raises(Refused, match="BondTooLow"):
        hub.try_out(hub.data("withdrawBond", SLASH + 1, ADMIN_ADDRESS), sender=ADMIN_ADDRESS)


def test_the_other_half_cannot_be_bought_back_by_joining_the_fund(settled: Settled, left: Left) -> None:
    fund = fund_of(settled)
    send(settled.chain, fund.address, fund.data("joinGuarantee", 1, 1_000 * UNIT, 0))
    assert fund.read("worthOf", 1) <= 1_000 * UNIT
    assert fund.read("assets") == left.fund + 1_000 * UNIT


def test_the_header_that_was_thrown_out_does_not_come_again(settled: Settled, left: Left) -> None:
    """Within the seal lag, with the attesters' signatures still in everybody's hands."""
    hub, batch = settled.contract, settled.batches[1]
    send(settled.chain, settled.hub, hub.data("postBond", BOND - left.bond))
    with pytest.raises(Refused, match="AlreadyReverted"):
        hub.try_out(hub.data("commitBatch", batch.header, list(batch.sealed.nets), []), sender=ADMIN_ADDRESS)


@pytest.mark.usefixtures("left")
def test_the_money_of_a_revert_is_replayed_to_the_unit(settled: Settled, tmp_path: Path) -> None:
    _, report = audited(settled, tmp_path / "report.json")
    assert report["findings"] == []

"""Theft by way of the contracts: balances, bond, losses and claims that do not follow from the logs; forced events that
are ignored; configurations, roles and contracts that are not those of the anchor.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.attestations import check_config
from auditor.chain import Chain, Config, OnChain
from auditor.findings import Findings
from auditor.forced import Queue, check_forced
from auditor.money import Holdings, Loss, Money, check_money, cuts_of
from auditor.reading import read
from auditor.report import checks
from auditor.rpc import Node, Nodes
from proofs.headers import config_hash
from proofs.keccak import keccak256
from tests.attacks.alliance import CONFIG_HASH
from tests.attacks.forge import ATTESTERS, World, found
from tests.attacks.on_chain import UNIT, Settled, send, settle
from tests.attacks.test_on_chain import audited

DEPOSIT = 1_000
NETS = {1: -1_500, 2: -500, 3: 1_999, 4: 1}
BOND, FUND = 1_000, 100


def played(logs: list[tuple[str, dict[str, Any]]]) -> Money:
    money = Money()
    for name, told in logs:
        assert money.take(name, told)
    return money


def default() -> list[tuple[str, dict[str, Any]]]:
    """Merchant 1 lacks 501 beyond its shares; bond and fund bear what they must, creditors 3 and 4 the rest."""
    deposits = [("Deposited", {"merchantId": m, "amount": DEPOSIT}) for m in (1, 2)]
    return [
        *deposits,
        ("Deposited", {"merchantId": 5, "amount": FUND}),
        ("GuaranteeJoined", {"merchantId": 5, "amount": FUND}),
        ("AssetsChanged", {"assets": FUND}),
        ("BondPosted", {"amount": BOND}),
        ("NetSettled", {"batchNo": 2, "merchantId": 1, "net": -1_500, "shortfall": 500}),
        ("NetSettled", {"batchNo": 2, "merchantId": 2, "net": -500, "shortfall": 0}),
        ("AssetsChanged", {"assets": 0}),
        ("LossCovered", {"defaultId": 2, "fromBond": 200, "fromFund": FUND, "left": 200}),
        ("LossAllocated", {"batchNo": 2, "creditorId": 3, "cut": 200}),
        ("NetSettled", {"batchNo": 2, "merchantId": 3, "net": 1_999, "shortfall": 200}),
        ("NetSettled", {"batchNo": 2, "merchantId": 4, "net": 1, "shortfall": 0}),
    ]


HELD = Holdings({1: 0, 2: 500, 3: 1_799, 4: 1, 5: 0}, bond=800, owed=3_100, held=3_100)


def judged(logs: list[tuple[str, dict[str, Any]]], holdings: Holdings = HELD) -> set[str]:
    findings = Findings()
    check_money(played(logs), holdings, {2: NETS}, findings)
    return set(findings.counts)


def test_a_default_by_the_rules() -> None:
    assert judged(default()) == set()


@pytest.mark.parametrize(
    ("holdings", "code"),
    [
        (replace(HELD, merchants={**HELD.merchants, 3: 1_800}), "balance-differs"),
        (replace(HELD, merchants={**HELD.merchants, 9: 1}), "balance-differs"),
        (replace(HELD, bond=801), "balance-differs"),
        (replace(HELD, owed=3_099), "balance-differs"),
        (replace(HELD, held=3_099), "insolvent"),
    ],
)
def test_money_that_is_not_where_the_logs_say(holdings: Holdings, code: str) -> None:
    assert judged(default(), holdings) == {code}


@pytest.mark.parametrize(
    ("place", "fields", "holdings"),
    [
        (9, {"fromBond": 100, "left": 300}, replace(HELD, bond=900)),
        (10, {"cut": 199}, HELD),
        (11, {"shortfall": 100}, replace(HELD, merchants={**HELD.merchants, 3: 1_899})),
        (12, {"shortfall": 1}, replace(HELD, merchants={**HELD.merchants, 4: 0})),
    ],
    ids=["bond spared", "claim too small", "creditor spared", "odd unit from the wrong one"],
)
def test_a_loss_that_somebody_else_bears(place: int, fields: dict[str, int], holdings: Holdings) -> None:
    logs = default()
    logs[place] = (logs[place][0], logs[place][1] | fields)
    assert judged(logs, holdings) == {"loss-differs"}


@pytest.mark.parametrize(
    ("spared", "holdings"), [("fromFund", HELD), ("fromBond", replace(HELD, bond=900))], ids=["fund", "bond"]
)
def test_a_loss_whose_rest_the_creditors_bear_to_the_unit(spared: str, holdings: Holdings) -> None:
    """Whom the law names first gives nothing, or half; claims, cuts and balances agree with that among themselves."""
    logs = default()
    logs[9] = (logs[9][0], logs[9][1] | {"left": 300} | {spared: {"fromFund": 0, "fromBond": 100}[spared]})
    logs[10] = (logs[10][0], logs[10][1] | {"cut": 300})
    logs[11] = (logs[11][0], logs[11][1] | {"shortfall": 300})
    told = replace(holdings, merchants={**HELD.merchants, 3: 1_699})
    if spared == "fromFund":
        assert judged(logs, told) == {"balance-differs"}, "the fund has nothing left, and nothing went out of it"
        logs[8] = ("AssetsChanged", {"assets": FUND})
    assert judged(logs, told) == {"loss-differs"}


@pytest.mark.parametrize(("assets", "codes"), [(FUND, set()), (FUND - 1, {"balance-differs"})])
def test_what_is_made_good_goes_back_where_it_came_from(assets: int, codes: set[str]) -> None:
    """Creditors first, then the fund, then the bond."""
    made_good = [
        *default(),
        ("Deposited", {"merchantId": 1, "amount": 500}),
        ("DebtRepaid", {"defaultId": 2, "merchantId": 1, "amount": 500}),
        ("ClaimCollected", {"defaultId": 2, "creditorId": 3, "amount": 200}),
        ("ReservesRestored", {"defaultId": 2, "toFund": FUND, "toBond": 200}),
        ("AssetsChanged", {"assets": assets}),
    ]
    holdings = Holdings({1: 0, 2: 500, 3: 1_999, 4: 1, 5: 0}, bond=BOND, owed=3_600, held=3_600)
    assert judged(made_good, holdings) == codes


def test_cuts_of_the_protocols_example() -> None:
    assert cuts_of(500_001, {1: -2_000_000, 3: 1_999_999, 4: 1}) == {3: 500_001, 4: 0}
    assert cuts_of(0, {1: -5, 2: 5}) == {2: 0}


def test_a_claim_paid_before_anything_was_recovered() -> None:
    collected = [*default(), ("ClaimCollected", {"defaultId": 2, "creditorId": 3, "amount": 5})]
    holdings = replace(HELD, merchants={**HELD.merchants, 3: 1_804})
    assert judged(collected, holdings) == {"claims-differ"}


# forced events


REOPENED = ("ForcedReopened", {"id": 1, "dueAt": 1_000})


def queued(*logs: tuple[str, dict[str, Any]]) -> Queue:
    queue = Queue()
    first = ("ForcedQueued", {"id": 1, "merchantId": 2, "keyId": 1, "dueAt": 1_000})
    assert all(queue.take(name, told) for name, told in (first, *logs))
    return queue


@pytest.mark.parametrize(
    ("queue", "now", "codes"),
    [
        (queued(), 1_000, set()),
        (queued(), 1_001, {"forced-overdue"}),
        (queued(("ForcedDischarged", {"id": 1, "batchNo": 3, "late": False})), 9_999, set()),
        (queued(("ForcedDischarged", {"id": 1, "batchNo": 3, "late": True})), 9_999, {"forced-late"}),
        (queued(("ForcedDropped", {"id": 1})), 9_999, set()),
        (queued(("ForcedDischarged", {"id": 1, "batchNo": 3, "late": False}), REOPENED), 9_999, {"forced-overdue"}),
    ],
)
def test_forced_events_are_taken_in_by_their_time(queue: Queue, now: int, codes: set[str]) -> None:
    findings = Findings()
    check_forced(queue, now, findings)
    assert set(findings.counts) == codes


def test_an_ignored_event_is_found_by_its_own_check(world: World) -> None:
    chain = world.chain()
    chain.queue, chain.block_time = queued(), 1_001
    outcome = world.audit(chain)
    assert found(outcome) == {28}
    for queue, state in ((queued(), "held"), (Queue(), "not checked"), (None, "not checked")):
        told: Chain = world.chain()
        told.queue, told.block_time = queue, 1_000
        check = next(each for each in checks(world.audit(told), anchored=False) if each["check"] == 28)
        assert check["state"] == state


# configuration


OTHER = config_hash(rules_version=2, attester_set_version=1, params_version=1)
OLDER = config_hash(rules_version=9, attester_set_version=1, params_version=1)


@pytest.mark.parametrize(
    ("config", "codes"),
    [
        (Config(CONFIG_HASH, None, 0), set()),
        (Config(OTHER, CONFIG_HASH, 2**40), set()),
        (Config(OTHER, None, 2**40), set()),
        (Config(OTHER, CONFIG_HASH, 0), {"config-unknown"}),
        (Config(OTHER, OLDER, 2**40), {"config-unknown"}),
    ],
    ids=["current", "the one before", "genesis", "the one before, too late", "neither"],
)
def test_a_configuration_that_was_not_in_force(world: World, config: Config, codes: set[str]) -> None:
    def under(on_chain: OnChain) -> None:
        on_chain.governance = replace(on_chain.governance, config=config)

    world.batches[4].on_chain = under
    findings = Findings()
    check_config(world.chain().commits[4], CONFIG_HASH, findings)
    assert set(findings.counts) == codes
    assert found(world.audit()) == ({5} if codes else set())


# a real chain


pytestmark = pytest.mark.xdist_group("audit of a default")


@pytest.fixture(scope="module")
def settled(early: str, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """Little collateral, and a bond that is next to nothing; no batch is on the chain yet."""
    return settle(early, tmp_path_factory.mktemp("defaulting"), collateral=UNIT // 10, bond=1_000)


def test_a_default_on_a_real_chain_is_replayed_to_the_unit(settled: Settled, tmp_path: Path) -> None:
    """Merchant 1 owes more than it has: creditors are cut, and later it pays what it can."""
    for batch_no in (1, 2):
        settled.commit(batch_no, [[]] * len(ATTESTERS))
    settled.chain.advance_time(7 * 86_400)
    for batch_no in (1, 2):
        settled.finalise(batch_no)
    first = cleanly(settled, tmp_path)
    assert first.missing > first.left > 0, "bond and creditors both bear a part"
    assert first.recovered == 0
    send(settled.chain, settled.hub, settled.contract.data("deposit", 1, 300_000))
    assert cleanly(settled, tmp_path).recovered == 300_000


def cleanly(settled: Settled, tmp_path: Path) -> Loss:
    """The loss of batch 2 as the logs tell it, after an audit without a finding."""
    code, report = audited(settled, tmp_path / "report.json")
    assert (code, report["findings"]) == (0, [])
    assert next(check for check in report["checks"] if check["check"] == 19)["state"] == "held"
    with Nodes([Node(settled.url)]) as nodes:
        money = read(nodes, settled.hub).money
    assert money is not None
    return money.losses[2]


def test_another_role_or_contract_than_the_anchors(settled: Settled, tmp_path: Path) -> None:
    _, report = audited(settled, tmp_path / "report.json")
    assert {line.split(" ")[1] for line in report["anchor"]["roles"]} >= {"DEFAULT_ADMIN", "GOVERNOR", "SUBMITTER"}
    anchor = tmp_path / "anchor.json"
    anchor.write_text(json.dumps(report["anchor"]))
    submitter = keccak256(b"SUBMITTER_ROLE")
    send(settled.chain, settled.hub, settled.contract.data("grantRole", submitter, "0x" + "22" * 20))
    code, report = audited(settled, tmp_path / "report.json", "--anchor", anchor)
    assert (code, [finding["code"] for finding in report["findings"]]) == (1, ["roles-differ"])
    told = json.loads(anchor.read_text()) | {"roles": report["anchor"]["roles"]}
    told["contracts"]["policy"]["codeHash"] = "0x" + "11" * 32
    anchor.write_text(json.dumps(told))
    code, report = audited(settled, tmp_path / "report.json", "--anchor", anchor)
    assert (code, [finding["code"] for finding in report["findings"]]) == (1, ["contract-differs"])

"""Evidence: whatever the auditor finds that a court could judge, a court sees from the report alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from auditor.evidence import Evidence
from auditor.exhibits import EXHIBITED_PER_CODE_MAX
from auditor.findings import RULES
from auditor.report import report
from proofs.accounts import lane_account
from proofs.exhibits import ExhibitError, OpenBatch, check_leaf, check_row
from proofs.json_form import from_json
from proofs.lpb1 import open_file
from proofs.messages import AcceptanceReceipt, BatchHeader, signed_digest
from proofs.signature import recover
from settlement.sealing.lanes import POS
from tests.attacks import test_accounts, test_leaves, test_relations
from tests.attacks.court import CODES, Case, case_of, shows
from tests.attacks.forge import SEPARATOR, World, address
from tests.attacks.test_accounts import skew
from tests.attacks.test_evidence import RECEIPT_KEY, audited, receipt, sealed


def with_tariff(attack: Callable[[World], object]) -> Callable[[World], object]:
    """The same attack where the tariff was published, as the case wants it."""

    def both(world: World) -> None:
        test_relations.told(world)
        attack(world)

    return both


ATTACKS: dict[str, Callable[[World], object]] = {
    **{name: attack for name, (attack, _) in test_leaves.CASES.items()},
    **{name: attack for name, (attack, _) in test_accounts.CASES.items()},
    **{name: with_tariff(attack) for name, (attack, _) in test_relations.CASES.items()},
    "nets that favour somebody": lambda world: skew(world, {1: -100, 3: 100}),
    "a key that was revoked": lambda world: setattr(world.registry.keys[2, POS], "to_batch", 2),
}
NOT_THE_FILES = {"another root of leaves", "another root of accounts", "another count of accounts"}
"""Here the file is not the header's: no path leads to it, and a court has the demand for data (code 20)."""


def told(world: World, evidence: Evidence | None = None) -> dict[str, Any]:
    """The report, as it is read from disk."""
    outcome = world.audit() if evidence is None else audited(world, evidence)
    found: dict[str, Any] = json.loads(json.dumps(report(outcome, rpc=[], anchored=False)))
    return found


def on_chain(world: World) -> dict[int, bytes]:
    return {batch.header.batch_no: batch.header.hash_struct() for batch in world.batches}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_court_sees_what_the_auditor_found(world: World, name: str) -> None:
    ATTACKS[name](world)
    found = told(world)
    judged = [each for each in found["findings"] if each.get("fraudCode") in CODES]
    for finding in judged:
        if name in NOT_THE_FILES and "lacking" in finding["evidence"]:
            continue
        assert "lacking" not in finding["evidence"]
        case = case_of(found, finding, on_chain(world), world.registry, test_relations.HONEST)
        assert shows(case, finding["fraudCode"]), finding
    assert all("evidence" in finding for finding in found["findings"] if finding["batchNo"])


@pytest.mark.parametrize(
    ("attack", "code"),
    [(test_relations.reward(), 11), (test_relations.exchange(30), 13)],
    ids=["a reward by its rule", "an exchange at its rate"],
)
def test_a_court_does_not_take_what_is_right_for_wrong(
    world: World, attack: Callable[[World], object], code: int
) -> None:
    """The very leaves that would be shown, had they been false: the court sees no contradiction in them."""
    with_tariff(attack)(world)
    batch = world.batches[4]
    header, file = batch.header, OpenBatch(open_file(batch.plain_file()), batch.header, batch.secret)
    leaves = [file.leaf(header.first_leaf_no + at) for at in range(header.leaf_count)]
    shown = {header.first_leaf_no + at: check_leaf(leaf, header) for at, leaf in enumerate(leaves) if leaf}
    case = Case({4: header}, {}, shown, {}, world.registry, test_relations.HONEST, 4, None)
    assert (len(shown), shows(case, code)) == (header.leaf_count, False)


def test_every_fraud_code_is_judged_and_every_finding_of_it_shown() -> None:
    """Code 20 is no finding: data that nobody has cannot be shown, only demanded."""
    wanted = {rule.fraud_code for rule in RULES.values() if rule.fraud_code is not None}
    assert CODES.keys() >= wanted == {*range(1, 4), *range(5, 14)}


def test_what_the_tariff_says_comes_with_the_finding(world: World) -> None:
    with_tariff(test_relations.exchange(29))(world)
    (finding,) = told(world)["findings"]
    assert finding["evidence"]["rates"] == [{"since": 0, "num": 3, "den": 2}]
    with_tariff(test_relations.reward(2))(world)
    evidence = next(each["evidence"] for each in told(world)["findings"] if each["code"] == "referral-rule")
    assert evidence["campaign"] == test_relations.HONEST.campaigns[7].form()


def test_a_file_that_is_not_the_headers_is_said_to_be_no_evidence(world: World) -> None:
    ATTACKS["another root of accounts"](world)
    (finding, *_) = told(world)["findings"]
    assert finding["code"] == "accounts-root"
    assert finding["evidence"].keys() == {"headers"}


def test_headers_come_with_nets_and_attesters_signatures(world: World) -> None:
    ATTACKS["nets that favour somebody"](world)
    found = told(world)
    header = found["exhibits"]["headers"]["2"]
    digest = signed_digest(SEPARATOR, bytes.fromhex(header["headerHash"][2:]))
    signers = [
        recover(digest, bytes.fromhex(each["r"][2:]), bytes.fromhex(each["vs"][2:])) for each in header["attestations"]
    ]
    assert ["0x" + signer.hex() for signer in signers] == [each["attester"] for each in header["attestations"]]
    assert len(signers) > 0
    assert [(int(merchant), int(amount)) for merchant, amount in header["nets"]] == world.batches[2].nets


def test_a_broken_promise_comes_with_the_receipt_and_the_lanes_row(world: World) -> None:
    held = receipt(world, sealed(world, 2), nonce=99)
    found = told(world, Evidence([held]))
    (finding,) = found["findings"]
    evidence, header = finding["evidence"], world.batches[finding["batchNo"]].header
    given = evidence["receipt"]
    digest = signed_digest(SEPARATOR, from_json(AcceptanceReceipt, given["receipt"]).hash_struct())
    assert recover(digest, bytes.fromhex(given["r"][2:]), bytes.fromhex(given["vs"][2:])) == address(RECEIPT_KEY)
    given_rows = [found["exhibits"]["rows"][name] for name in evidence["rows"]]
    (row,) = (check_row(each, header)[1] for each in given_rows if each["batchNo"] == str(header.batch_no))
    assert row.account == lane_account(2, POS)
    assert header.sealed_at > held.receipt.merge_by
    assert row.seq < held.receipt.nonce


def test_evidence_is_bounded_for_each_code(world: World) -> None:
    for batch in world.batches:
        batch.records = [replace(record, sig_r=bytes(32)) for record in batch.records]
    world.rehead(0)
    findings = [each for each in told(world)["findings"] if RULES[each["code"]].check == 9]
    shown = [each for each in findings if "evidence" in each]
    assert len(findings) > len(shown) == EXHIBITED_PER_CODE_MAX


def test_a_bent_exhibit_leads_to_no_header(world: World) -> None:
    ATTACKS["a closing balance that no leaf gives"](world)
    exhibits = told(world)["exhibits"]
    name, row = next(iter(exhibits["rows"].items()))
    header = from_json(BatchHeader, exhibits["headers"][name.split(":")[0]]["header"])
    assert check_row(row, header)[1].account.hex() == row["row"]["account"][2:]
    for change in (
        {"index": "1" if row["index"] == "0" else "0"},
        {"path": row["path"][:-1]},
        {"path": [*row["path"], row["path"][0]]},
        {"row": row["row"] | {"balance": "1"}},
        {"batchNo": "4"},
        {"path": "0x"},
    ):
        with pytest.raises(ExhibitError):
            check_row(row | change, header)
    leaf = next(iter(exhibits["leaves"].values()))
    header = from_json(BatchHeader, exhibits["headers"][leaf["batchNo"]]["header"])
    opened = check_leaf(leaf, header)
    slot = next(iter(opened.postings))
    for change in (
        {"event": leaf["event"] | {"points": "7"}},
        {"postings": leaf["postings"] | {slot: None}},
        {"postings": leaf["postings"] | {slot: leaf["postings"][slot] | {"balance": "7"}}},
        {"leaf": leaf["leaf"] | {"leafNo": "7"}},
        {"postings": {}},
    ):
        with pytest.raises(ExhibitError):
            check_leaf(leaf | change, header)

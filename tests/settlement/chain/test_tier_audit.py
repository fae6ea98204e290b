"""`python -m auditor epochs`: what the operator tells of epochs, against the contract on a real chain."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from auditor import epochs
from auditor.__main__ import CLEAN, FINDINGS, INCOMPLETE, WRONG_USE, main
from auditor.rpc import Node, Nodes
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.signature import address_of
from proofs.tier.cohorts import Cohorts
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import SignedHeader
from settlement.chain.transactions import call
from settlement.networks import write_addresses
from tests.settlement.chain.field import Field
from tests.settlement.chain.tier_driver import KEY, header, on_chain

OTHER_KEY = PrivateKey(keccak256(b"tongdui-test-epoch-key"))
GRID = PolicyGrid(tier_masks=(0b110,), spend_edges=(100, 300))
COHORTS = Cohorts({})


class Told:
    """Three epochs on the chain, the second revoked, the third under another key; and everything that is said of it."""

    def __init__(self, field: Field, folder: Path) -> None:
        self.folder, self.url, self.signed = folder, field.url, list[SignedHeader]()
        with on_chain(field) as (s, registry):
            begins = s.alliance.chain.now()
            for _ in range(2):
                self.publish(registry, header(registry, begins))
            registry.revoke(2)
            fresh = address_of(OTHER_KEY.public_key)
            with s.outbox.leading() as led:
                call(led, "test:rotate", registry.contract, "setEpochKey", fresh)
            papers = {"cohorts": COHORTS.hash(), "policy_grid": GRID.hash()}
            last = header(registry, begins, **papers).header
            self.publish(registry, last.sign(OTHER_KEY, registry.chain_id, registry.address))
            self.chain_id, self.address = registry.chain_id, registry.address
            write_addresses(s.conn, s.alliance, folder / "addresses.json")

    def publish(self, registry: Any, signed: SignedHeader) -> None:
        registry.publish(signed)
        self.signed.append(signed)

    def run(self, told: object, *more: str) -> tuple[int, dict[str, Any]]:
        """Exit code and report of the command over a file that says this."""
        (self.folder / "epochs.json").write_text(json.dumps(told))
        out = self.folder / "out.json"
        out.unlink(missing_ok=True)
        named = more or ("--anchor", str(self.folder / "addresses.json"))
        code = main(["epochs", str(self.folder / "epochs.json"), "--rpc", self.url, *named, "--out", str(out)])
        return code, json.loads(out.read_text()) if out.exists() else {}

    @property
    def told(self) -> list[Any]:
        return [each.to_json() for each in self.signed]


def found(report: dict[str, Any]) -> list[tuple[str, int]]:
    return [(each["code"], each["epoch"]) for each in report["findings"]]


def test_what_was_told_is_what_is_on_the_chain(
    field: Field, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(field, tmp_path)
    code, report = told.run(told.told)
    assert (code, report["verdict"], report["findings"]) == (CLEAN, "clean", [])
    assert [(each["epoch"], each["revoked"]) for each in report["epochs"]] == [(1, False), (2, True), (3, False)]
    assert report["epochs"][2]["signer"] == report["epochKey"] == hex_text(address_of(OTHER_KEY.public_key))
    assert [each["setup"] for each in report["circuits"]] == ["development"]
    assert "3 epochs on the chain, 1 revoked" in (said := capsys.readouterr().err)
    assert "keys of circuit 1 are for development" in said
    last = {"signed": told.told[2], "cohorts": COHORTS.to_json(), "policy_grid": GRID.to_json()}
    papers = {"epochs": [*({"epoch": 1, "signed": each} for each in told.told[:2]), last]}
    assert told.run(papers)[0] == CLEAN
    assert told.run(told.told, "--registry", hex_text(told.address))[0] == CLEAN


def test_every_lie_about_an_epoch_is_found(field: Field, tmp_path: Path) -> None:
    told = Told(field, tmp_path)
    one, two, three = told.signed

    def signed(changed: Any, key: PrivateKey = KEY) -> dict[str, Any]:
        form: dict[str, Any] = changed.sign(key, told.chain_id, told.address).to_json()
        return form

    other_root = replace(one.header, root=one.header.root + 1)
    later = replace(three.header, epoch=9, previous=three.header.struct_hash())
    papers = {
        "signed": three.to_json(),
        "cohorts": COHORTS.to_json(),
        "policy_grid": replace(GRID, spend_edges=(1,)).to_json(),
    }
    for files, expected in (
        (told.told[:2], [("epoch-not-told", 3)]),
        ([*told.told, signed(later, OTHER_KEY)], [("epoch-not-on-chain", 9)]),
        ([signed(other_root), *told.told[1:]], [("epoch-differs", 1)]),
        ([signed(one.header, OTHER_KEY), *told.told[1:]], [("epoch-signature", 1)]),
        ([*told.told[:2], signed(three.header)], [("epoch-signature", 3)]),
        ([*told.told[:2], papers], [("epoch-paper", 3)]),
        ([*told.told[:2], {**papers, "policy_grid": []}], [("epoch-paper", 3)]),
    ):
        code, report = told.run(files)
        assert (code, found(report)) == (FINDINGS, expected)
    assert two.header.previous == one.header.struct_hash()

    wrong = json.loads((tmp_path / "addresses.json").read_text())
    wrong["tiers"]["registry"]["codeHash"] = hex_text(bytes(32))
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    code, report = told.run(told.told, "--anchor", str(tmp_path / "wrong.json"))
    assert (code, found(report)) == (FINDINGS, [("registry-differs", 0)])


def test_what_cannot_be_read_is_no_verdict(field: Field, tmp_path: Path) -> None:
    told = Told(field, tmp_path)
    for files in ({}, {"epochs": 5}, ["x"], [{"header": {}, "signature": "0x"}]):
        assert told.run(files) == (WRONG_USE, {})
    (tmp_path / "no-tiers.json").write_text("{}")
    assert told.run(told.told, "--anchor", str(tmp_path / "no-tiers.json")) == (WRONG_USE, {})
    assert told.run(told.told, "--registry", "0x" + "11" * 20) == (INCOMPLETE, {})


def test_a_contract_that_is_not_ours_contradicts_itself(field: Field, tmp_path: Path) -> None:
    """Each field of what was read is bent in turn, as a forged contract or a node could."""
    told = Told(field, tmp_path)
    published = [epochs.Published(each) for each in told.signed]

    def judged(bend: Callable[[epochs.Registry], None]) -> set[str]:
        with Nodes([Node(told.url)]) as nodes:
            registry = epochs.read(nodes, told.address)
        bend(registry)
        return {problem.code for problem in epochs.judge(registry, published)}

    def record(place: int, value: int) -> Callable[[epochs.Registry], None]:
        def bend(registry: epochs.Registry) -> None:
            stored = list(registry.epochs[1].stored)
            stored[place] = value
            registry.epochs[1].stored = tuple(stored)

        return bend

    def header_of(**changes: int) -> Callable[[epochs.Registry], None]:
        def bend(registry: epochs.Registry) -> None:
            registry.epochs[1].header = replace(registry.epochs[1].header, **changes)  # type: ignore[arg-type] # fields

        return bend

    def signer(registry: epochs.Registry) -> None:
        registry.epochs[1].signer = bytes(20)

    def other_key(registry: epochs.Registry) -> None:
        registry.circuits[1].vk_hash = bytes(32)

    assert judged(lambda _: None) == set()
    assert judged(record(0, 5)) == {"epoch-record-differs"}
    assert judged(record(1, 5)) == {"epoch-record-differs"}
    assert judged(record(3, 5)) == {"epoch-record-differs"}
    assert judged(record(4, 9)) == {"epoch-circuit-differs"}
    assert judged(record(5, 0)) == {"epoch-revocation-differs"}
    assert judged(other_key) == {"epoch-circuit-differs"}
    assert judged(signer) == {"epoch-signer-differs"}
    changed = {"epoch-hash-differs", "epoch-record-differs", "epoch-differs", "epoch-chain-broken"}
    assert judged(header_of(root=5)) == changed
    assert judged(header_of(alliance_id=5)) == {*changed, "epoch-of-another-alliance"}
    renumbered = {"epoch-not-rising", "epoch-not-on-chain", "epoch-signature"}
    assert judged(header_of(epoch=1)) >= renumbered - {"epoch-signature"}

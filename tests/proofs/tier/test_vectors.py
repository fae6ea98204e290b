"""The golden vectors, which four languages read: what the definitions say, and what our code says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proofs.poseidon import R
from proofs.tier import statement
from proofs.tier.attributes import Attributes
from proofs.tier.cohorts import Cohorts
from proofs.tier.decoding import decode
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import EpochHeader, SignedHeader
from proofs.tier.policy import Policy
from proofs.tier.request import SignedRequest
from tests.proofs.tier.vectors import VECTORS, vectors

HELD = json.loads(VECTORS.read_text())
REGISTRY = bytes.fromhex(HELD["registry"][2:])
CHAIN_ID = HELD["chain_id"]


def of(kind: type[Any], row: dict[str, Any]) -> Any:
    return kind(**{name: int(value) for name, value in row.items() if name != "packed"})


ATTRIBUTES: list[Attributes] = [of(Attributes, row) for row in HELD["attributes"]]
POLICIES: list[Policy] = [of(Policy, row) for row in HELD["policies"]]


def test_the_vectors_are_the_definitions() -> None:
    assert vectors() == HELD


def test_packing() -> None:
    for kind, made, rows in ((Attributes, ATTRIBUTES, HELD["attributes"]), (Policy, POLICIES, HELD["policies"])):
        for one, row in zip(made, rows, strict=True):
            assert one.packed() == int(row["packed"])
            assert kind.unpacked(int(row["packed"])) == one
    assert (Attributes.BITS, Policy.BITS) == (236, 249)


def test_admission() -> None:
    for row in HELD["admits"]:
        unmet = POLICIES[row["policy"]].admits(ATTRIBUTES[row["attributes"]], row["use_index"])
        assert (unmet.name if unmet else None) == row["unmet"]
    assert {row["unmet"] for row in HELD["admits"]} >= {None, "TIER", "SINCE", "USE"}


def test_names_of_alliance_circuit_and_scope() -> None:
    assert statement.alliance_id(CHAIN_ID, REGISTRY) == HELD["alliance_id"]
    assert statement.epoch_tag(HELD["alliance_id"], HELD["epoch"]) == int(HELD["epoch_tag"])
    assert "0x" + statement.CIRCUIT_ID.hex() == HELD["circuit"]["circuit_id"]
    assert [str(statement.TAG_ID), str(statement.TAG_NULL)] == list(HELD["tags"].values())
    for row in HELD["scopes"]:
        made = statement.scope(CHAIN_ID, REGISTRY, row["partner_id"], row["purpose"], row["window_id"])
        assert made == int(row["scope"])


def test_leaves_and_nullifiers() -> None:
    for row in HELD["members"]:
        member = statement.commitment(int(row["secret"]))
        assert member == int(row["commitment"])
        attributes = ATTRIBUTES[row["attributes"]]
        assert statement.leaf(member, int(HELD["epoch_tag"]), attributes, int(row["salt"])) == int(row["leaf"])
    for row in HELD["witnesses"]:
        secret, scope = int(row["inputs"]["secret"]), int(row["inputs"]["scope"])
        assert statement.nullifier(secret, scope, row["use_index"]) == int(row["public"][0])


def test_headers() -> None:
    row = HELD["header"]
    header = EpochHeader.from_json(row["header"])
    assert header.to_json() == row["header"]
    assert header.tag == int(HELD["epoch_tag"])
    assert "0x" + header.struct_hash().hex() == row["struct_hash"]
    assert "0x" + header.digest(CHAIN_ID, REGISTRY).hex() == row["digest"]
    signed = SignedHeader.from_json({"header": row["header"], "signature": row["signature"]})
    assert "0x" + (signed.signer(CHAIN_ID, REGISTRY) or b"").hex() == row["signer"]


@pytest.mark.parametrize("row", HELD["requests"], ids=lambda row: row["signed"]["request"]["purpose"])
def test_requests(row: dict[str, Any]) -> None:
    read = SignedRequest.decode(json.dumps(row["signed"]).encode())
    assert read.to_json() == row["signed"]
    assert "0x" + read.request.struct_hash().hex() == row["struct_hash"]
    assert "0x" + read.digest.hex() == row["digest"]
    assert read.challenge == int(row["challenge"]) < R
    assert "0x" + (read.signer() or b"").hex() == row["signer"]
    assert read.request.predicate == POLICIES[row["policy"]]
    assert read.flaw(now=0, partner_key=read.signer()) is None


def test_witnesses_meet_their_policies() -> None:
    for row in HELD["witnesses"]:
        policy = POLICIES[HELD["requests"][row["request"]]["policy"]]
        assert policy.admits(ATTRIBUTES[row["member"]], row["use_index"]) is None
        public = list(row["inputs"].values())[:6]
        assert public == row["public"]


def test_grid_and_cohorts() -> None:
    grid = PolicyGrid.from_json(HELD["policy_grid"]["form"])
    assert "0x" + grid.hash().hex() == HELD["policy_grid"]["hash"] == HELD["header"]["header"]["policy_grid"]
    cohorts = Cohorts.from_json(HELD["cohorts"]["form"])
    assert "0x" + cohorts.hash().hex() == HELD["cohorts"]["hash"] == HELD["header"]["header"]["cohorts"]
    assert cohorts.members


def test_the_file_itself_is_not_read_by_the_strict_reader() -> None:
    """It is larger than anything a stranger may send: the limit is met before anything is parsed."""
    with pytest.raises(ValueError, match="at most 8192 are read"):
        decode(VECTORS.read_bytes(), "tier.json", bytes_max=8_192)

"""Proofs that snarkjs made for the tier circuit, under its development key, before the verifier for partners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proofs import groth16_reference
from proofs.groth16 import Proof, Refusal, VerificationKey, verify_batch, why_refused

HELD: dict[str, Any] = json.loads((Path(__file__).parents[2] / "proofs" / "vectors" / "tier_proof.json").read_text())
KEY = VerificationKey.from_json(HELD["verification_key"])
PROOFS = [([int(signal) for signal in each["signals"]], Proof.from_json(each["proof"])) for each in HELD["proofs"]]


def test_the_key_has_the_hash_that_the_circuit_states() -> None:
    assert "0x" + KEY.hash().hex() == HELD["vk_hash"]
    assert len(KEY.ic) == 1 + len(HELD["signals"])


def test_every_proof_holds_alone_and_in_a_batch() -> None:
    assert [why_refused(KEY, *each) for each in PROOFS] == [None] * len(PROOFS)
    assert verify_batch(KEY, PROOFS) == [True] * len(PROOFS)


def test_py_ecc_agrees() -> None:
    first = HELD["proofs"][0]
    assert groth16_reference.verify(HELD["verification_key"], PROOFS[0][0], first["proof"])


@pytest.mark.parametrize("at", range(6))
def test_each_public_signal_is_bound(at: int) -> None:
    signals, proof = PROOFS[0]
    changed = [each + (number == at) for number, each in enumerate(signals)]
    assert why_refused(KEY, changed, proof) is Refusal.EQUATION


def test_two_proofs_of_one_statement_differ_and_share_the_nullifier() -> None:
    (first, one), (second, other) = PROOFS[:2]
    assert first == second
    assert (one.a, one.b, one.c) != (other.a, other.b, other.c)
    assert why_refused(KEY, first, other) is None

"""Every vector of the differential suite: our verdict beside those of py_ecc and snarkjs that the file holds, a sample
of both asked anew, and all of it once more by the precompiles of an EVM in Rust.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import cache
from typing import Any

import pytest

from proofs import groth16_reference
from proofs.groth16 import Proof, ProofRefused, VerificationKey, verify, verify_batch
from tests.proofs.evm_pairing import verdicts_of_evm
from tests.proofs.groth16_vectors import (
    CHANGED_OF_EACH,
    CHANGES,
    DOORS,
    TRUE_OF_EACH_KEY,
    VECTORS,
    Vector,
    expanded,
    make,
    verdicts_of_snarkjs,
)
from tests.settlement.chain.anvil import running

HELD: dict[str, Any] = json.loads(VECTORS.read_text())
ALL = list(expanded(HELD))
WANTED: str = HELD["verdicts"]["py_ecc"]
KEYS = [VerificationKey.from_json(form) for form in HELD["keys"]]
BEYOND = "a coordinate plus p"
TRUE = {"true", "minus A and minus B", "k·A and k⁻¹·B"}
VECTORS_MIN = 1_000
SAMPLE = 12


@cache
def ours(at: int) -> str:
    """Our verdict on a vector, alone."""
    key = KEYS[HELD["keys"].index(ALL[at].key)]
    try:
        return "1" if verify(key, ALL[at].signals, Proof.from_json(ALL[at].proof)) else "0"
    except ProofRefused:
        return "0"


def sample(count: int = SAMPLE) -> list[int]:
    """Vectors by chance, others in each run, true ones and false ones."""
    chance = random.SystemRandom()
    sides = [[at for at, verdict in enumerate(WANTED) if verdict == side] for side in "01"]
    return sorted(at for side in sides for at in chance.sample(side, count // 2))


def test_there_are_enough_of_each_kind() -> None:
    assert len(ALL) == len(WANTED) >= VECTORS_MIN
    assert Counter(vector.case for vector in ALL) == {
        "true": len(DOORS) * TRUE_OF_EACH_KEY,
        **dict.fromkeys(CHANGES, CHANGED_OF_EACH),
    }


def test_what_is_true_is_known_beforehand() -> None:
    assert "".join("1" if vector.case in TRUE else "0" for vector in ALL) == WANTED


@pytest.mark.parametrize("case", ["true", *CHANGES])
def test_our_verdicts_are_py_eccs(case: str) -> None:
    of_case = [at for at, vector in enumerate(ALL) if vector.case == case]
    assert [ours(at) for at in of_case] == [WANTED[at] for at in of_case]


def test_batches_of_everything_that_is_a_proof() -> None:
    for form, key in zip(HELD["keys"], KEYS, strict=True):
        entries, wanted = [], []
        for at, vector in enumerate(ALL):
            if vector.key == form and (proof := read(vector)):
                entries.append((vector.signals, proof))
                wanted.append(WANTED[at] == "1")
        chance = random.Random(len(entries))
        order = chance.sample(range(len(entries)), 40)
        assert verify_batch(key, [entries[at] for at in order]) == [wanted[at] for at in order]


def read(vector: Vector) -> Proof | None:
    try:
        return Proof.from_json(vector.proof)
    except ProofRefused:
        return None


def test_py_ecc_still_says_so() -> None:
    asked = sample()
    found = [groth16_reference.verify(ALL[at].key, ALL[at].signals, ALL[at].proof) for at in asked]
    assert found == [WANTED[at] == "1" for at in asked]


def test_snarkjs_accepts_what_is_true_and_coordinates_beyond_p() -> None:
    """It reduces coordinates where we refuse them: there a proof has as many spellings as it has numbers below 2²⁵⁶."""
    wanted = "".join("1" if vector.case in TRUE | {BEYOND} else "0" for vector in ALL)
    assert HELD["verdicts"]["snarkjs"] == wanted


def test_snarkjs_still_says_so() -> None:
    asked = sample()
    assert verdicts_of_snarkjs([ALL[at] for at in asked]) == "".join(HELD["verdicts"]["snarkjs"][at] for at in asked)


def test_the_precompiles_of_an_evm_in_rust_say_so() -> None:
    with running() as node:
        assert verdicts_of_evm(node.url, ALL) == WANTED


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_file_is_its_makers() -> None:
    made = make()
    assert {name: HELD[name] for name in made if name != "verdicts"} == {
        name: value for name, value in made.items() if name != "verdicts"
    }

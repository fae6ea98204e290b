"""The verification keys that this server checks proofs with, read from folders as the circuit's build writes them.

    circuit.json            {"circuit", "circuit_id", "setup": "dev" | "ceremony", "vk_hash", "files_sha256", ..}
    verification_key.json   as snarkjs writes it

Invariants: a key whose hash is not the manifest's is not believed; a key that everybody can make, as those for
development are, is refused in production. The prover's files beside them are not read. Called by `api.serve` and tests.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofs.groth16 import VerificationKey
from proofs.json_form import hex_text
from proofs.tier.statement import CIRCUIT_ID

DEVELOPMENT, CEREMONY = "dev", "ceremony"


class CircuitRefused(ValueError):
    """A folder holds no key that may be used here; the message says why."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit's key, checked, with its words as they came."""

    circuit_id: bytes
    setup: str
    form: dict[str, Any]
    key: VerificationKey

    def to_json(self) -> dict[str, Any]:
        """As a trusted.json has it."""
        return {
            "circuit_id": hex_text(self.circuit_id),
            "setup": self.setup,
            "verification_key": self.form,
            "vk_hash": hex_text(self.key.hash()),
        }


def read_circuits(folders: Sequence[Path], *, production: bool) -> tuple[Circuit, ...]:
    """The circuits in these folders. Raises `CircuitRefused`."""
    return tuple(_read(folder, production=production) for folder in folders)


def _read(folder: Path, *, production: bool) -> Circuit:
    try:
        manifest = json.loads((folder / "circuit.json").read_bytes())
        form = json.loads((folder / "verification_key.json").read_bytes())
        key = VerificationKey.from_json(form)
    except (OSError, ValueError) as error:
        raise CircuitRefused(f"{folder}: {error}") from error
    if manifest.get("circuit_id") != hex_text(CIRCUIT_ID):
        raise CircuitRefused(f"{folder}: holds another circuit")
    if manifest.get("vk_hash") != hex_text(key.hash()):
        raise CircuitRefused(f"{folder}: the verification key has another hash than its manifest says")
    setup = manifest.get("setup")
    if setup not in {DEVELOPMENT, CEREMONY}:
        raise CircuitRefused(f"{folder}: setup is neither {DEVELOPMENT} nor {CEREMONY}")
    if production and setup == DEVELOPMENT:
        raise CircuitRefused(f"{folder}: holds a development key, with which anybody can forge proofs")
    return Circuit(CIRCUIT_ID, setup, form, key)

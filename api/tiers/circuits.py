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

from proofs.json_form import hex_text
from proofs.tier.decoding import DecodingError
from proofs.tier.statement import CIRCUIT_ID
from proofs.tier.trusted import Circuit, Setup, TrustError


class CircuitRefused(ValueError):
    """A folder holds no key that may be used here; the message says why."""


@dataclass(frozen=True, slots=True)
class Served:
    """A circuit as proofs are checked with it, and as a trusted.json has it."""

    circuit: Circuit
    form: dict[str, Any]


def read_circuits(folders: Sequence[Path], *, production: bool) -> tuple[Served, ...]:
    """The circuits in these folders. Raises `CircuitRefused`."""
    return tuple(_read(folder, production=production) for folder in folders)


def _read(folder: Path, *, production: bool) -> Served:
    try:
        manifest = json.loads((folder / "circuit.json").read_bytes())
        form = {name: manifest.get(name) for name in ("circuit_id", "setup", "vk_hash")}
        form["verification_key"] = json.loads((folder / "verification_key.json").read_bytes())
        circuit = Circuit.from_json(form, folder.name)
    except (OSError, ValueError, AttributeError, DecodingError, TrustError) as error:
        raise CircuitRefused(f"{folder}: {error}") from error
    if circuit.circuit_id != CIRCUIT_ID:
        raise CircuitRefused(f"{folder}: holds {hex_text(circuit.circuit_id)}, another circuit")
    if production and circuit.setup is Setup.DEV:
        raise CircuitRefused(f"{folder}: holds a development key, with which anybody can forge proofs")
    return Served(circuit, form)

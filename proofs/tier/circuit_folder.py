"""A circuit's keys in a folder, as its build and a ceremony write them, for whoever serves, deploys or proves.

    circuit.json            {"circuit", "circuit_id", "setup": "dev" | "ceremony", "vk_hash", "files_sha256", ..}
    verification_key.json   as snarkjs writes it

Invariants: a key whose hash is not the manifest's is not believed, nor one of a circuit that this code does not know;
the key of development is that, whatever a manifest calls it; files are bounded. The prover's files beside them are not
read. Called by the doors, by founding and by settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from proofs.json_form import hex_bytes, hex_text
from proofs.tier.decoding import DecodingError
from proofs.tier.statement import CIRCUIT_ID
from proofs.tier.trusted import Circuit, Setup, TrustError, setup_of

FILE_BYTES_MAX: Final = 64 * 1024


class CircuitUnfit(ValueError):
    """A folder of circuit files, or a verifier's artifact, is not what it should be, or they do not belong together."""


@dataclass(frozen=True, slots=True)
class CircuitKeys:
    """A circuit as proofs are checked with it, and its form as a trusted.json has it."""

    circuit: Circuit
    form: dict[str, Any]


def read_keys(folder: Path) -> CircuitKeys:
    """The circuit and the verification key of a folder. Raises `CircuitUnfit`."""
    told = object_in(folder / "circuit.json")
    form = {name: told.get(name) for name in ("circuit_id", "setup", "vk_hash")}
    form["verification_key"] = object_in(folder / "verification_key.json")
    try:
        circuit = Circuit.from_json(form, folder.name)
    except (DecodingError, TrustError) as error:
        raise CircuitUnfit(f"{folder}: {error}") from error
    if circuit.circuit_id != CIRCUIT_ID:
        raise CircuitUnfit(f"{folder}: holds {hex_text(circuit.circuit_id)}, another circuit")
    return CircuitKeys(circuit, form)


def setup_in(folder: Path) -> Setup:
    """Where the keys of a folder come from, by its manifest alone. Raises `CircuitUnfit`."""
    told = object_in(folder / "circuit.json")
    try:
        return setup_of(told["setup"], hex_bytes(told["vk_hash"]))
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise CircuitUnfit(f"{folder}: circuit.json is no manifest of a circuit: {error!r}") from error


def object_in(path: Path, bytes_max: int = FILE_BYTES_MAX) -> dict[str, Any]:
    """The JSON object in a file. Raises `CircuitUnfit`."""
    if not path.is_file() or path.stat().st_size > bytes_max:
        raise CircuitUnfit(f"{path}: no such file, or one of more than {bytes_max} bytes")
    try:
        told = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CircuitUnfit(f"{path}: not JSON") from error
    if not isinstance(told, dict):
        raise CircuitUnfit(f"{path}: not a JSON object")
    return told

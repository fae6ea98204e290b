"""The registry of tiers, founded beside the other contracts: deployed, with its circuit and the partners that may ask.

Invariants: every step has a purpose in the outbox, so what was cut goes on where it was; an alliance that was founded
without a registry gets it the next time it is founded with one; the place is written down once, and leaves name it, so
there is never another. A circuit is the one that its manifest names, and a verifier is deployed only if every number of
that circuit's key stands in its code: a verifier of the development keys under a ceremony's name would let anybody
forge; and the key of development is that, whatever a manifest calls it. Called by deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from proofs.groth16 import VerificationKey
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.tier.statement import CIRCUIT_ID
from proofs.tier.trusted import setup_of
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import call, create, create_code
from settlement.tables import Conn
from settlement.tiers.place import RegistryPlace, registry_place, set_registry_place

GRACE_S = 86_400
REGISTER_GAS = 250_000
FILE_BYTES_MAX = 64 * 1024
ARTIFACT_BYTES_MAX = 1024 * 1024
WORD_BYTES = 32

_SOURCES = Path(__file__).resolve().parents[2]
DEVELOPMENT = _SOURCES / "proofs" / "circuits" / "dev"
VERIFIER = _SOURCES / "contracts" / "generated" / "TierProofVerifier.json"
"""The development keys and their verifier, where the sources are; in no wheel, being under another licence."""


class CircuitUnfit(ValueError):
    """A folder of circuit files, or a verifier's artifact, is not what it should be, or they do not belong together."""


class Setup(IntEnum):
    """Where a circuit's keys come from, by the contract's numbers."""

    DEVELOPMENT = 0
    CEREMONY = 1


SETUPS = {"dev": Setup.DEVELOPMENT, "ceremony": Setup.CEREMONY}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCircuit:
    """A circuit to be registered: its id, the hash of its key, who made that, and the verifier's creation code."""

    circuit_id: bytes
    vk_hash: bytes
    setup: Setup
    verifier: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TierFounding:
    """What a registry begins with. `epoch_key` is an address, as are those of `partners`, by their number."""

    epoch_key: bytes
    circuit: NewCircuit
    partners: Mapping[int, bytes] = field(default_factory=dict)
    grace_s: int = GRACE_S


def read_circuit(folder: Path, artifact: Path = VERIFIER) -> NewCircuit:
    """The circuit of a folder (`circuit.json` and `verification_key.json`) and the verifier that was exported with its
    keys. Raises `CircuitUnfit`.
    """
    told = _object(folder / "circuit.json", FILE_BYTES_MAX)
    key = _object(folder / "verification_key.json", FILE_BYTES_MAX)
    built = _object(artifact, ARTIFACT_BYTES_MAX)
    try:
        circuit_id, vk_hash, verifier = (
            bytes.fromhex(text.removeprefix("0x")) for text in (told["circuit_id"], told["vk_hash"], built["bytecode"])
        )
        setup, checked = SETUPS[setup_of(told["setup"], vk_hash)], VerificationKey.from_json(key)
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise CircuitUnfit(f"{folder} and {artifact}: not a circuit and its verifier: {error!r}") from error
    if circuit_id != CIRCUIT_ID or vk_hash != checked.hash():
        raise CircuitUnfit(f"{folder}: of another circuit, or a key with another hash than its manifest says")
    if not all(_word(number) in verifier for number in _numbers(checked)):
        raise CircuitUnfit(f"{artifact}: was made for another key than that of {folder}")
    return NewCircuit(circuit_id=circuit_id, vk_hash=vk_hash, setup=setup, verifier=verifier)


def setup_in(folder: Path) -> Setup:
    """Where the keys of a folder come from, by its manifest alone. Raises `CircuitUnfit`."""
    told = _object(folder / "circuit.json", FILE_BYTES_MAX)
    try:
        return SETUPS[setup_of(told["setup"], bytes.fromhex(told["vk_hash"].removeprefix("0x")))]
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise CircuitUnfit(f"{folder}: circuit.json is no manifest of a circuit: {error!r}") from error


def _numbers(key: VerificationKey) -> Iterator[int]:
    """Every coordinate of the key."""
    for point in (key.alpha, *key.ic):
        yield from point
    for x, y in (key.beta, key.gamma, key.delta):
        yield from (*x, *y)


def _word(number: int) -> bytes:
    """A constant as code holds it: without the zeros before it."""
    return number.to_bytes(WORD_BYTES, "big").lstrip(b"\0")


def found_tiers(conn: Conn, chain: Chain, outbox: Outbox, founding: TierFounding) -> RegistryPlace:
    """The registry with its circuit and partners, as far as they are missing. Raises `Refused` where roles were handed
    over and something is missing that only the council may add.
    """
    registry, deploy_block = create(chain, outbox, "TierRegistry", outbox.sender, founding.epoch_key, founding.grace_s)
    _register(registry, outbox, founding.circuit)
    for partner_id, key in sorted(founding.partners.items()):
        if registry.read("partnerKey", partner_id) == _address(b""):
            call(outbox, f"setPartner:{partner_id}:{key.hex()}", registry, "setPartner", partner_id, key)
    place = registry_place(conn)
    if place is None:
        place = RegistryPlace(
            chain_id=outbox.chain_id,
            address=registry.address,
            code_hash=keccak256(chain.code(registry.address)),
            deploy_block=deploy_block,
        )
        set_registry_place(conn, place)
    return place


def _register(registry: Contract, outbox: Outbox, circuit: NewCircuit) -> None:
    name = circuit.vk_hash.hex()[:16]
    verifier, _ = create_code(outbox, f"deploy:TierProofVerifier:{name}", circuit.verifier)
    arguments = circuit.circuit_id, verifier, circuit.vk_hash, int(circuit.setup)
    call(outbox, f"registerCircuit:{name}", registry, "registerCircuit", *arguments, gas=REGISTER_GAS)


def _address(raw: bytes) -> str:
    return hex_text(raw.rjust(20, b"\0"))


def _object(path: Path, bytes_max: int) -> dict[str, Any]:
    if not path.is_file() or path.stat().st_size > bytes_max:
        raise CircuitUnfit(f"{path}: no such file, or one of more than {bytes_max} bytes")
    try:
        told = json.loads(path.read_bytes())
    except ValueError as error:
        raise CircuitUnfit(f"{path}: not JSON") from error
    if not isinstance(told, dict):
        raise CircuitUnfit(f"{path}: not a JSON object")
    return told

"""The registry of tiers, founded beside the other contracts: deployed, with its circuit and the partners that may ask.

Invariants: every step has a purpose in the outbox, so what was cut goes on where it was; an alliance that was founded
without a registry gets it the next time it is founded with one; the place is written down once, and leaves name it, so
there is never another. A circuit is the one that its manifest names, with a verifier made for that very key; which code
a verifier has, `addresses` and the tests hold fast. Called by deployment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from proofs.json_form import hex_text
from proofs.keccak import keccak256
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import call, create, create_code
from settlement.tables import Conn
from settlement.tiers.place import RegistryPlace, registry_place, set_registry_place

GRACE_S = 86_400
REGISTER_GAS = 250_000
MANIFEST_BYTES_MAX = 64 * 1024
ARTIFACT_BYTES_MAX = 1024 * 1024
WORD_BYTES = 32

VERIFIER = Path(__file__).resolve().parents[2] / "contracts" / "generated" / "TierProofVerifier.json"
"""The verifier of the development keys, where the sources are; not in a wheel, for it is under another licence."""


class CircuitUnfit(ValueError):
    """A folder of circuit files, or a verifier's artifact, is not what it should be."""


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


def read_circuit(manifest: Path, artifact: Path = VERIFIER) -> NewCircuit:
    """The circuit of a `circuit.json` and of the artifact of the verifier that was exported with it. Raises
    `CircuitUnfit`.
    """
    told, built = _object(manifest, MANIFEST_BYTES_MAX), _object(artifact, ARTIFACT_BYTES_MAX)
    try:
        circuit_id, vk_hash, verifier = (
            bytes.fromhex(text.removeprefix("0x")) for text in (told["circuit_id"], told["vk_hash"], built["bytecode"])
        )
        setup = SETUPS[told["setup"]]
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise CircuitUnfit(f"{manifest} and {artifact}: not a circuit and its verifier: {error!r}") from error
    if len(circuit_id) != WORD_BYTES or len(vk_hash) != WORD_BYTES or not verifier:
        raise CircuitUnfit(f"{manifest} and {artifact}: a hash of another length, or no code")
    return NewCircuit(circuit_id=circuit_id, vk_hash=vk_hash, setup=setup, verifier=verifier)


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

"""The registry of tiers, founded beside the other contracts: deployed, with its circuit and the partners that may ask.

Invariants: every step has a purpose in the outbox, so what was cut goes on where it was; an alliance that was founded
without a registry gets it the next time it is founded with one; the place is written down once, and leaves name it, so
there is never another. A circuit is the one that its manifest names, and a verifier is deployed only if every number of
that circuit's key stands in its code: a verifier of the development keys under a ceremony's name would let anybody
forge; and the key of development is that, whatever a manifest calls it. Called by deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from proofs.groth16 import VerificationKey
from proofs.json_form import hex_bytes, hex_text
from proofs.keccak import keccak256
from proofs.tier.circuit_folder import CircuitUnfit, object_in, read_keys
from proofs.tier.trusted import Setup
from settlement import second_node
from settlement.alliance import OtherCode
from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import call, create, create_code
from settlement.deployment.code import differences
from settlement.tables import Conn
from settlement.tiers.place import RegistryPlace, registry_place, set_registry_place

GRACE_S = 86_400
REGISTER_GAS = 250_000
ARTIFACT_BYTES_MAX = 1024 * 1024
WORD_BYTES = 32

_SOURCES = Path(__file__).resolve().parents[2]
DEVELOPMENT = _SOURCES / "proofs" / "circuits" / "dev"
VERIFIER = _SOURCES / "contracts" / "generated" / "TierProofVerifier.json"
"""The development keys and their verifier, where the sources are; in no wheel, being under another licence."""
SETUP_NUMBERS = {Setup.DEV: 0, Setup.CEREMONY: 1}
"""As the contract has them."""


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
    """The circuit of a folder and the verifier that was exported with its keys. Raises `CircuitUnfit`."""
    circuit, built = read_keys(folder).circuit, object_in(artifact, ARTIFACT_BYTES_MAX)
    try:
        verifier = hex_bytes(built["bytecode"])
    except (KeyError, AttributeError, ValueError) as error:
        raise CircuitUnfit(f"{artifact}: not a verifier: {error!r}") from error
    if not all(_word(number) in verifier for number in _numbers(circuit.key)):
        raise CircuitUnfit(f"{artifact}: was made for another key than that of {folder}")
    return NewCircuit(circuit_id=circuit.circuit_id, vk_hash=circuit.vk_hash, setup=circuit.setup, verifier=verifier)


def _numbers(key: VerificationKey) -> Iterator[int]:
    """Every coordinate of the key."""
    for point in (key.alpha, *key.ic):
        yield from point
    for x, y in (key.beta, key.gamma, key.delta):
        yield from (*x, *y)


def _word(number: int) -> bytes:
    """A constant as code holds it: without the zeros before it."""
    return number.to_bytes(WORD_BYTES, "big").lstrip(b"\0")


@dataclass(frozen=True, slots=True)
class _Made:
    """The registry that was just made, as a node shows it, and perhaps another."""

    contract: Contract
    made_by: bytes
    second: Chain | None

    @property
    def chain(self) -> Chain:
        return self.contract.chain

    def by_second(self) -> _Made:
        assert self.second is not None, "there is one"
        return replace(self, contract=replace(self.contract, chain=self.second), second=None)

    def seen(self) -> tuple[int, bytes, int | None]:
        """Of which chain, with which code, and in which block it was made."""
        receipt = self.chain.receipt(self.made_by)
        block = None if receipt is None else receipt.block_number
        return self.chain.chain_id(), self.chain.code(self.contract.address), block


def found_tiers(
    conn: Conn, chain: Chain, outbox: Outbox, founding: TierFounding, *, second: Chain | None = None
) -> RegistryPlace:
    """The registry with its circuit and partners, as far as they are missing. Raises `Refused` where roles were handed
    over and something is missing that only the council may add, `NodesDisagree` where the `second` node does not bear
    out what is about to be written down for good, `OtherCode` where that is not the compiled contract.
    """
    registry, deploy_block = create(chain, outbox, "TierRegistry", outbox.sender, founding.epoch_key, founding.grace_s)
    _register(registry, outbox, founding.circuit)
    for partner_id, key in sorted(founding.partners.items()):
        if registry.read("partnerKey", partner_id) == _address(b""):
            call(outbox, f"setPartner:{partner_id}:{key.hex()}", registry, "setPartner", partner_id, key)
    place = registry_place(conn)
    if place is None:
        place = _borne_out(registry, outbox, second, deploy_block)
        with conn.transaction():
            outbox.require_lead()
            set_registry_place(conn, place)
    return place


def _borne_out(registry: Contract, outbox: Outbox, second: Chain | None, deploy_block: int) -> RegistryPlace:
    (made_by,) = outbox.mined("deploy:TierRegistry" + outbox.scope)
    made = _Made(registry, made_by, second)
    second_node.wait_for(made, deploy_block, meanwhile=outbox.renew)
    chain_id, code, block = second_node.agreed(made, "the registry of tiers", _Made.seen)
    if apart := differences("TierRegistry", code):
        raise OtherCode(f"the registry of tiers at 0x{registry.address.hex()} is not the compiled one: {apart}")
    if (chain_id, block) != (outbox.chain_id, deploy_block):
        raise ChainUnclear(f"{made.chain.place} says something else of the registry of tiers than before")
    return RegistryPlace(
        chain_id=chain_id, address=registry.address, code_hash=keccak256(code), deploy_block=deploy_block
    )


def _register(registry: Contract, outbox: Outbox, circuit: NewCircuit) -> None:
    name = circuit.vk_hash.hex()[:16]
    verifier, _ = create_code(outbox, f"deploy:TierProofVerifier:{name}", circuit.verifier)
    arguments = circuit.circuit_id, verifier, circuit.vk_hash, SETUP_NUMBERS[circuit.setup]
    call(outbox, f"registerCircuit:{name}", registry, "registerCircuit", *arguments, gas=REGISTER_GAS)


def _address(raw: bytes) -> str:
    return hex_text(raw.rjust(20, b"\0"))

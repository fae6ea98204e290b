"""The contract that holds roots, as the sealing of epochs sees it: a port, and the real one over the outbox.

Invariants: what the contract holds at a finalised block decides, not what was sent, and where there is a second node
what cannot be taken back rests on both; a transaction has a purpose in the outbox, so it is sent once however often it
is asked for; what the contract would refuse is found out by asking and is not signed. Called by `epochs` and the
command.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol

from proofs.json_form import hex_bytes, hex_text
from proofs.keccak import keccak256
from proofs.tier.header import SignedHeader
from proofs.tier.statement import CIRCUIT_ID
from proofs.tier.trusted import Setup
from settlement import second_node
from settlement.alliance import NotFounded, OtherCode
from settlement.chain.client import Chain, ChainUnclear, Head, Tag
from settlement.chain.contracts import Contract
from settlement.chain.nonces import open_purposes
from settlement.chain.outbox import Intent, Outbox
from settlement.steps import Fate, stuck
from settlement.tables import Conn
from settlement.tiers.founding import SETUP_NUMBERS
from settlement.tiers.place import registry_place

PURPOSES: Final = "tier-"
"""With this begins what the outbox knows a transaction about epochs by."""
PUBLISH_GAS: Final = 400_000
REVOKE_GAS: Final = 120_000
NO_HASH: Final = bytes(32)
LEAD_WAIT_S: Final = 20.0


class Circuit(NamedTuple):
    """What new headers have to name, and whether its key was made for development only."""

    circuit_id: bytes
    vk_hash: bytes
    development: bool


class Held(NamedTuple):
    """What the contract holds under an epoch's number: the header's struct hash (32 zero bytes: nothing)."""

    header_hash: bytes
    revoked: bool


class BorneOut(NamedTuple):
    """The same, with the number of the newest epoch there (0 before the first), as final blocks have it."""

    header_hash: bytes
    revoked: bool
    last: int


class NoCircuit(RuntimeError):
    """No circuit is registered yet: governance registers one."""


class GuardianNeeded(RuntimeError):
    """The contract takes a revocation from a guardian alone, and our account is none: it was handed over."""

    def __init__(self, contract: bytes, data: bytes) -> None:
        super().__init__(f"a guardian has to revoke it on the chain: call {hex_text(contract)} with {hex_text(data)}")


class Registry(Protocol):
    """The port to the contract."""

    @property
    def chain_id(self) -> int: ...

    @property
    def address(self) -> bytes: ...

    def circuit(self) -> Circuit:
        """The circuit that new epochs use. Raises `NoCircuit`."""
        ...

    def signer(self) -> bytes:
        """The address by which headers have to be signed."""
        ...

    def grace_seconds(self) -> int:
        """How long after their end epochs still count."""
        ...

    def last(self) -> tuple[int, bytes]:
        """Number and struct hash of the newest epoch, as of now; (0, 32 zero bytes) before the first."""
        ...

    def held(self, epoch: int) -> Held:
        """What is there under this number for good."""
        ...

    def borne_out(self, epoch: int) -> BorneOut:
        """What two nodes show there at a block that both call final, or the one there is. Raises `ChainUnclear`, and
        `NodesDisagree` where they show different things.
        """
        ...

    def publish(self, signed: SignedHeader) -> None:
        """See to it that the header comes there. Returns at once; `held` says when it is there."""
        ...

    def revoke(self, epoch: int) -> None:
        """See to it that the epoch counts no more. Raises `GuardianNeeded`."""
        ...

    def settle(self) -> None:
        """Write down how what was sent has ended, as far as it has. Raises `ChainError`."""
        ...


@dataclass(frozen=True, slots=True)
class OnChain:
    """TierRegistry on its chain, written to by the operator's account."""

    conn: Conn
    contract: Contract
    outbox: Outbox
    deploy_block: int = 0
    second: Chain | None = None

    @property
    def chain(self) -> Chain:
        return self.contract.chain

    def by_second(self) -> OnChain:
        """The same as the second node shows it; nothing is sent by it."""
        assert self.second is not None, "there is one"
        return replace(self, contract=replace(self.contract, chain=self.second), second=None)

    @property
    def chain_id(self) -> int:
        return self.outbox.chain_id

    @property
    def address(self) -> bytes:
        return self.contract.address

    def circuit(self) -> Circuit:
        number = self.contract.read("circuitNoOf", CIRCUIT_ID)
        if not number:
            raise NoCircuit(f"the contract has no circuit {CIRCUIT_ID.hex()}")
        circuit_id, vk_hash, _, setup, _ = self.contract.read("circuit", number)
        return Circuit(circuit_id, vk_hash, setup == SETUP_NUMBERS[Setup.DEV])

    def signer(self) -> bytes:
        return hex_bytes(self.contract.read("epochKey"))

    def grace_seconds(self) -> int:
        return int(self.contract.read("graceSeconds"))

    def last(self) -> tuple[int, bytes]:
        epoch, header_hash = self.contract.read("lastEpoch")
        return int(epoch), bytes(header_hash)

    def held(self, epoch: int) -> Held:
        return self._held(epoch, "finalized")

    def borne_out(self, epoch: int) -> BorneOut:
        at = second_node.settled(self)
        return second_node.agreed(self, f"epoch {epoch} at block {at.number}", lambda each: each.final(epoch, at))

    def final(self, epoch: int, at: Head) -> BorneOut:
        """As this node shows it at a block that is final."""
        found = BorneOut(*self._held(epoch, at.number), self.contract.read("lastEpoch", tag=at.number)[0])
        if self.chain.head(at.number).hash != at.hash:
            raise ChainUnclear(f"block {at.number} was replaced while it was read")
        return found

    def settle(self) -> None:
        """Whoever sent it, a guardian too: what has ended is open no more."""
        for sender, purpose in open_purposes(self.conn, chain_id=self.chain_id, prefix=PURPOSES):
            Outbox(self.conn, self.chain, _Onlooker(sender)).observe(purpose)

    def _held(self, epoch: int, tag: Tag) -> Held:
        _, header_hash, _, _, _, revoked = self.contract.read("epochOf", epoch, tag=tag)
        return Held(bytes(header_hash), bool(revoked))

    def publish(self, signed: SignedHeader) -> None:
        """Raises `Refused` when the contract would not take it."""
        if self._held(signed.header.epoch, "latest").header_hash == signed.header.struct_hash():
            return  # there already, and on its way to being final
        self._send(
            f"{PURPOSES}epoch:{signed.header.epoch}",
            self.contract.data("publishEpoch", signed.header, signed.signature),
            PUBLISH_GAS,
        )

    def revoke(self, epoch: int) -> None:
        """Raises `GuardianNeeded` after a hand-over, `Refused` when the contract would not take it otherwise."""
        if self._held(epoch, "latest").revoked:
            return
        data = self.revocation(epoch)
        if not self._guards(self.outbox.sender):
            raise GuardianNeeded(self.address, data)
        self._send(f"{PURPOSES}revoke:{epoch}", data, REVOKE_GAS)

    def revocation(self, epoch: int) -> bytes:
        """What a guardian calls the contract with."""
        return self.contract.data("revokeEpoch", epoch)

    def guardians(self) -> list[bytes]:
        """Who may revoke now, of those to whom it was ever given since the contract's first block."""
        role = self.contract.read("GUARDIAN_ROLE")
        given = self.contract.events("RoleGranted", first=self.deploy_block, topics=[role])
        accounts = {hex_bytes(event.fields["account"]) for event in given}
        return sorted(filter(self._guards, accounts))

    def _guards(self, account: bytes) -> bool:
        return bool(self.contract.read("hasRole", self.contract.read("GUARDIAN_ROLE"), account))

    def _send(self, purpose: str, data: bytes, gas: int) -> None:
        with self.outbox.leading(wait_s_max=LEAD_WAIT_S) as outbox:
            seen = outbox.observe(purpose)
            newest = seen.newest if seen.fate is Fate.WAITING else None
            if newest is not None and stuck(age_s=newest.age_s, replacements=seen.replacements):
                outbox.bump(purpose)
                return
            if seen.fate in {Fate.REVERTED, Fate.DROPPED}:
                outbox.retire(purpose)
            if not outbox.is_signed(purpose):
                self.contract.try_out(data, sender=outbox.sender, gas=gas, tag="pending")
            outbox.submit(Intent(purpose, self.contract.address, data, gas))


@dataclass(frozen=True, slots=True)
class _Onlooker:
    """An account whose transactions are looked at, and whose key is elsewhere."""

    address: bytes

    def sign(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        raise AssertionError(f"nothing is signed by whoever looks at nonce {fields['nonce']}")


def attach(conn: Conn, chain: Chain, outbox: Outbox, *, second: Chain | None = None) -> OnChain:
    """The contract of this database on this chain. Raises `NotFounded`, `OtherCode`."""
    place = registry_place(conn)
    if place is None:
        raise NotFounded("no TierRegistry is recorded in this database")
    if place.chain_id != outbox.chain_id or keccak256(chain.code(place.address)) != place.code_hash:
        raise OtherCode(f"0x{place.address.hex()} does not hold the TierRegistry that was deployed there")
    return OnChain(conn, Contract(chain, "TierRegistry", place.address), outbox, place.deploy_block, second)

"""The statement of a tier proof: which values the circuit relates, and the six public signals in their order.

    C = poseidon(TAG_ID, secret)                          the member's commitment
    L = poseidon(C, epochTag, A, salt)                    the member's leaf in an epoch
    N = poseidon(TAG_NULL, secret, scope, useIndex)       what a use leaves behind

Invariants: tags and scopes are 248 bits, hence field elements; addresses are 20 bytes. Called by every part of tier
proofs; Solidity, JavaScript and the circuit are held to it by proofs/vectors/tier.json.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

from proofs.keccak import keccak256
from proofs.poseidon import poseidon
from proofs.tier.attributes import Attributes
from proofs.words import uint_word

DEPTH: Final = 24
CIRCUIT: Final = f"TierProofV1({DEPTH})"
CIRCUIT_ID: Final = keccak256(CIRCUIT.encode())
SECRET_BITS: Final = 248
SCOPE_DOMAIN: Final = "LAZK-scope-v1"


def truncated(word: bytes) -> int:
    """A hash as a field element: its upper 248 bits."""
    return int.from_bytes(word, "big") >> 8


TAG_ID: Final = truncated(keccak256(b"tongdui.tier.v1.identity"))
TAG_NULL: Final = truncated(keccak256(b"tongdui.tier.v1.nullifier"))


@dataclass(frozen=True, slots=True)
class PublicSignals:
    """The circuit's public inputs, in its order."""

    nullifier: int
    root: int
    epoch_tag: int
    scope: int
    challenge: int
    policy: int

    def in_order(self) -> list[int]:
        """What the verifier is given."""
        return list(astuple(self))


def commitment(secret: int) -> int:
    """What the ledger keeps of a member's secret."""
    return poseidon([TAG_ID, secret])


def leaf(member: int, tag: int, attributes: Attributes, salt: int) -> int:
    """The leaf of the member with that commitment under that epoch's tag."""
    return poseidon([member, tag, attributes.packed(), salt])


def nullifier(secret: int, within: int, use_index: int) -> int:
    """The same for the same secret, scope and use; nothing else of them can be read from it."""
    return poseidon([TAG_NULL, secret, within, use_index])


def scope(chain_id: int, registry: bytes, partner_id: int, purpose: str, window_id: int) -> int:
    """Where nullifiers of one member meet: one partner, one purpose, one window, on one registry."""
    words = (
        keccak256(SCOPE_DOMAIN.encode()),
        uint_word(chain_id),
        bytes(12) + registry,
        uint_word(partner_id),
        keccak256(purpose.encode()),
        uint_word(window_id),
    )
    return truncated(keccak256(b"".join(words)))


def alliance_id(chain_id: int, registry: bytes) -> int:
    """The 32 bits by which leaves name their alliance: the first of keccak256(abi.encode(chainId, registry))."""
    return int.from_bytes(keccak256(uint_word(chain_id) + bytes(12) + registry)[:4], "big")


def epoch_tag(alliance: int, epoch: int) -> int:
    """Alliance and epoch in one number; both below 2^32."""
    if alliance >> 32 or epoch >> 32:
        raise ValueError("alliance and epoch are numbers of 32 bits")
    return alliance << 32 | epoch

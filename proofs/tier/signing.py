"""The EIP-712 domain of tier proofs and signatures of 65 bytes (r, s, v) over its digests, as contracts recover them.

Invariants: only low s and v of 27 or 28 are read, so a signature has no twin. Called by `request` and `header`.
"""

from __future__ import annotations

from coincurve import PrivateKey

from proofs.messages import domain_separator, signed_digest
from proofs.signature import SignatureError, recover, sign

DOMAIN_NAME = "Tongdui Tier"
DOMAIN_VERSION = "1"
SIGNATURE_BYTES = 65
_V_EVEN = 27


def tier_domain(chain_id: int, registry: bytes) -> bytes:
    """The domain separator of one TierRegistry (20 bytes)."""
    return domain_separator(chain_id=chain_id, hub=registry, name=DOMAIN_NAME, version=DOMAIN_VERSION)


def digest_of(struct_hash: bytes, chain_id: int, registry: bytes) -> bytes:
    """The 32 bytes that are signed."""
    return signed_digest(tier_domain(chain_id, registry), struct_hash)


def signed(key: PrivateKey, digest: bytes) -> bytes:
    """The 65 bytes r ‖ s ‖ v for a digest."""
    r, vs = sign(key, digest)
    return r + bytes([vs[0] & 0x7F]) + vs[1:] + bytes([_V_EVEN + (vs[0] >> 7)])


def signer_of(digest: bytes, signature: bytes) -> bytes:
    """The 20-byte address that signed. Raises `SignatureError` for anything that a contract would refuse."""
    if len(signature) != SIGNATURE_BYTES or signature[-1] - _V_EVEN not in {0, 1}:
        raise SignatureError("65 bytes ending in 27 or 28 are wanted")
    s = int.from_bytes(signature[32:64], "big")
    if s >> 255:
        raise SignatureError("s must be in the lower half of the order")
    vs = s | (signature[-1] - _V_EVEN) << 255
    return recover(digest, signature[:32], vs.to_bytes(32, "big"))

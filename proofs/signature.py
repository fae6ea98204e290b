"""Signatures over secp256k1 in EIP-2098 compact form: r, and vs = s with the parity bit on top.

Only one form of a signature exists: s in the lower half of the order, r and s not zero; anything else is refused, so a
signature cannot be altered into a twin. Addresses are 20 bytes. Source: EIP-2098, EIP-2 (low s).
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from proofs.keccak import keccak256

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = ORDER // 2
_HALF_ORDER_WORD = HALF_ORDER.to_bytes(32, "big")
_PARITY_BIT = 1 << 255
ADDRESSES_MAX = 2**16
"""Signers a `Recovery` remembers before it begins anew."""


class SignatureError(ValueError):
    """The signature is malformed, high-s, zero, or no public key belongs to it."""


def sign(private_key: PrivateKey, digest: bytes) -> tuple[bytes, bytes]:
    """The compact signature (r, vs), two words, of a 32-byte digest; deterministic (RFC 6979), always low-s."""
    raw = private_key.sign_recoverable(digest, hasher=None)
    vs = int.from_bytes(raw[32:64], "big") | (_PARITY_BIT if raw[64] & 1 else 0)
    return raw[:32], vs.to_bytes(32, "big")


def recover(digest: bytes, r: bytes, vs: bytes) -> bytes:
    """The 20-byte address that signed `digest`.

    Raises `SignatureError` for anything that the contract would refuse too.
    """
    packed = int.from_bytes(vs, "big")
    s = packed & ~_PARITY_BIT
    if not 0 < s <= HALF_ORDER or not any(r):
        raise SignatureError("r and s must not be zero and s must be in the lower half of the order")
    raw = r + s.to_bytes(32, "big") + bytes([packed >> 255])
    try:
        public = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as error:
        raise SignatureError("no public key belongs to this signature") from error
    return address_of(public)


class Recovery:
    """Recovers signer after signer without an object for each: what `recover` answers, in less time.

    The last signature's key stays in a buffer of its own, so an instance belongs to one thread. Few signers sign many
    events: each address is computed once.
    """

    def __init__(self) -> None:
        self._context = GLOBAL_CONTEXT.ctx
        self._signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
        self._public = ffi.new("secp256k1_pubkey *")
        self._key = ffi.buffer(self._public)
        self._addresses: dict[bytes, bytes] = {}

    def address(self, digest: bytes, r: bytes, vs: bytes) -> bytes:
        """As `recover`, of words of 32 bytes."""
        parity = vs[0] >> 7
        s = bytes((vs[0] & 0x7F,)) + vs[1:] if parity else vs
        if s > _HALF_ORDER_WORD or not (
            lib.secp256k1_ecdsa_recoverable_signature_parse_compact(self._context, self._signature, r + s, parity)
            and lib.secp256k1_ecdsa_recover(self._context, self._public, self._signature, digest)
        ):
            return recover(digest, r, vs)
        key = self._key[:]
        return self._addresses.get(key) or self._remember(key)

    def _remember(self, key: bytes) -> bytes:
        if len(self._addresses) >= ADDRESSES_MAX:
            self._addresses.clear()
        address = address_of(PublicKey(self._public, context=GLOBAL_CONTEXT))
        self._addresses[key] = address
        return address


def address_of(public: PublicKey) -> bytes:
    """The 20-byte address of a public key."""
    return keccak256(public.format(compressed=False)[1:])[12:]

"""The reading half of HPKE, base mode, DHKEM(X25519, HKDF-SHA256) with HKDF-SHA256 and AES-GCM, straight from RFC 9180.

Tests open with it what the library wrapped: two implementations that agree on the RFC's own example and on each other.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEM_SUITE = b"KEM" + bytes.fromhex("0020")
AES_128_GCM, AES_256_GCM = (1, 16), (2, 32)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a receiver derives from `enc`."""

    shared: bytes
    key: bytes
    nonce: bytes

    def read(self, ciphertext: bytes, aad: bytes = b"") -> bytes:
        return AESGCM(self.key).decrypt(self.nonce, ciphertext, aad)


def derive_key(seed: bytes) -> X25519PrivateKey:
    """DeriveKeyPair, §7.1.3."""
    return X25519PrivateKey.from_private_bytes(
        _expand(KEM_SUITE, _extract(KEM_SUITE, b"", b"dkp_prk", seed), b"sk", b"", 32)
    )


def open_for(private: X25519PrivateKey, enc: bytes, info: bytes, aead: tuple[int, int] = AES_256_GCM) -> Opened:
    """Decap (§4.1) and KeySchedule (§5.1) in base mode."""
    number, key_bytes = aead
    suite = b"HPKE" + bytes.fromhex("00200001") + number.to_bytes(2, "big")
    agreed = private.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + private.public_key().public_bytes_raw()
    shared = _expand(KEM_SUITE, _extract(KEM_SUITE, b"", b"eae_prk", agreed), b"shared_secret", context, 32)
    schedule = b"\x00" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    secret = _extract(suite, shared, b"secret", b"")
    return Opened(
        shared, _expand(suite, secret, b"key", schedule, key_bytes), _expand(suite, secret, b"base_nonce", schedule, 12)
    )


def _extract(suite: bytes, salt: bytes, label: bytes, text: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + text, sha256)


def _expand(suite: bytes, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    labeled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
    return hmac.digest(secret, labeled + b"\x01", sha256)[:size]

"""Wrapping a batch's key for one reader: the sending half of HPKE (RFC 9180), base mode, with a derived instead of a
random ephemeral key.

Suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; no additional data. Any HPKE library opens it,
`cryptography` among them; that library cannot make it, because it draws the ephemeral key at random and the manifest,
whose hash stands in the batch header, must come out the same when a batch is sealed again after a crash. The
ephemeral seed must be secret and used for one (reader, text) only: then a derived key is as good as a drawn one
(§7.1.3 of the RFC defines the derivation). Called by `publish` alone.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENC_BYTES = 32
_KEM_SUITE: Final = b"KEM" + bytes.fromhex("0020")
_SUITE: Final = b"HPKE" + bytes.fromhex("002000010002")
_BASE_MODE: Final = b"\x00"
_KEY_BYTES, _NONCE_BYTES, _SECRET_BYTES = 32, 12, 32


def wrap(text: bytes, *, recipient: bytes, seed: bytes, info: bytes) -> tuple[bytes, bytes]:
    """(enc, ciphertext) of `text` for the holder of the X25519 public key `recipient` (32 bytes); `seed` is secret
    and never used for anything else.

    Raises ValueError for a public key of low order.
    """
    ephemeral = derive_key(seed)
    enc = ephemeral.public_key().public_bytes_raw()
    shared = shared_secret(ephemeral, recipient)
    context = _BASE_MODE + _extract(_SUITE, b"", b"psk_id_hash", b"") + _extract(_SUITE, b"", b"info_hash", info)
    secret = _extract(_SUITE, shared, b"secret", b"")
    key = _expand(_SUITE, secret, b"key", context, _KEY_BYTES)
    nonce = _expand(_SUITE, secret, b"base_nonce", context, _NONCE_BYTES)
    return enc, AESGCM(key).encrypt(nonce, text, None)


def derive_key(seed: bytes) -> X25519PrivateKey:
    """DeriveKeyPair of RFC 9180 §7.1.3."""
    return X25519PrivateKey.from_private_bytes(
        _expand(_KEM_SUITE, _extract(_KEM_SUITE, b"", b"dkp_prk", seed), b"sk", b"", _SECRET_BYTES)
    )


def shared_secret(ephemeral: X25519PrivateKey, recipient: bytes) -> bytes:
    """Encap of RFC 9180 §4.1 with a given ephemeral key."""
    agreed = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    context = ephemeral.public_key().public_bytes_raw() + recipient
    return _expand(_KEM_SUITE, _extract(_KEM_SUITE, b"", b"eae_prk", agreed), b"shared_secret", context, _SECRET_BYTES)


def _extract(suite: bytes, salt: bytes, label: bytes, text: bytes) -> bytes:
    """LabeledExtract; HKDF's missing salt is a block of zeros, which HMAC pads an empty key to."""
    return hmac.digest(salt, b"HPKE-v1" + suite + label + text, sha256)


def _expand(suite: bytes, secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """LabeledExpand for at most one block of output, which is all this suite needs."""
    assert size <= sha256().digest_size
    labeled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
    return hmac.digest(secret, labeled + b"\x01", sha256)[:size]

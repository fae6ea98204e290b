"""Keccak-256 behind one seam.

Everything on chain and in the published files is hashed with Keccak-256 (the pre-standard SHA-3 padding Ethereum uses).
A native wheel is used where it is installed; otherwise the much slower but always present implementation of
pycryptodome. Both are compared in the tests. Called by every module of this room; nobody else needs another hash,
except SHA-256 for files and the history tree.
"""

from __future__ import annotations

from collections.abc import Callable


def _pycryptodome(data: bytes) -> bytes:
    from Crypto.Hash import keccak as crypto_keccak  # noqa: PLC0415 - the slow fall-back is imported only where it is needed

    return bytes(crypto_keccak.new(digest_bits=256, data=data).digest())


def _choose() -> Callable[[bytes], bytes]:
    try:
        from tiny_keccak import keccak256 as native  # noqa: PLC0415 - a wheel may be missing for this platform
    except ImportError:
        return _pycryptodome
    return native


keccak256: Callable[[bytes], bytes] = _choose()

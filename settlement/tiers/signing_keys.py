"""The keys that sign headers of epochs: in the vault, by address, found by the address that the contract expects.

Invariants: a key that stands in books, on every test node or in this repository is refused in production, when it is
put in and when it is to sign; no key is ever shown or logged. Rotation: a new key is put in, governance names its
address in the contract, and from then on it signs. Called by `epochs`, deployment and the command.
"""

from __future__ import annotations

import secrets
from functools import cache
from typing import Final

from coincurve import PrivateKey

from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.signature import address_of
from settlement.chain.senders import KeyRefused, published_test_addresses
from settlement.tables import Conn
from settlement.vault import Vault

KEY_BYTES: Final = 32
TEST_NAMES: Final = ("epoch", "epoch-key", "operator", "partner", "member", "publisher", "guardian")
"""Names of test keys that this repository derives in the open: keccak256("tongdui-test-" + name)."""

_KEEP = "INSERT INTO vault.tier_key (address, wrapped, made_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_HELD = "SELECT wrapped FROM vault.tier_key WHERE address = %s"
_NEWEST = "SELECT address FROM vault.tier_key ORDER BY made_at DESC, address LIMIT 1"


class EpochKeyMissing(LookupError):
    """The vault has no key of the address that the contract expects headers from."""


def keep(conn: Conn, vault: Vault, key: bytes, *, now: int, production: bool) -> bytes:
    """Put a key into the vault; its address. Raises `KeyRefused`."""
    address = address_of(PrivateKey(key).public_key)
    _refuse_test_key(address, production=production)
    conn.execute(_KEEP, [address, vault.wrap(key, _label(address)), now])
    return address


def make(conn: Conn, vault: Vault, *, now: int) -> bytes:
    """Draw a key and keep it; its address, for governance to name in the contract."""
    return keep(conn, vault, secrets.token_bytes(KEY_BYTES), now=now, production=True)


def newest(conn: Conn) -> bytes | None:
    """The address of the key that was put in last."""
    row = conn.execute(_NEWEST).fetchone()
    return None if row is None else bytes(row[0])


def signer(conn: Conn, vault: Vault, address: bytes, *, production: bool) -> PrivateKey:
    """The key of an address. Raises `EpochKeyMissing`, `KeyRefused`, `VaultError`."""
    row = conn.execute(_HELD, [address]).fetchone()
    if row is None:
        raise EpochKeyMissing(f"the vault has no key of {hex_text(address)}, by which the contract wants epochs signed")
    _refuse_test_key(address, production=production)
    return PrivateKey(vault.open(bytes(row[0]), _label(address)))


def _refuse_test_key(address: bytes, *, production: bool) -> None:
    if production and address in _test_addresses():
        raise KeyRefused(f"{hex_text(address)} is a published test key: everybody can sign with it")


@cache
def _test_addresses() -> frozenset[bytes]:
    ours = (PrivateKey(keccak256(f"tongdui-test-{name}".encode())).public_key for name in TEST_NAMES)
    return published_test_addresses() | {address_of(key) for key in ours}


def _label(address: bytes) -> str:
    return f"tier epoch key {address.hex()}"

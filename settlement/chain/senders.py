"""Whose key pays and signs what goes to the chain: a key in this process, an encrypted keystore, or a signer elsewhere.

Invariants: the outbox sees one port, `TransactionSigner`; what a signer elsewhere sends back is checked field by field
and by its recovered sender before it is believed; a key that is printed in books and on every test node is refused in
production; no key is ever shown. Called by the entry points.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_typing import Hash32
from hexbytes import HexBytes
from web3 import Web3

from proofs.keccak import keccak256
from settlement.chain.refused import SignerRefused, SignerSilent
from settlement.chain.secret_files import SecretRefused, secret_line
from settlement.posting import NobodyBehind, posted, why

SIGN_S_MAX = 20.0
"""For the whole answer: well within a lease, so that who waits for a signer still leads when it comes."""
ANSWER_BYTES_MAX = 4 * 2**20
KEYSTORE_BYTES_MAX = 64 * 1024
TEST_MNEMONIC = "test test test test test test test test test test test junk"
TEST_ACCOUNTS = 20
SMALL_KEYS = 1_024
"""Keys 1, 2, 3, …: found in test suites, and swept by robots on every network."""


class KeyRefused(RuntimeError):
    """This key must not be used here: a test key in production, or a keystore that does not open."""


class TransactionSigner(Protocol):
    """The port to the sender's key."""

    @property
    def address(self) -> bytes: ...

    def sign(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        """(hash, raw bytes) of a transaction with these fields."""
        ...


class LocalSigner:
    """A key in this process."""

    def __init__(self, key: bytes) -> None:
        self._account: LocalAccount = Account.from_key(key)

    @property
    def address(self) -> bytes:
        return bytes.fromhex(self._account.address[2:])

    def sign(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        """EIP-1559, low-s, deterministic."""
        made = self._account.sign_transaction(fields)
        return bytes(made.hash), bytes(made.raw_transaction)

    def sign_digest(self, digest: bytes) -> bytes:
        """The 65 bytes r ‖ s ‖ v (27 or 28) over 32 bytes, low-s, deterministic."""
        return bytes(self._account.unsafe_sign_hash(Hash32(digest)).signature)


class RemoteSigner:
    """A signer that keeps the key to itself and speaks `eth_signTransaction` (web3signer, clef, an HSM's front)."""

    def __init__(self, url: str, address: bytes, *, sign_s_max: float = SIGN_S_MAX) -> None:
        self._url, self.address, self._sign_s_max = url, address, sign_s_max

    def sign(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        """Ask, and believe the answer only if it is this very transaction by this very sender. Raises `SignerRefused`,
        `SignerSilent` where no answer came.
        """
        raw = self._asked(fields)
        try:
            sender = Account.recover_transaction(raw)
            signed = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        except Exception as error:
            raise SignerRefused(f"the signer's answer is no EIP-1559 transaction: {type(error).__name__}") from error
        if bytes.fromhex(sender[2:]) != self.address:
            raise SignerRefused(f"signed by {sender}, not by 0x{self.address.hex()}")
        if signed.get("accessList"):
            raise SignerRefused("the signer added an access list")
        for name, wanted in {"to": None, **fields}.items():  # one that creates a contract goes to nobody
            if _comparable(signed.get(name)) != _comparable(wanted):
                raise SignerRefused(f"the signer changed {name}")
        return keccak256(raw), raw

    def _asked(self, fields: dict[str, Any]) -> bytes:
        body: Any = {"jsonrpc": "2.0", "id": 1, "method": "eth_signTransaction", "params": [self._wire(fields)]}
        try:
            answer = json.loads(posted(self._url, body, seconds_max=self._sign_s_max, bytes_max=ANSWER_BYTES_MAX))
            result = answer["result"]
            return bytes.fromhex((result["raw"] if isinstance(result, dict) else result).removeprefix("0x"))
        except (OSError, NobodyBehind) as error:
            raise SignerSilent(f"the signer gave no signature: {why(error)}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SignerRefused(f"the signer gave no signature: {why(error)}") from None

    def _wire(self, fields: dict[str, Any]) -> dict[str, str]:
        """The fields as JSON-RPC writes them, with the sender named."""
        shown = {name: hex(value) if isinstance(value, int) else "0x" + value.hex() for name, value in fields.items()}
        if "to" in shown:
            shown["to"] = Web3.to_checksum_address(shown["to"])
        return {"from": Web3.to_checksum_address(self.address), **shown}


def _comparable(value: Any) -> Any:
    """Addresses and data as plain bytes, an absent `to` as none of them."""
    if isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x"))
    return value if isinstance(value, int) else bytes(value or b"")


def open_keystore(path: Path, password_file: Path) -> LocalSigner:
    """The key of a V3 keystore file (geth, eth-account) under the password in a file. Raises KeyRefused, OSError."""
    password = kept_line(password_file)
    try:
        return unlock(path, password)
    except KeyRefused as error:
        raise KeyRefused(f"{error} in {password_file}") from error


def kept_line(path: Path) -> str:
    """The password or token in a file that only its owner may read. Raises KeyRefused, OSError."""
    try:
        return secret_line(path)
    except SecretRefused as error:
        raise KeyRefused(str(error)) from error


def unlock(path: Path, password: str) -> LocalSigner:
    """The key of a V3 keystore file under its password. Raises KeyRefused, OSError."""
    if path.stat().st_size > KEYSTORE_BYTES_MAX:
        raise KeyRefused(f"{path}: larger than a keystore")
    try:
        return LocalSigner(bytes(Account.decrypt(json.loads(path.read_bytes()), password)))
    except (ValueError, KeyError, TypeError) as error:
        raise KeyRefused(f"{path}: does not open with the password") from error


def write_keystore(path: Path, key: bytes, password: str) -> None:
    """A V3 keystore file, readable by its owner only; an existing one is never overwritten."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(json.dumps(Account.encrypt(key, password)), encoding="ascii")


def refuse_test_keys(signer: TransactionSigner) -> None:
    """In production: nobody may pay with a key that everybody has. Raises KeyRefused."""
    if signer.address in published_test_addresses():
        raise KeyRefused(f"0x{signer.address.hex()} is a published test account: everybody has its key")


def published_test_addresses() -> frozenset[bytes]:
    """The accounts of anvil's and Hardhat's default mnemonic, and those of the first small numbers."""
    Account.enable_unaudited_hdwallet_features()
    of_mnemonic = (
        Account.from_mnemonic(TEST_MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}").address
        for index in range(TEST_ACCOUNTS)
    )
    small = (Account.from_key(number.to_bytes(32, "big")).address for number in range(1, SMALL_KEYS + 1))
    return frozenset(bytes.fromhex(address[2:]) for address in (*of_mnemonic, *small))

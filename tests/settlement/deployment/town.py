"""An alliance about to be founded on a remote chain by the commands: keys, a file, a ledger with merchants, a folder.

Keystores are made with a cheap derivation, for the password is made up and the key a test's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from proofs.keccak import keccak256
from settlement.sealing.lanes import create_keystore
from settlement.tiers.founding import DEVELOPMENT, VERIFIER
from tests.settlement.chain.field import ATTESTERS, MERCHANTS, Field, address, registry_commands
from tests.settlement.chain.tiny import SENDER

PASSWORD = "a long enough password"
SIGNERS = [keccak256(b"council-%d" % number) for number in range(3)]
GUARDIAN, SUBMITTER, OPERATOR, HOST = (keccak256(name) for name in (b"guard", b"submit", b"operate", b"host"))
ROLES = {1: "auditor", 2: "merchant-watcher"}
CHAIN_ID = 31_337


@dataclass(frozen=True, slots=True)
class Town:
    """Where everything is. `url` may be a proxy's."""

    folder: Path
    dsn: str
    url: str

    @property
    def addresses(self) -> Path:
        return self.folder / "addresses.json"

    def deploy(self, *more: str) -> list[str]:
        """Arguments of the command."""
        return [
            *("--config", str(self.folder / "alliance.json"), "--rpc", self.url, "--dsn", self.dsn),
            *("--out", str(self.addresses), "--confirmations", "0", *self.key("founder"), *more),
        ]

    def key(self, name: str) -> list[str]:
        return ["--keystore", str(self.folder / f"{name}.json"), "--password-file", str(self.folder / "password")]

    def node(self) -> list[str]:
        return ["--rpc", self.url, "--addresses", str(self.addresses)]

    def council(self) -> list[str]:
        return [*self.node(), "--confirmations", "0"]

    def tell(self, **changes: Any) -> None:
        """Change the alliance's file."""
        path = self.folder / "alliance.json"
        told = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in told.items() if value is not None}))

    def environment(self) -> dict[str, str]:
        return {
            "TONGDUI_VAR": str(self.folder),
            "TONGDUI_KEYS": str(self.folder / "keys"),
        }

    def purposes(self) -> list[tuple[int, str, int]]:
        """(nonce, purpose, gas limit) of everything that was signed, in order of nonces."""
        with psycopg.connect(self.dsn) as conn:
            rows = conn.execute(
                "SELECT nonce, purpose, raw FROM settlement.chain_nonce JOIN settlement.chain_tx "
                "USING (chain_id, sender, nonce) ORDER BY nonce"
            ).fetchall()
        return [(nonce, purpose, gas_of(bytes(raw))) for nonce, purpose, raw in rows]


def gas_of(raw: bytes) -> int:
    """The gas limit of a signed EIP-1559 transaction."""
    return int(TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["gas"])


def keystore(path: Path, key: bytes) -> None:
    path.write_text(json.dumps(Account.encrypt(key, PASSWORD, kdf="pbkdf2", iterations=1)))


def shown(key: bytes) -> str:
    return "0x" + address(key).hex()


def build(folder: Path, dsn: str, url: str, *, tiers: bool = True, merchants: Sequence[int] = MERCHANTS) -> Town:
    """Everything that the commands read, on a ledger with merchants."""
    Field(dsn=dsn, url=url, folder=folder).post(registry_commands(merchants))
    (folder / "keys").mkdir()
    create_keystore(folder / "keys" / "lanes.json", merchants)
    (folder / "keys" / "vault.key").write_text("06" * 32)
    (folder / "keys" / "recipients.json").write_text(json.dumps({"auditor": "05" * 32}))
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    for name, key in {"founder": SENDER.key, **{f"signer{at}": key for at, key in enumerate(SIGNERS)}}.items():
        keystore(folder / f"{name}.json", bytes(key))
    (folder / "alliance.json").write_text(json.dumps(alliance(merchants, tiers=tiers)))
    return Town(folder, dsn, url)


def alliance(merchants: Sequence[int], *, tiers: bool) -> Mapping[str, Any]:
    """What the alliance's file says."""
    told: dict[str, Any] = {
        "chain_id": CHAIN_ID,
        "attesters": [
            {"address": shown(key), "role": ROLES[role], "weight": weight} for key, (role, weight) in ATTESTERS.items()
        ],
        "collateral": {str(merchant): 10_000_000_000 for merchant in merchants},
        "handover": {
            "signers": [shown(key) for key in SIGNERS],
            "threshold": 2,
            "guardians": [shown(GUARDIAN)],
            "submitter": shown(SUBMITTER),
            "operator": shown(OPERATOR),
            "merchants_admin": shown(HOST),
        },
    }
    if tiers:
        epoch_key = shown(keccak256(b"an epoch key"))
        told["tiers"] = {"epoch_key": epoch_key, "circuit": str(DEVELOPMENT), "verifier": str(VERIFIER)}
    return told


def in_environment(town: Town) -> dict[str, str]:
    """For a process of its own."""
    return {**os.environ, **town.environment()}

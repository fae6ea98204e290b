"""A registry on paper: what the contract would hold, in a file that a second process finds. It implements the port of
`settlement.tiers.registry` and nothing else, and refuses what the contract refuses.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from proofs.keccak import keccak256
from proofs.signature import address_of
from proofs.tier.header import EpochHeader, SignedHeader
from proofs.tier.statement import CIRCUIT_ID
from settlement.chain.contracts import Refused
from settlement.tiers.registry import NO_HASH, BorneOut, Circuit, Held

EPOCH_KEY = keccak256(b"tongdui-test-epoch")
SIGNER = address_of(PrivateKey(EPOCH_KEY).public_key)
CHAIN_ID = 31_337
ADDRESS = bytes(range(20))
GRACE_S = 86_400


@dataclass(frozen=True, slots=True)
class Paper:
    """Where the registry is written down; `slow` keeps what is published out of the finalised blocks."""

    file: Path
    development: bool = True
    slow: bool = False
    vk_hash: bytes = keccak256(b"key")

    @property
    def chain_id(self) -> int:
        return CHAIN_ID

    @property
    def address(self) -> bytes:
        return ADDRESS

    def circuit(self) -> Circuit:
        return Circuit(CIRCUIT_ID, self.vk_hash, self.development)

    def signer(self) -> bytes:
        return SIGNER

    def grace_seconds(self) -> int:
        return GRACE_S

    def last(self) -> tuple[int, bytes]:
        held = self.read()["headers"]
        if not held:
            return 0, NO_HASH
        header = EpochHeader.from_json(held[-1]["header"])
        return header.epoch, header.struct_hash()

    def held(self, epoch: int) -> Held:
        written = self.read()
        for each in written["headers"]:
            if each["header"]["epoch"] == epoch and not self.slow:
                return Held(EpochHeader.from_json(each["header"]).struct_hash(), epoch in written["revoked"])
        return Held(NO_HASH, revoked=False)

    def borne_out(self, epoch: int) -> BorneOut:
        return BorneOut(*self.held(epoch), self.last()[0])

    def settle(self) -> None:
        """Nothing is sent on paper."""

    def publish(self, signed: SignedHeader) -> None:
        written, (last, previous) = self.read(), self.last()
        if (last, previous) == (signed.header.epoch, signed.header.struct_hash()):
            return
        if signed.header.epoch <= last:
            raise Refused("EpochNotRising", (last, signed.header.epoch), b"")
        if signed.header.previous != previous:
            raise Refused("PreviousMismatch", (previous, signed.header.previous), b"")
        if signed.signer(CHAIN_ID, ADDRESS) != SIGNER:
            raise Refused("EpochSignerMismatch", (), b"")
        written["headers"].append(signed.to_json())
        self._write(written)

    def revoke(self, epoch: int) -> None:
        written = self.read()
        written["revoked"] = sorted({*written["revoked"], epoch})
        self._write(written)

    def published(self) -> list[SignedHeader]:
        return [SignedHeader.from_json(each) for each in self.read()["headers"]]

    def read(self) -> dict[str, Any]:
        if not self.file.exists():
            return {"headers": [], "revoked": []}
        written: dict[str, Any] = json.loads(self.file.read_text())
        return written

    def _write(self, what: dict[str, Any]) -> None:
        aside = self.file.with_suffix(".new")
        aside.write_text(json.dumps(what))
        aside.replace(self.file)

"""What tests of epochs stand on: a ledger with members of every kind, their commitments, and a registry on paper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from ledger.answers import Receipt
from ledger.commands import Command
from ledger.store import open_store
from proofs.keccak import keccak256
from proofs.tier.grid import PolicyGrid
from proofs.tier.statement import commitment
from settlement.chain.outbox import Checkpoint, unwatched
from settlement.tiers import commitments, epochs, signing_keys
from settlement.tiers.clock import EpochClock
from settlement.tiers.epochs import Desk, Standing
from settlement.tiers.trees import Trees
from settlement.vault import Vault
from tests.settlement.tiers.paper import EPOCH_KEY, Paper

CLOCK = EpochClock(seconds=86_400, start=0)
VAULT = Vault(b"\x06" * 32)
BEGIN = 40
"""The epoch in which tests begin; its first second is day 39 of the ledger's time."""
NOW = CLOCK.begins(BEGIN) + 5
GRID = PolicyGrid(tier_masks=(0b110, 0b1000), spend_edges=(100, 300), points_edges=(50, 500))


@dataclass(frozen=True, slots=True)
class Ground:
    """One database and one folder."""

    dsn: str
    folder: Path
    registry: Paper

    @contextmanager
    def conn(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            yield conn

    @contextmanager
    def desk(self, now: int = NOW, checkpoint: Checkpoint = unwatched, **changes: Any) -> Iterator[Desk]:
        with self.conn() as conn:
            signing_keys.keep(conn, VAULT, EPOCH_KEY, now=0, production=False)
            desk = Desk(
                conn=conn,
                vault=VAULT,
                clock=CLOCK,
                trees=self.trees,
                registry=self.registry,
                now=now,
                grid=GRID,
                checkpoint=checkpoint,
            )
            yield replace(desk, **changes)

    @property
    def trees(self) -> Trees:
        return Trees(self.folder / "tiers")

    def drive(self, now: int = NOW, **changes: Any) -> list[Standing]:
        with self.desk(now, **changes) as desk:
            return epochs.drive(desk)

    def post(self, *commands: Command) -> None:
        with open_store(self.dsn) as store:
            answers = store.post(list(commands))
        assert [each.outcome for each in answers if not isinstance(each.outcome, Receipt)] == []

    def enrol(self, *members: str, now: int = NOW - 86_400, key: int = 1) -> None:
        with self.conn() as conn:
            for member in members:
                commitments.enrol(conn, CLOCK, member, public(member, key), now=now)


def secret(member: str, key: int = 1) -> int:
    """The secret that a member's device holds: 248 bits."""
    return int.from_bytes(keccak256(f"secret {key} of {member}".encode()), "big") >> 8


def public(member: str, key: int = 1) -> bytes:
    """The commitment to it, as it is enrolled."""
    return commitment(secret(member, key)).to_bytes(32, "big")

"""A ground whose registry is a contract on a real chain, in an epoch of that chain's time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest

from proofs.keccak import keccak256
from proofs.tier.statement import CIRCUIT_ID
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Checkpoint, LocalSigner, Outbox, unwatched
from settlement.chain.transactions import call, create
from settlement.settings import SettlementSettings
from settlement.tasks.works import Works
from settlement.tiers import commitments, epochs, registry, rows, signing_keys
from settlement.tiers.clock import EpochClock
from settlement.tiers.epochs import Desk, Standing
from settlement.tiers.place import RegistryPlace, set_registry_place
from settlement.tiers.registry import OnChain
from tests.settlement.chain.tiny import SENDER
from tests.settlement.tasks.stage import keep_keys
from tests.settlement.tiers.ground import VAULT, Ground, public
from tests.settlement.tiers.paper import EPOCH_KEY, SIGNER

LENGTH_S = 30 * 86_400
GRACE_S = 86_400
NUMBER = 10
"""The epoch of the chain's time now."""
MEMBERS = ("m1", "m2", "m3")
VK_HASH = keccak256(b"a key of the tests")
LEASE_S = 2
"""Short, because tests kill leaders and take over from them."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """Where everything is."""

    ground: Ground
    chain: Chain
    clock: EpochClock
    second: Chain | None = None

    def outbox(self, conn: psycopg.Connection[object], checkpoint: Checkpoint = unwatched) -> Outbox:
        return Outbox(conn, self.chain, LocalSigner(SENDER.key), lease_s=LEASE_S, checkpoint=checkpoint)

    def found(self, *, circuit: bool = True) -> Contract:
        """The contract; what else is code stands for a verifier, whom nobody asks here."""
        with self.ground.conn() as conn, self.outbox(conn).leading(wait_s_max=5) as outbox:
            signing_keys.keep(conn, VAULT, EPOCH_KEY, now=0, production=False)
            made, block = create(self.chain, outbox, "TierRegistry", outbox.sender, SIGNER, GRACE_S)
            if circuit:
                arguments = CIRCUIT_ID, made.address, VK_HASH, 0
                call(outbox, "circuit", made, "registerCircuit", *arguments, gas=250_000)
            place = RegistryPlace(
                chain_id=outbox.chain_id,
                address=made.address,
                code_hash=keccak256(self.chain.code(made.address)),
                deploy_block=block,
            )
            set_registry_place(conn, place)
            for member in MEMBERS:
                commitments.enrol(conn, self.clock, member, public(member), now=self.chain.now() - LENGTH_S)
        return made

    def port(self, conn: psycopg.Connection[object], checkpoint: Checkpoint = unwatched) -> OnChain:
        return registry.attach(conn, self.chain, self.outbox(conn, checkpoint), second=self.second)

    def drive(self, later_s: int = 0, checkpoint: Checkpoint = unwatched) -> list[Standing]:
        """Take the epochs as far as they go; the checkpoint is told of the outbox' points as well."""
        with self.ground.conn() as conn:
            desk = Desk(
                conn=conn,
                vault=VAULT,
                clock=self.clock,
                trees=self.ground.trees,
                registry=self.port(conn, checkpoint),
                now=self.chain.now() + later_s,
                checkpoint=checkpoint,
            )
            return epochs.drive(desk)

    def rows(self) -> list[rows.Epoch]:
        with self.ground.conn() as conn:
            return rows.epochs(conn)

    def sent(self) -> list[tuple[str, str, bool]]:
        """Purpose and status of every transaction that was signed for an epoch, and whether it is settled for good."""
        with self.ground.conn() as conn:
            return conn.execute(
                "SELECT n.purpose, t.status, n.done FROM settlement.chain_nonce n JOIN settlement.chain_tx t"
                " USING (chain_id, sender, nonce) WHERE n.purpose LIKE 'tier-%' ORDER BY n.nonce, t.tx_hash"
            ).fetchall()


def on(ground: Ground, chain: Chain) -> Anchored:
    """In the middle of an epoch of the chain's time; `found` still has to be called."""
    return Anchored(ground, chain, EpochClock(seconds=LENGTH_S, start=chain.now() - (NUMBER - 1) * LENGTH_S - 600))


def works_of(anchored: Anchored, now_ms: Callable[[], int], patch: pytest.MonkeyPatch) -> Works:
    """The same by files and settings, as workers and the command find it."""
    ground = anchored.ground
    (ground.folder / "keys").mkdir()
    keep_keys(ground.folder / "keys", operator=bytes(SENDER.key), vault=VAULT.key, recipients={})
    told = {
        "DATABASE_URL": ground.dsn,
        "VAR": str(ground.folder),
        "RPC_URL": anchored.chain.url,
        "TIER_EPOCH_SECONDS": str(anchored.clock.seconds),
        "TIER_EPOCHS_START": str(anchored.clock.start),
    }
    for name, value in told.items():
        patch.setenv(f"TONGDUI_{name}", value)
    return Works(settings=SettlementSettings(), dsn=ground.dsn, now_ms=now_ms)

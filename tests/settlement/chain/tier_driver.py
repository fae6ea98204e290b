"""A process of its own that publishes an epoch of tiers, and ends itself with SIGKILL at a point of the outbox."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from coincurve import PrivateKey

from proofs.keccak import keccak256
from proofs.tier.header import EpochHeader, SignedHeader
from proofs.tier.statement import DEPTH, alliance_id
from settlement.batches import Settlement
from settlement.chain.client import Chain
from settlement.chain.outbox import Checkpoint, Outbox, unwatched
from settlement.tiers.registry import OnChain, attach
from tests.forked import killed
from tests.settlement.chain.field import LEASE_S, Field
from tests.settlement.chain.test_tier_founding import CIRCUIT, TIERS

ROOT = Path(__file__).resolve().parents[3]
KEY = PrivateKey(keccak256(b"tongdui-test-epoch"))
DAY_S = 86_400
PROCESS_S_MAX = 110


@contextmanager
def on_chain(field: Field) -> Iterator[tuple[Settlement, OnChain]]:
    """The settlement of an alliance with a registry of tiers, and that registry as the sealing of epochs has it."""
    with replace(field, tiers=TIERS).settlement() as s:
        yield s, attach(s.conn, s.alliance.chain, s.outbox)


def header(registry: OnChain, begins: int, **changes: object) -> SignedHeader:
    """The next epoch's header, signed, from a day's beginning on."""
    last, previous = registry.last()
    made = EpochHeader(
        alliance_id=alliance_id(registry.chain_id, registry.address),
        epoch=last + 1,
        root=int.from_bytes(keccak256(b"root %d" % last), "big") >> 8,
        depth=DEPTH,
        cohorts=keccak256(b"cohorts"),
        policy_grid=keccak256(b"grid"),
        circuit_id=CIRCUIT.circuit_id,
        vk_hash=CIRCUIT.vk_hash,
        not_before=begins,
        not_after=begins + DAY_S,
        previous=previous,
    )
    return replace(made, **changes).sign(KEY, registry.chain_id, registry.address)  # type: ignore[arg-type] # fields of a header


def publish_first(field: Field, begins: int, checkpoint: Checkpoint = unwatched) -> None:
    """Epoch 1, as a worker does it again and again: ask what is there, and publish if it is nothing."""
    with psycopg.connect(field.dsn, autocommit=True) as conn:
        chain = Chain(field.url)
        registry = attach(conn, chain, Outbox(conn, chain, field.signer, lease_s=LEASE_S, checkpoint=checkpoint))
        signed = header(registry, begins, epoch=1, previous=bytes(32), root=7)
        if registry.held(1).header_hash != signed.header.struct_hash():
            registry.publish(signed)


def main(dsn: str, url: str, folder: str, begins: str, point: str) -> None:
    """Publish, or die on the way."""

    def die_here(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    publish_first(Field(dsn=dsn, url=url, folder=Path(folder)), int(begins), die_here)


def killed_at(field: Field, begins: int, point: str) -> bool:
    """Whether the process ended itself at this point."""
    return killed(main, field.dsn, field.url, str(field.folder), str(begins), point, seconds_max=PROCESS_S_MAX)

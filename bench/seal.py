"""How fast a batch is sealed, beside the same leaves encoded and signed with the usual libraries, in one run.

    python -m bench.seal [--leaves 65536] [--seconds-baseline 2] [--profile]

Ours: journal entries to leaves, the journal's chain, sealing (every signature made and checked again), the package
(file, zstd, encryption, manifest). Baseline: eth_account's typed-data hash and signature of the event and eth_abi's
encoding of postings and leaf, on as many leaves as fit the time; without checking signatures, balances, rows or file.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data

from bench.conditions import keep, machine
from ledger.journal import JournalEntry
from proofs.keccak import keccak256
from proofs.kinds import Kind
from proofs.lpb1 import Record
from proofs.messages import DOMAIN_NAME, DOMAIN_VERSION, PointsEvent, Posting, SettlementLeaf
from proofs.words import Typed, snake
from settlement.publish import Recipient, pack
from settlement.sealing.leaves import journal_head
from settlement.sealing.seal import Sealed
from settlement.sealing.sweeps import unswept
from tests.settlement.alliance import CHAIN_ID, HUB, MEMBERS, MERCHANTS, RATES, Journal, Operator, digest

T = TypeVar("T")

SEED = 20_240_701
HEX_KEY = "0x" + digest("baseline key").hex()


def journal_of(leaves: int) -> list[JournalEntry]:
    """Seeded traffic: four of five legs are earnings, the rest redemptions at another merchant."""
    chance, journal, count = random.Random(SEED), Journal(), 0
    while count < leaves:
        issuer, member = chance.choice(MERCHANTS), chance.choice(MEMBERS)
        num, den = RATES[issuer]
        held = journal.balance(member, issuer) * num // den
        if chance.random() < 0.2 and held > 0:
            journal.redeem(chance.choice(MERCHANTS), member, {issuer: chance.randint(1, min(held, 500))})
        else:
            journal.points(Kind.EARN, issuer, member, chance.randint(1, 5_000))
        count += 1
    return journal.entries


class Cost(NamedTuple):
    """Seconds of one stage: on the clock, and of processor time over all threads and signing processes."""

    wall: float
    cpu: float


def timed(stages: dict[str, Cost], name: str, work: Callable[[], T]) -> T:
    """Do the work and note its cost."""
    wall, cpu = time.perf_counter(), processor_seconds()
    made = work()
    stages[name] = Cost(time.perf_counter() - wall, processor_seconds() - cpu)
    return made


def processor_seconds() -> float:
    """What this process has used, and those that it started and that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


@unswept()
def ours(entries: list[JournalEntry]) -> tuple[dict[str, Cost], Sealed]:
    """The cost of each stage, and the batch."""
    stages: dict[str, Cost] = {}
    operator = Operator()
    leaves = timed(stages, "leaves", lambda: operator.leaves(entries))
    head = timed(stages, "journalHead", lambda: journal_head(operator.head, entries))
    sealed = timed(stages, "seal", lambda: operator.try_seal(leaves, head=head, settling=True))
    reader = Recipient("bench", X25519PrivateKey.generate().public_key().public_bytes_raw())
    timed(stages, "package", lambda: pack(sealed, data_key=bytes(32), recipients=[reader]))
    return stages, sealed


def fields_of(kind: type[Typed]) -> list[tuple[str, str]]:
    return [tuple(field.split(" ")) for field in kind.TYPE.split("(")[1][:-1].split(",")]  # type: ignore[misc] # two words each


def library_hash(struct: Typed, fields: list[tuple[str, str]]) -> bytes:
    return keccak256(
        type(struct).TYPEHASH
        + encode([kind for kind, _ in fields], [getattr(struct, snake(name)) for _, name in fields])
    )


def baseline(records: list[Record], seconds: float) -> Cost:
    """What one leaf costs by the libraries, mean over as many as fit into `seconds`."""
    domain = {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": CHAIN_ID,
        "verifyingContract": "0x" + HUB.hex(),
    }
    event_fields, posting_fields, leaf_fields = fields_of(PointsEvent), fields_of(Posting), fields_of(SettlementLeaf)
    types = {"PointsEvent": [{"name": name, "type": kind} for kind, name in event_fields]}
    wall, cpu, done = time.perf_counter(), time.process_time(), 0
    for record in records:
        message = {name: getattr(record.event, snake(name)) for _, name in event_fields}
        Account.sign_message(encode_typed_data(domain, types, message), HEX_KEY)
        for step in filter(None, record.steps):
            posting = Posting(step.account, step.seq, step.prev_leaf_no, step.delta, step.balance, bytes(32))
            library_hash(posting, posting_fields)
        library_hash(record.leaf(bytes(32)), leaf_fields)
        done += 1
        if time.perf_counter() - wall > seconds:
            break
    return Cost((time.perf_counter() - wall) / done, (time.process_time() - cpu) / done)


def figures(leaves: int, stages: dict[str, Cost], sealed: Sealed, library: Cost) -> dict[str, Any]:
    """The result as it is printed and kept."""
    sealing = [stages[name] for name in ("leaves", "journalHead", "seal")]
    wall, cpu = sum(cost.wall for cost in sealing), sum(cost.cpu for cost in sealing)
    return {
        "leaves": leaves,
        "seconds": {name: {"wall": round(cost.wall, 2), "cpu": round(cost.cpu, 2)} for name, cost in stages.items()},
        "leavesPerSecond": round(leaves / wall),
        "microsecondsPerLeaf": {"wall": round(wall / leaves * 1e6, 1), "cpu": round(cpu / leaves * 1e6, 1)},
        "librariesPerLeaf": {"wall": round(library.wall * 1e6, 1), "cpu": round(library.cpu * 1e6, 1)},
        "ratio": {"wall": round(library.wall * leaves / wall, 1), "cpu": round(library.cpu * leaves / cpu, 1)},
        "fileBytesPerLeaf": round(len(sealed.file()) / leaves),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaves", type=int, default=65_536)
    parser.add_argument("--seconds-baseline", type=float, default=2.0)
    parser.add_argument("--profile", action="store_true", help="print where sealing spends its time instead")
    chosen = parser.parse_args()
    conditions, entries = machine(), journal_of(chosen.leaves)
    if chosen.profile:
        with cProfile.Profile() as profile:
            ours(entries)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return 0
    stages, sealed = ours(entries)
    result = figures(chosen.leaves, stages, sealed, baseline(list(sealed.records), chosen.seconds_baseline))
    print(json.dumps(result, indent=1))
    print(f"kept in {keep('seal', {'conditions': conditions} | result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How fast a batch is sealed, beside the same leaves encoded and signed with the usual libraries, in one run.

    python -m bench.seal [--leaves 65536] [--seconds-baseline 2]

Stages of ours: journal entries to leaves, sealing (signing and checking every signature included), the file, the
package (zstd, encryption, manifest). Baseline: eth_account's typed-data hash and signature of the event, eth_abi's
encoding of the four postings and the leaf, on as many leaves as fit the time given; no chain of balances, no rows, no
file. Prints figures and ratios, and writes them as JSON where `--out` says.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data

from ledger.journal import JournalEntry
from proofs.keccak import keccak256
from proofs.kinds import Kind
from proofs.lpb1 import Record
from proofs.messages import DOMAIN_NAME, DOMAIN_VERSION, PointsEvent, Posting, SettlementLeaf
from proofs.words import Typed, snake
from settlement.leaves import journal_head
from settlement.publish import Recipient, pack
from settlement.seal import Sealed
from tests.settlement.alliance import CHAIN_ID, HUB, MEMBERS, MERCHANTS, RATES, Journal, Operator, digest

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


def timed(stages: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    made = work()
    stages[name] = time.perf_counter() - start
    return made


def ours(entries: list[JournalEntry]) -> tuple[dict[str, float], Sealed]:
    """Seconds by stage, and the batch."""
    stages: dict[str, float] = {}
    operator = Operator()
    leaves = timed(stages, "leaves", lambda: operator.leaves(entries))
    head = timed(stages, "journal head", lambda: journal_head(operator.head, entries))
    sealed: Sealed = timed(stages, "seal", lambda: operator.try_seal(leaves, head=head, settling=True))
    timed(stages, "file", sealed.file)
    reader = Recipient("bench", X25519PrivateKey.generate().public_key().public_bytes_raw())
    timed(stages, "package (file included)", lambda: pack(sealed, data_key=bytes(32), recipients=[reader]))
    return stages, sealed


def fields_of(kind: type[Typed]) -> list[tuple[str, str]]:
    return [tuple(field.split(" ")) for field in kind.TYPE.split("(")[1][:-1].split(",")]  # type: ignore[misc] # two words each


def library_hash(struct: Typed, fields: list[tuple[str, str]]) -> bytes:
    return keccak256(
        type(struct).TYPEHASH
        + encode([kind for kind, _ in fields], [getattr(struct, snake(name)) for _, name in fields])
    )


def baseline(records: list[Record], seconds: float) -> float:
    """Leaves per second by the libraries."""
    domain = {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": CHAIN_ID,
        "verifyingContract": "0x" + HUB.hex(),
    }
    event_fields = fields_of(PointsEvent)
    types = {"PointsEvent": [{"name": name, "type": kind} for kind, name in event_fields]}
    postings, leaves, done = fields_of(Posting), fields_of(SettlementLeaf), 0
    start = time.perf_counter()
    for record in records:
        message = {name: getattr(record.event, snake(name)) for _, name in event_fields}
        Account.sign_message(encode_typed_data(domain, types, message), HEX_KEY)
        for step in record.steps:
            if step:
                library_hash(
                    Posting(step.account, step.seq, step.prev_leaf_no, step.delta, step.balance, bytes(32)), postings
                )
        library_hash(record.leaf(bytes(32)), leaves)
        done += 1
        if time.perf_counter() - start > seconds:
            break
    return done / (time.perf_counter() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaves", type=int, default=65_536)
    parser.add_argument("--seconds-baseline", type=float, default=2.0)
    parser.add_argument("--profile", action="store_true", help="print where sealing spends its time instead")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    entries = journal_of(chosen.leaves)
    if chosen.profile:
        with cProfile.Profile() as profile:
            ours(entries)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return 0
    stages, sealed = ours(entries)
    library = baseline(list(sealed.records), chosen.seconds_baseline)
    sealing = stages["leaves"] + stages["journal head"] + stages["seal"]
    result = {
        "leaves": chosen.leaves,
        "seconds": {name: round(value, 3) for name, value in stages.items()},
        "leavesPerSecond": round(chosen.leaves / sealing),
        "baselineLeavesPerSecond": round(library),
        "ratio": round(chosen.leaves / sealing / library, 1),
        "fileBytesPerLeaf": round(len(sealed.file()) / chosen.leaves),
    }
    print(json.dumps(result, indent=1))
    if chosen.out:
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

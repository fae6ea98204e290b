"""A day of real purchases settled on anvil, with three kills and a reorganisation on the way.

    python -m bench.day --events path.csv.gz --links path.csv.gz [--batches 9]

The file's events are played as one day: 96 log batches, a quarter of an hour each, and settlements at 02:00 and at the
end. The operator is a process (`bench.day_operator`) that ends with SIGKILL at three named points and is started again;
once the newest blocks are taken off the chain, a commit among them. With `--batches` the day ends early, as a
rehearsal, and the same befalls it; nine are up to the first settlement. Three attesters and an auditor are processes of
their own, which get the node's address, the published files and a key. At the end everything has to be finalised, the
audit clean, and what the hub moved equal to what the ledger was owed: otherwise this exits with 1. How long events
waited for the chain is told (`bench.inclusion`). The record is kept like every result.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console

from api.demo.auditing import audit
from api.demo.settling import AUDITOR_KID, Keys, Settling, finalise
from bench.conditions import arguments, keep, machine
from bench.day_operator import NOWHERE, PLAN, QUARTER_SECONDS, operating
from bench.inclusion import Included, inclusion
from bench.stage import migrated
from ledger import queries, verify
from ledger.postgres.embedded import start
from proofs.kinds import BASE_UNITS_PER_AU
from settlement.status import BatchStatus, status
from tests.settlement.chain.anvil import Anvil, running

ROOT = Path(__file__).parents[1]
WEI = hex(10**22)
REORGANISED = "reorganised"
MISHAPS = {20: "sealed", 44: "signed", 58: REORGANISED, 70: "sent"}
"""What befalls which batch of a whole day: the operator dies at that checkpoint while it works on it, or its commit is
taken off the chain again.
"""
REORGANISED_BLOCKS = 2
"""As many as follow the finalised one, which no network takes back."""
REHEARSAL_BATCHES_MIN = 9
WITHOUT_TRANSACTIONS = False
"""A block's transactions by hash."""
RUN_SECONDS_MAX = 3_600


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is."""

    dsn: str
    node: Anvil
    folder: Path
    files: tuple[Path, Path]

    def operate(self, *options: str) -> int:
        """One life of the operator; how it ended."""
        words = [self.dsn, self.node.url, str(self.folder), *map(str, self.files), *options]
        command = [sys.executable, "-m", "bench.day_operator", *words]
        return subprocess.run(command, cwd=ROOT, timeout=RUN_SECONDS_MAX, check=False).returncode


def lives(stage: Stage, say: Console, batches: int) -> Iterator[dict[str, Any]]:
    """The operator's lives, one after the other: what cut each short, and how long it took."""
    for whole_day_at, mishap in MISHAPS.items():
        batch_no = whole_day_at * batches // len(PLAN)
        if mishap == REORGANISED:
            yield _life(stage, say, batch_no, NOWHERE) | {"takenOff": _reorganised(stage.node, say)}
        else:
            yield _life(stage, say, batches, f"{mishap}:{batch_no}")
    yield _life(stage, say, batches, NOWHERE)


def _reorganised(node: Anvil, say: Console) -> int:
    """Replace the newest blocks by empty ones: how many transactions were in them. Anvil's clock falls back with them
    to the block before, which no network's does: it is put on again.
    """
    newest = int(node.ask("eth_blockNumber"), 16)
    blocks = [
        node.ask("eth_getBlockByNumber", hex(newest - back), WITHOUT_TRANSACTIONS) for back in range(REORGANISED_BLOCKS)
    ]
    taken_off = sum(len(block["transactions"]) for block in blocks)
    assert taken_off, "a reorganisation of empty blocks shows nothing"
    before = _clock(node)
    node.ask("anvil_reorg", REORGANISED_BLOCKS, [])
    node.ask("evm_increaseTime", max(0, before - _clock(node)))
    say.print(f"the newest {REORGANISED_BLOCKS} of {newest} blocks, with {taken_off} transactions, became empty ones")
    return taken_off


def _clock(node: Anvil) -> int:
    """What the next block would say."""
    return int(node.ask("eth_getBlockByNumber", "pending", WITHOUT_TRANSACTIONS)["timestamp"], 16)


def _life(stage: Stage, say: Console, until: int, death: str) -> dict[str, Any]:
    begun = time.monotonic()
    code = stage.operate("--until", str(until), "--die-at", death)
    assert code == (0 if death == NOWHERE else -signal.SIGKILL), f"the operator ended with {code}, told {death}"
    life = {
        "until": until,
        "killedAt": None if death == NOWHERE else death,
        "seconds": round(time.monotonic() - begun, 1),
    }
    say.print(life)
    return life


def moved(settling: Settling) -> Counter[int]:
    """Party -> AU that the hub's own events say were moved, over all settlements."""
    events = settling.settlement.alliance.hub.events("NetSettled", first=0)
    sums: Counter[int] = Counter()
    for event in events:
        sums[event.fields["merchantId"]] += event.fields["net"]
    assert not any(units % BASE_UNITS_PER_AU for units in sums.values())
    return Counter({party: units // BASE_UNITS_PER_AU for party, units in sums.items() if units})


def examine(stage: Stage) -> dict[str, Any]:
    """Pass the windows, finalise, audit, compare: what came out."""
    with operating(stage.dsn, stage.node.url, stage.folder, stage.files) as (_, settling):
        finalise(settling)
        stage.node.finalise()
        finalise(settling)
        conn, chain = settling.settlement.conn, settling.settlement.alliance.chain
        audited = audit(
            settling.outside,
            settling.keys.reader(AUDITOR_KID),
            stage.folder / "audit.json",
            stage.folder / "audit.html",
        )
        batches, commits = status(conn), committed(settling)
        on_chain = moved(settling)
        positions = queries.positions(conn)
        invariants = verify.check(conn)
        return {
            "batches": dict(Counter(f"{'settling' if b.settling else 'log'} {b.state}" for b in batches[1:])),
            "leaves": batches[-1].last_leaf,
            "incarnations": dict(Counter(batch.incarnation for batch in batches)),
            "transactions": dict(Counter(tx.status for batch in batches for tx in batch.transactions)),
            "gas": sum(tx.gas_used or 0 for batch in batches for tx in batch.transactions),
            "committedOnce": [batch_no for batch_no, _ in commits] == list(range(len(batches))),
            "inclusion": inclusion(
                included(batches, dict(commits), lambda block: chain.head(block).timestamp),
                quarter_seconds=QUARTER_SECONDS,
            ),
            "audit": {"verdict": audited.verdict, "findings": len(audited.findings), "events": audited.events},
            "netsMoved": {str(party): au for party, au in sorted(on_chain.items())},
            "netsEqualTheLedgers": on_chain == {party: p.cash for party, p in positions.items() if p.cash},
            "openPositions": {party: p.total for party, p in positions.items() if p.total},
            "invariantsHeld": f"{sum(result.held for result in invariants)} of {len(invariants)}",
        }


def committed(settling: Settling) -> list[tuple[int, int]]:
    """Batch number and block of every commit on the chain as it now is, in its order."""
    events = settling.settlement.alliance.hub.events("BatchCommitted", first=0)
    return [(event.fields["batchNo"], event.log.block_number) for event in events]


def included(
    batches: Sequence[BatchStatus], blocks: Mapping[int, int], block_at: Callable[[int], int]
) -> list[Included]:
    """The log batches, with the time at which each one's quarter began: when the batch before it was sealed. What a
    settling batch holds besides is the cycle's own fees.
    """
    return [
        Included(batch.batch_no, before.sealed_at, batch.sealed_at, block_at(blocks[batch.batch_no]), batch.leaf_count)
        for before, batch in pairwise(batches)
        if not batch.settling
    ]


def well(result: dict[str, Any], batches: int) -> bool:
    """Whether the day came out as it has to. How long events waited is told, not judged."""
    states = {name.split()[1] for name in result["batches"]}
    held, _, of = result["invariantsHeld"].partition(" of ")
    return (
        states == {"FINALISED"}
        and sum(result["batches"].values()) == batches
        and result["audit"]["verdict"] == "clean"
        and result["committedOnce"]
        and result["netsEqualTheLedgers"]
        and not result["openPositions"]
        and held == of
    )


@contextmanager
def _staged(folder: Path, files: tuple[Path, Path]) -> Iterator[Stage]:
    with start(folder / "postgres") as server, running() as node:
        node.ask("anvil_setBalance", f"0x{Keys(folder / 'keys').operator().address.hex()}", WEI)
        yield Stage(migrated(server, "day"), node, folder, files)


def said(waited: dict[str, Any]) -> str:
    """One line of how long the day's events waited."""
    p50, p95, longest = (f"{seconds:,.0f} s" for seconds in waited["receiptToBlock"].values())
    kept = "kept" if waited["goalHeld"] else "missed"
    goal = f"{waited['goalP95SecondsMax'] // 60} minutes at p95 are {kept}"
    return f"{waited['events']:,} events from receipt to block: p50 {p50}, p95 {p95}, max {longest}; {goal}"


def main(words: list[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--links", type=Path, required=True)
    parser.add_argument("--batches", type=int, default=len(PLAN), help="end after so many")
    chosen = parser.parse_args(words)
    if not REHEARSAL_BATCHES_MIN <= chosen.batches <= len(PLAN):
        parser.error(f"a day has {REHEARSAL_BATCHES_MIN} to {len(PLAN)} batches")
    say = Console(stderr=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conditions = machine() | {"events": chosen.events.name, "plan": f"{chosen.batches} batches"}
        with _staged(folder, (chosen.events.resolve(), chosen.links.resolve())) as stage:
            begun = time.monotonic()
            told = list(lives(stage, say, chosen.batches))
            result = examine(stage)
    result = {"conditions": conditions, "seconds": round(time.monotonic() - begun, 1), "lives": told, **result}
    result["well"] = well(result, chosen.batches)
    say.print_json(data=result)
    print(said(result["inclusion"]))
    print(f"kept in {keep('day' if chosen.batches == len(PLAN) else 'day-rehearsal', result)}")
    return 0 if result["well"] else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""A day of real purchases settled on anvil, with three kills and a reorganisation on the way.

    python -m bench.day --events path.csv.gz --links path.csv.gz

The file's events are played as one day: 96 log batches, a quarter of an hour each, and settlements at 02:00 and at the
end.
The operator is a process (`bench.day_operator`) that ends with SIGKILL at three named points and is started again; once
the newest blocks are taken off the chain. Three attesters and an auditor are processes of their own, which get the
node's address, the published files and a key. At the end everything has to be finalised, the audit clean, and what the
hub moved equal to what the ledger was owed: otherwise this exits with 1. The record is kept like every result.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from api.demo.auditing import audit
from api.demo.settling import AUDITOR_KID, Keys, Settling, finalise
from bench.conditions import arguments, keep, machine
from bench.day_operator import NOWHERE, PLAN, operating
from bench.stage import migrated
from ledger import queries, verify
from ledger.postgres.embedded import start
from proofs.kinds import BASE_UNITS_PER_AU
from settlement.status import status
from tests.settlement.chain.anvil import Anvil, running

ROOT = Path(__file__).parents[1]
WEI = hex(10**22)
DEATHS = ("sealed:20", "signed:44", "sent:70")
"""Where the operator dies: at which checkpoint, while it works on which batch."""
REORGANISED_AFTER_BATCH = 58
REORGANISED_BLOCKS = 4
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


def lives(stage: Stage, say: Console) -> Iterator[dict[str, Any]]:
    """The operator's lives, one after the other: what cut each short, and how long it took."""
    for until, death in ((len(PLAN), DEATHS[0]), (len(PLAN), DEATHS[1]), (REORGANISED_AFTER_BATCH, NOWHERE)):
        yield _life(stage, say, until, death)
    mined = int(stage.node.ask("eth_blockNumber"), 16)
    stage.node.ask("anvil_reorg", REORGANISED_BLOCKS, [])
    say.print(f"the newest {REORGANISED_BLOCKS} of {mined} blocks are replaced by empty ones")
    for death in (DEATHS[2], NOWHERE):
        yield _life(stage, say, len(PLAN), death)


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
        conn = settling.settlement.conn
        audited = audit(
            settling.outside,
            settling.keys.reader(AUDITOR_KID),
            stage.folder / "audit.json",
            stage.folder / "audit.html",
        )
        batches = status(conn)
        on_chain = moved(settling)
        positions = queries.positions(conn)
        invariants = verify.check(conn)
        return {
            "batches": dict(Counter(f"{'settling' if b.settling else 'log'} {b.state}" for b in batches[1:])),
            "leaves": batches[-1].last_leaf,
            "incarnations": dict(Counter(batch.incarnation for batch in batches)),
            "transactions": dict(Counter(tx.status for batch in batches for tx in batch.transactions)),
            "gas": sum(tx.gas_used or 0 for batch in batches for tx in batch.transactions),
            "committedOnce": _once(settling),
            "audit": {"verdict": audited.verdict, "findings": len(audited.findings), "events": audited.events},
            "netsMoved": {str(party): au for party, au in sorted(on_chain.items())},
            "netsEqualTheLedgers": on_chain == {party: p.cash for party, p in positions.items() if p.cash},
            "openPositions": {party: p.total for party, p in positions.items() if p.total},
            "invariantsHeld": f"{sum(result.held for result in invariants)} of {len(invariants)}",
        }


def _once(settling: Settling) -> bool:
    """Whether the chain as it now is holds one commit a batch."""
    events = settling.settlement.alliance.hub.events("BatchCommitted", first=0)
    return [event.fields["batchNo"] for event in events] == list(range(len(PLAN) + 1))


def well(result: dict[str, Any]) -> bool:
    """Whether the day came out as it has to."""
    states = {name.split()[1] for name in result["batches"]}
    held, _, of = result["invariantsHeld"].partition(" of ")
    return (
        states == {"FINALISED"}
        and sum(result["batches"].values()) == len(PLAN)
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


def main(words: list[str] | None = None) -> int:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=Path, required=True)
    parser.add_argument("--links", type=Path, required=True)
    chosen = parser.parse_args(words)
    say = Console(stderr=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conditions = machine() | {"events": chosen.events.name, "plan": f"{len(PLAN)} batches"}
        with _staged(folder, (chosen.events.resolve(), chosen.links.resolve())) as stage:
            begun = time.monotonic()
            told = list(lives(stage, say))
            result = examine(stage)
    result = {"conditions": conditions, "seconds": round(time.monotonic() - begun, 1), "lives": told, **result}
    result["well"] = well(result)
    say.print_json(data=result)
    print(f"kept in {keep('day', result)}")
    return 0 if result["well"] else 1


if __name__ == "__main__":
    raise SystemExit(main())

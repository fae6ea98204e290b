"""How long the events of `bench.day` wait for the chain: from receipt to the block that includes their batch.

All times are the chain's own clock. It is moved forward by what is left of each quarter of an hour and otherwise runs
with the real seconds, so it holds both: the played waiting for the quarter's end, and whatever sealing, publishing,
attesting, committing, a killed operator or a reorganisation really took. An event's receipt is its place in the played
day: the file's events come evenly, so a batch's begin when its predecessor was sealed and spread over one quarter.
Anvil makes a block for each transaction at once: a network's own waiting for a block is not in it, nor is finality.
Pure; called by `bench.day`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SLOWEST_SHOWN = 5
GOAL_P95_SECONDS_MAX = 20 * 60
"""What an alliance may promise its members (docs/settlement.md)."""


@dataclass(frozen=True, slots=True)
class Included:
    """A log batch in a block of the chain as it now is. Times are Unix seconds by the chain's clock."""

    batch_no: int
    begun_at: int
    sealed_at: int
    block_at: int
    events: int


def waits(batch: Included, quarter_seconds: int) -> Iterator[float]:
    """Seconds from receipt to block, one for each event of the batch, the first one's first."""
    for event in range(batch.events):
        yield batch.block_at - batch.begun_at - quarter_seconds * event / batch.events


def inclusion(batches: Iterable[Included], *, quarter_seconds: int) -> dict[str, Any]:
    """The whole day's waits: of every event, of every batch from its sealing on, and which batches were the slowest."""
    included = list(batches)
    of_events = [wait for batch in included for wait in waits(batch, quarter_seconds)]
    of_batches = {batch.batch_no: batch.block_at - batch.sealed_at for batch in included}
    told, slowest = spread(of_events), sorted(of_batches, key=lambda batch_no: -of_batches[batch_no])
    return {
        "events": len(of_events),
        "receiptToBlock": told,
        "sealingToBlock": spread(list(of_batches.values())),
        "slowestBatchesSeconds": {str(batch_no): of_batches[batch_no] for batch_no in slowest[:SLOWEST_SHOWN]},
        "goalP95SecondsMax": GOAL_P95_SECONDS_MAX,
        "goalHeld": told["p95Seconds"] <= GOAL_P95_SECONDS_MAX,
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile (the least that as many of them do not exceed) and the longest."""
    ranked = sorted(seconds)
    ranks = {"p50Seconds": 50, "p95Seconds": 95, "maxSeconds": 100}
    return {name: round(ranked[-(-len(ranked) * percent // 100) - 1], 1) for name, percent in ranks.items()}

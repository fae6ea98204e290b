"""What there is to do periodically, one row each. A new one is a function and a row.

Invariants: a tick decides nothing by itself: it asks the functions of settlement and ledger, which judge by what is
stored and by the chain's clock; asked again it finds nothing to do. What shares a lease never runs at the same time.
Called by `turn`; the beat's schedule and the workers' queues are made of this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from settlement.tasks.asking import Told, Turn
from settlement.tasks.collecting import collect
from settlement.tasks.due import chains, cycle, days, due, tiers
from settlement.tasks.epochs import seal_epochs
from settlement.tasks.mirroring import read_back
from settlement.tasks.settling import compare, drive_all, seal

LEDGER: Final = "tongdui.ledger"
SETTLEMENT: Final = "tongdui.settlement"
TIERS: Final = "tongdui.tiers"
"""Queues, and leases of the same names."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One periodic task: how often it is asked, where its messages wait, what it does."""

    name: str
    every_s: int
    queue: str
    run: Callable[[Turn], Told]
    says: str

    @property
    def lease(self) -> str:
        return self.queue


TICKS: Final = (
    Tick("due", 10, LEDGER, due, "holds that end, authorisations that lapse, points that expire"),
    Tick("tiers", 60, LEDGER, tiers, "members' tiers, all of them once an hour"),
    Tick("cycle", 300, LEDGER, cycle, "charges the fees of a month that is over"),
    Tick("days", 60, LEDGER, days, "changes of accounts by day, for balances as of a time"),
    Tick("chains", 30, LEDGER, chains, "looks for long and wide referral chains where bonds are new"),
    Tick("seal", 20, SETTLEMENT, seal, "closes the open batch when it is time, and publishes it"),
    Tick("collect", 15, SETTLEMENT, collect, "takes in attesters' files while a batch waits for signatures"),
    Tick("drive", 15, SETTLEMENT, drive_all, "takes every batch as far as it goes: publish, commit, finalise"),
    Tick(
        "reconcile",
        60,
        SETTLEMENT,
        compare,
        "reads the chain's events, and compares chain, batches, ledger and mirrors",
    ),
    Tick("epochs", 60, TIERS, seal_epochs, "seals each epoch of members' tiers, anchors its root, erases what is over"),
    Tick("mirrors", 60, SETTLEMENT, read_back, "reads everything published back from every mirror, once a day"),
)
BY_NAME: Final = {tick.name: tick for tick in TICKS}

"""An epoch of the demonstration's members, sealed and anchored at the chain's own time.

Invariants: the chain's time is moved to the epoch in which the newest commitment counts, never back; an epoch that is
in force with that commitment in it is taken as it is; steps are those of the periodic task (`settlement.tiers.epochs`).
Called by `showing`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from api.demo.settling import Settling
from settlement.tiers import epochs, registry, rows
from settlement.tiers.clock import EpochClock
from settlement.tiers.epochs import Desk
from settlement.tiers.rows import Epoch, State
from settlement.tiers.trees import Trees

DRIVES_MAX, DRIVE_S = 60, 0.5
INTO_EPOCH_S = 60
"""So long after its first second an epoch is looked at."""


class NotSealed(Exception):
    """The epoch did not come to the chain; the message says where it stands."""


def sealed(settling: Settling, clock: EpochClock, trees: Path, *, wanted: int, moved: Callable[[], None]) -> Epoch:
    """The epoch of this moment, or `wanted` where that comes later, once the chain holds it for good; `moved` hears
    that the chain's time was moved. Raises `NotSealed`.
    """
    chain, conn = settling.settlement.alliance.chain, settling.settlement.conn
    number = max(wanted, clock.epoch_at(chain.now()))
    chain.advance_time(max(0, clock.begins(number) + INTO_EPOCH_S - chain.now()))
    moved()
    standings: list[epochs.Standing] = []
    for _ in range(DRIVES_MAX):
        standings = epochs.drive(
            Desk(
                conn=conn,
                vault=settling.keys.vault(),
                clock=clock,
                trees=Trees(trees),
                registry=registry.attach(conn, chain, settling.settlement.outbox),
                now=chain.now(),
            )
        )
        epoch = rows.epoch(conn, number)
        if epoch is not None and epoch.state is State.ANCHORED:
            return epoch
        if any(each.alarm for each in standings) or epoch is None or epoch.state is State.RETIRED:
            break
        time.sleep(DRIVE_S)
    said = "; ".join(f"epoch {each.epoch} {each.state.name}: {each.reason}" for each in standings)
    raise NotSealed(said or f"epoch {number} was not drawn")


def publishing_gas(settling: Settling, number: int) -> int:
    """What the chain asked for to take the epoch's header."""
    receipt = settling.settlement.outbox.observe(f"tier-epoch:{number}").receipt
    return 0 if receipt is None else receipt.gas_used

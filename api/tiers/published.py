"""What is public of epochs, read from the rows that the sealing of epochs keeps.

Invariant: an epoch is published once the chain holds its root for good, and counts while it is in force, not revoked
and not over; its header is believed because sealing signed it, and every wallet compares it with the chain. Reading
only. Called by the handlers of this folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from api.problems import Problem
from api.tiers.asking import Place, Published
from api.tiers.circuits import Served
from api.tiers.rows import Connection
from proofs.tier.cohorts import Cohorts
from proofs.tier.grid import PolicyGrid
from proofs.tier.statement import alliance_id
from proofs.tier.trusted import Trusted
from settlement.tiers import rows as sealed
from settlement.tiers.place import registry_place
from settlement.tiers.rows import Epoch

Standing = Literal["in-force", "to-come", "over", "revoked"]

_NUMBERS = """
SELECT epoch FROM settlement.tier_epoch WHERE anchored_at IS NOT NULL AND header IS NOT NULL AND epoch < %s
ORDER BY epoch DESC LIMIT %s
"""
_NAMES = "SELECT tiers FROM settlement.tier_epoch WHERE epoch = %s"


def place(connection: Connection) -> Place:
    """Which alliance this is. Refuses with tiers-off before its registry is there."""
    found = registry_place(connection)
    if found is None:
        raise Problem("tiers-off", "The alliance has no registry of tiers yet.")
    return Place(found.chain_id, bytes(found.address))


def standing(epoch: Epoch, now: int) -> Standing | None:
    """How a published epoch stands at a second, None for one that is not published."""
    signed = epoch.signed
    if epoch.anchored_at is None or signed is None:
        return None
    if epoch.revoked_at is not None:
        return "revoked"
    if signed.header.active(now):
        return "in-force"
    return "to-come" if now < signed.header.not_before else "over"


def published(connection: Connection, number: int, *, now: int) -> Published | None:
    """The epoch of that number if it is in force."""
    epoch = sealed.epoch(connection, number)
    if epoch is None or standing(epoch, now) != "in-force" or epoch.signed is None or epoch.cohorts is None:
        return None
    grid, cohorts = PolicyGrid.from_json(epoch.policy_grid), Cohorts.from_json(epoch.cohorts)
    return Published(epoch.signed.header, grid, cohorts)


def published_epochs(connection: Connection, *, below: int, limit: int) -> list[Epoch]:
    """Published epochs under a number, newest first; each is read by itself, for its cohorts may be long."""
    numbers = [number for (number,) in connection.execute(_NUMBERS, (below, limit))]
    return [epoch for number in numbers if (epoch := sealed.epoch(connection, number)) is not None]


def tier_names(connection: Connection, number: int) -> list[str]:
    """The names of an epoch's tiers by rank; none where they are no longer known."""
    row = connection.execute(_NAMES, (number,)).fetchone()
    return (row[0] if row else None) or []


def trusted(connection: Connection, here: Place, circuits: Sequence[Served], number: int) -> Trusted:
    """What one proof is checked against: the keys of this server, and the epoch that was asked about."""
    epoch = sealed.epoch(connection, number)
    signed = epoch.signed if epoch is not None and epoch.anchored_at is not None else None
    return Trusted(
        chain_id=here.chain_id,
        registry=here.registry,
        alliance=alliance_id(here.chain_id, here.registry),
        circuits={each.circuit.circuit_id: each.circuit for each in circuits},
        epochs={} if signed is None else {number: signed.header},
        revoked=frozenset({number} if epoch is not None and epoch.revoked_at is not None else ()),
    )

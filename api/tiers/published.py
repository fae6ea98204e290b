"""What is public of epochs, read from the rows that the sealing of epochs keeps.

Invariant: an epoch is published once the chain holds its root for good, and counts while it is in force, not revoked
and not over; its header is believed because sealing signed it, and every wallet compares it with the chain. Reading
only. Called by the handlers of this folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.problems import Problem
from api.tiers.asking import Place, Published
from api.tiers.kept import Kept
from api.tiers.rows import Connection
from proofs.tier.circuit_folder import CircuitKeys
from proofs.tier.cohorts import Cohorts
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import EpochHeader, SignedHeader
from proofs.tier.statement import alliance_id
from proofs.tier.trusted import Trusted
from settlement.tiers.place import registry_place

TABLES_KEPT_MAX = 3
"""The epoch in force, the one before it in its grace, and one that was asked about."""
Standing = Literal["in-force", "to-come", "over", "revoked"]

_HEADERS = """
SELECT epoch, header, signature, revoked_at IS NOT NULL FROM settlement.tier_epoch
WHERE anchored_at IS NOT NULL AND header IS NOT NULL AND epoch < %s ORDER BY epoch DESC LIMIT %s
"""
_TABLES = "SELECT policy_grid, cohorts FROM settlement.tier_epoch WHERE epoch = %s"
_NAMES = "SELECT tiers FROM settlement.tier_epoch WHERE epoch = %s"


def place(connection: Connection) -> Place:
    """Which alliance this is. Refuses with tiers-off before its registry is there."""
    found = registry_place(connection)
    if found is None:
        raise Problem("tiers-off", "The alliance has no registry of tiers yet.")
    return Place(found.chain_id, bytes(found.address))


@dataclass(frozen=True, slots=True)
class Header:
    """A published epoch without its grid and its cohorts, which may be long."""

    epoch: int
    signed: SignedHeader
    revoked: bool

    def standing(self, now: int) -> Standing:
        """How it stands at a second."""
        if self.revoked:
            return "revoked"
        if self.signed.header.active(now):
            return "in-force"
        return "to-come" if now < self.signed.header.not_before else "over"


def headers(connection: Connection, *, below: int, limit: int) -> list[Header]:
    """Of published epochs under a number, newest first."""
    rows = connection.execute(_HEADERS, (below, limit))
    return [
        Header(epoch, SignedHeader(EpochHeader.from_json(header), bytes(signature)), revoked)
        for epoch, header, signature, revoked in rows
    ]


def header_numbered(connection: Connection, number: int) -> Header | None:
    """The header of the published epoch of that number."""
    return next((each for each in headers(connection, below=number + 1, limit=1) if each.epoch == number), None)


_kept = Kept[bytes, tuple[PolicyGrid, Cohorts]](TABLES_KEPT_MAX)


def published(connection: Connection, number: int, *, now: int) -> Published | None:
    """The epoch of that number if it is in force."""
    found = header_numbered(connection, number)
    if found is None or found.standing(now) != "in-force":
        return None
    header = found.signed.header
    grid, cohorts = _kept.of(header.struct_hash(), lambda: _read(tables(connection, number)))
    return Published(header, grid, cohorts)


def tables(connection: Connection, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The grid and the cohorts of a published epoch, as they were hashed into its header."""
    row = connection.execute(_TABLES, (number,)).fetchone()
    assert row is not None, "whoever asks has its header"
    return row[0], row[1]


def _read(forms: tuple[dict[str, Any], dict[str, Any]]) -> tuple[PolicyGrid, Cohorts]:
    grid, cohorts = forms
    return PolicyGrid.from_json(grid), Cohorts.from_json(cohorts)


def tier_names(connection: Connection, number: int) -> list[str]:
    """The names of an epoch's tiers by rank; none where they are no longer known."""
    row = connection.execute(_NAMES, (number,)).fetchone()
    return (row[0] if row else None) or []


def trusted(connection: Connection, here: Place, circuits: Sequence[CircuitKeys], number: int) -> Trusted:
    """What one proof is checked against: the keys of this server, and the epoch that was asked about."""
    header = header_numbered(connection, number)
    return Trusted(
        chain_id=here.chain_id,
        registry=here.registry,
        alliance=alliance_id(here.chain_id, here.registry),
        circuits={each.circuit.circuit_id: each.circuit for each in circuits},
        epochs={} if header is None else {number: header.signed.header},
        revoked=frozenset({number} if header is not None and header.revoked else ()),
    )

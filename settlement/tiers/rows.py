"""Rows of epochs (migration 0020), read and written in one place.

Invariants: statements only, no decision; every change of an epoch's state goes through a function here that refuses
when the state is not the one its caller saw; a retired epoch stays so. Called by the rest of the room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, LiteralString

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from proofs.tier.header import EpochHeader, SignedHeader
from settlement.tables import Conn, StateMoved


class State(Enum):
    """How far an epoch is."""

    DRAWN = "numbered, with its secret and the grid of what may be asked"
    SNAPSHOTTED = "every member's attributes are kept, and how many fit each predicate"
    BUILT = "its tree has a root"
    SIGNED = "its header is signed, and on its way to the chain"
    ANCHORED = "the chain holds its root for good; witnesses can be had"
    RETIRED = "over, revoked or never anchored: its secret and its attributes are gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One epoch's row. Times are Unix seconds; what a later state brings is None before it."""

    epoch: int
    state: State
    not_before: int
    not_after: int
    drawn_at: int
    alliance_id: int
    policy_grid: dict[str, Any]
    members: int | None
    tiers: list[str] | None
    cohorts: dict[str, Any] | None
    leaves_done: int
    root: bytes | None
    header: dict[str, Any] | None
    header_hash: bytes | None
    signature: bytes | None
    anchored_at: int | None
    revoked_at: int | None
    retired_at: int | None
    ended_as: str | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State[str(self.state)] if isinstance(self.state, str) else self.state)

    @property
    def root_element(self) -> int:
        """The root as the circuit has it; only once it is built."""
        assert self.root is not None, f"epoch {self.epoch} is not built"
        return int.from_bytes(self.root, "big")

    @property
    def signed(self) -> SignedHeader | None:
        """What is published of it, once it is signed."""
        if self.header is None or self.signature is None:
            return None
        return SignedHeader(EpochHeader.from_json(self.header), bytes(self.signature))


_COLUMNS: Final[LiteralString] = ", ".join(
    (
        *("epoch", "state", "not_before", "not_after", "drawn_at", "alliance_id", "policy_grid", "members", "tiers"),
        *("cohorts", "leaves_done", "root", "header", "header_hash", "signature", "anchored_at", "revoked_at"),
        *("retired_at", "ended_as"),
    )
)
_ALL: Final[LiteralString] = f"SELECT {_COLUMNS} FROM settlement.tier_epoch"  # noqa: S608  # constants of this file
_LAST_ANCHORED: Final[LiteralString] = (
    _ALL + " WHERE anchored_at IS NOT NULL AND revoked_at IS NULL ORDER BY epoch DESC LIMIT 1"
)
_DRAW = """
INSERT INTO settlement.tier_epoch (epoch, state, not_before, not_after, drawn_at, alliance_id, policy_grid)
VALUES (%(epoch)s, 'DRAWN', %(not_before)s, %(not_after)s, %(drawn_at)s, %(alliance_id)s, %(policy_grid)s)
ON CONFLICT DO NOTHING
"""
_ADVANCE: Final = "UPDATE settlement.tier_epoch SET {} WHERE epoch = %(at)s AND state = %(seen)s"
_REVOKE = "UPDATE settlement.tier_epoch SET revoked_at = %s WHERE epoch = %s AND revoked_at IS NULL"
_PROGRESS = "UPDATE settlement.tier_epoch SET leaves_done = %s WHERE epoch = %s AND state = 'SNAPSHOTTED'"


def epochs(conn: Conn, *, newest: int = 10_000) -> list[Epoch]:
    """The newest epochs, ascending."""
    found = _read(conn, _ALL + " ORDER BY epoch DESC LIMIT %s", newest)
    return found[::-1]


def epoch(conn: Conn, number: int) -> Epoch | None:
    """One epoch, None if it was never drawn."""
    return next(iter(_read(conn, _ALL + " WHERE epoch = %s", number)), None)


def unfinished(conn: Conn) -> list[Epoch]:
    """Every epoch that is not retired, ascending."""
    return _read(conn, _ALL + " WHERE state <> 'RETIRED' ORDER BY epoch")


def last(conn: Conn) -> Epoch | None:
    """The epoch with the highest number."""
    return next(iter(_read(conn, _ALL + " ORDER BY epoch DESC LIMIT 1")), None)


def last_anchored(conn: Conn) -> Epoch | None:
    """The newest epoch that came to the chain and was not taken back."""
    return next(iter(_read(conn, _LAST_ANCHORED)), None)


def draw(conn: Conn, fields: Mapping[str, Any]) -> bool:
    """Number an epoch; whether it was new. In the caller's transaction, with the secret."""
    return conn.execute(_DRAW, {**fields, "policy_grid": Jsonb(fields["policy_grid"])}).rowcount == 1


def advance(conn: Conn, seen: Epoch, to: State, **fields: object) -> None:
    """Move an epoch on from the state its caller saw, with what the new state brings. Raises `StateMoved`."""
    values = {name: Jsonb(value) if isinstance(value, dict | list) else value for name, value in fields.items()}
    sets = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in ("state", *fields)]
    statement = sql.SQL(_ADVANCE).format(sql.SQL(", ").join(sets))
    if conn.execute(statement, {**values, "state": to.name, "at": seen.epoch, "seen": seen.state.name}).rowcount != 1:
        raise StateMoved(f"epoch {seen.epoch} is no longer {seen.state.name}")


def revoke(conn: Conn, number: int, *, now: int) -> bool:
    """Note that an epoch counts no more; whether that is new."""
    return conn.execute(_REVOKE, [now, number]).rowcount == 1


def progress(conn: Conn, number: int, leaves_done: int) -> None:
    """How many leaves of its tree are hashed."""
    conn.execute(_PROGRESS, [leaves_done, number])


def _read(conn: Conn, statement: LiteralString, *values: int) -> list[Epoch]:
    with conn.cursor(row_factory=class_row(Epoch)) as cursor:
        return cursor.execute(statement, values).fetchall()

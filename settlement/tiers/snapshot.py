"""What an epoch says of its members: everybody's attributes at one instant, in one transaction that sees one moment.

Invariants: a person is in an epoch once, by the commitment that counts for it then (`commitments.current` in SQL);
closed and frozen members are not in it, and come back when they are let; attributes are what the ledger answers about
the epoch's first second; where a leaf stands follows from the epoch's secret, so the rows come out the same again. An
erasure and a snapshot never overlap. Called by `epochs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final

import psycopg

from ledger.queries import registry as registry_of
from ledger.registry import Registry
from ledger.tier_standings import Standing, standings
from proofs.tier.attributes import Attributes, Said
from proofs.tier.cohorts import counted
from proofs.tier.grid import PolicyGrid
from proofs.tier.policy import SECONDS_MAX
from proofs.tier.statement import DEPTH
from settlement.chain.outbox import Checkpoint, unwatched
from settlement.tables import Conn
from settlement.tiers import rows
from settlement.tiers.commitments import COMMITMENT_BYTES, all_in
from settlement.tiers.rows import Epoch, State
from settlement.tiers.salts import EpochSecret

MS_PER_SECOND: Final = 1_000
MEMBERS_PER_PAGE: Final = 5_000
MEMBERS_MAX: Final = 2**DEPTH
LOCK: Final = "tier-snapshot"
"""Held by a snapshot and by erasures: one waits for the other."""

_LOCK = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
_BLINDS = """
INSERT INTO vault.tier_blind (shard, member_no, key_no)
SELECT k.shard, k.member_no, k.key_no FROM settlement.tier_commitment k
WHERE k.from_epoch <= %s
  AND NOT EXISTS (SELECT 1 FROM vault.tier_blind b
                  WHERE b.shard = k.shard AND b.member_no = k.member_no AND b.key_no = k.key_no)
  AND NOT EXISTS (SELECT 1 FROM settlement.tier_ended e
                  WHERE e.shard = k.shard AND e.member_no = k.member_no AND e.key_no = k.key_no)
"""
_MEMBERS = """
WITH newest AS (
    SELECT DISTINCT ON (k.member_no) k.member_no, k.key_no, k.commitment, k.from_epoch
    FROM settlement.tier_commitment k WHERE k.shard = 0 AND k.from_epoch <= %s
    ORDER BY k.member_no, k.key_no DESC
), owned AS (
    SELECT DISTINCT ON (person) coalesce(p.merged_into, p.member_no) AS person, n.*
    FROM newest n JOIN ledger.person p ON p.shard = 0 AND p.member_no = n.member_no
    LEFT JOIN settlement.tier_ended e ON e.shard = 0 AND e.member_no = n.member_no AND e.key_no = n.key_no
    WHERE e.key_no IS NULL
    ORDER BY person, p.merged_into IS NULL DESC, n.from_epoch DESC, n.key_no DESC, n.member_no
)
SELECT o.person, o.member_no, o.key_no, o.commitment, o.from_epoch, count(*) OVER () FROM owned o
JOIN ledger.person w ON w.shard = 0 AND w.member_no = o.person
WHERE NOT w.closed AND NOT w.frozen ORDER BY o.person
"""
_COPY = """
COPY settlement.tier_leaf (epoch, place, member_no, key_member_no, key_no, commitment, attributes)
FROM STDIN (FORMAT BINARY)
"""
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END: Final = b"\xff\xff"
_COPY_ROW: Final = Struct(f">hiqiiiqiqiii{COMMITMENT_BYTES}si{Attributes.BYTES}s")
"""PostgreSQL's binary form of one row of _COPY: the number of columns, then each one's length and itself."""
_COLUMNS: Final = 7


class NoTiers(RuntimeError):
    """The ledger has no tiers: there is nothing to prove."""


class EpochFull(RuntimeError):
    """More members than a tree of this depth has leaves."""


@dataclass(slots=True)
class _Taken:
    """What a pass over the members leaves beside the rows."""

    order: Sequence[int] = ()
    members: int = 0
    codes: list[str] = field(default_factory=list)


def take(conn: Conn, epoch: Epoch, secret: EpochSecret, *, checkpoint: Checkpoint = unwatched) -> None:
    """Keep everybody's attributes, and how many members fit each predicate. DRAWN becomes SNAPSHOTTED.

    Raises `EnrolmentHangs`, `StateMoved`, `NoTiers`, `EpochFull`; nothing is kept then.
    """
    with exclusive(conn):
        all_in(conn)
        _take(conn, epoch, secret, checkpoint)


def _take(conn: Conn, epoch: Epoch, secret: EpochSecret, checkpoint: Checkpoint) -> None:
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        conn.execute(_BLINDS, [epoch.epoch])
        registry, taken = registry_of(conn), _Taken()
        if registry.tiers is None:
            raise NoTiers("the ledger has no tiers")
        taken.codes = [tier.code for tier in registry.tiers.tiers]
        grid = PolicyGrid.from_json(epoch.policy_grid)
        cohorts = counted(grid, _kept(conn, epoch, secret, registry, taken))
        fields: dict[str, Any] = {"members": taken.members, "tiers": taken.codes, "cohorts": cohorts.to_json()}
        checkpoint("taken")
        rows.advance(conn, epoch, State.SNAPSHOTTED, **fields)


@contextmanager
def exclusive(conn: Conn) -> Iterator[None]:
    """Alone among snapshots and erasures. Before the transaction, whose first statement decides what it sees."""
    conn.execute(_LOCK, [LOCK])
    try:
        yield
    finally:
        with suppress(psycopg.Error):  # a connection that is lost holds nothing
            conn.execute(_UNLOCK, [LOCK])


def _kept(conn: Conn, epoch: Epoch, secret: EpochSecret, registry: Registry, taken: _Taken) -> Iterator[Said]:
    """What is said of everybody, each kept in its place before it is answered."""
    at_ms = epoch.not_before * MS_PER_SECOND
    with conn.cursor("tier_members", scrollable=False) as cursor:
        cursor.itersize = MEMBERS_PER_PAGE
        cursor.execute(_MEMBERS, [epoch.epoch], binary=True)
        while page := cursor.fetchmany(MEMBERS_PER_PAGE):
            if not taken.order:
                taken.order = _order(secret, page[0][-1])
            found = standings(conn, registry, [person for person, *_ in page], at_ms)
            said, kept = _page(epoch.epoch, page, found, taken.order[taken.members : taken.members + len(page)])
            with conn.cursor() as filling, filling.copy(_COPY) as copy:
                copy.write(b"".join((_COPY_HEAD, *kept, _COPY_END)))
            taken.members += len(page)
            yield from said


def _order(secret: EpochSecret, members: int) -> Sequence[int]:
    if members > MEMBERS_MAX:
        raise EpochFull(f"{members} members do not fit a tree of depth {DEPTH}")
    return secret.order(members)


def _page(
    epoch: int, page: Sequence[tuple[Any, ...]], found: Iterator[Standing], places: Sequence[int]
) -> tuple[list[Said], list[bytes]]:
    """What is said of a page's members, and the rows that keep it. Both come by the person's number."""
    said, kept = [], []
    for owner, standing, place in zip(page, found, places, strict=True):
        person, member_no, key_no, commitment, from_epoch, _ = owner
        assert person == standing.member_no, "the ledger answers in order"
        one = said_of(standing, from_epoch)
        said.append(one)
        keys, packed = (8, person, 8, member_no, 4, key_no), one.packed_bytes()
        kept.append(
            _COPY_ROW.pack(_COLUMNS, 8, epoch, 4, place, *keys, COMMITMENT_BYTES, commitment, Attributes.BYTES, packed)
        )
    return said, kept


def said_of(standing: Standing, key_epoch: int) -> Said:
    """A standing as a leaf carries it. Times are rounded to what is certainly true: later since, earlier until."""
    until = SECONDS_MAX if standing.until_ms is None else min(standing.until_ms // MS_PER_SECOND, SECONDS_MAX)
    return Said(
        points=standing.points_au,
        spend=standing.qualifying_au,
        since=min(-(-standing.since_ms // MS_PER_SECOND), SECONDS_MAX),
        valid_until=until,
        key_epoch=key_epoch,
        tier=standing.rank,
    )

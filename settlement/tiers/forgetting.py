"""A member leaves tier proofs: by withdrawing, or by erasure, after which nothing of theirs can be made or guessed.

Invariants: every published root still verifies, because a leaf of an erased member stays in its tree as the hash it is;
erasing takes the member's blinds, so that their salts are gone with the epoch's secret still there, and their
attributes in every epoch; which commitments were theirs stays, for a commitment is never given to anybody else. Done
again it does nothing. Called by the command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proofs.tier.statement import epoch_tag
from settlement.tables import Conn
from settlement.tiers import commitments, epoch_secrets, rows
from settlement.tiers.commitments import MemberAbsent
from settlement.tiers.snapshot import exclusive
from settlement.tiers.trees import Leaf, leaf_of
from settlement.vault import Vault

_END = """
INSERT INTO settlement.tier_ended (member_no, key_no, ended_at, why)
SELECT * FROM unnest(%s::bigint[], %s::integer[]) AS key (member_no, key_no), (VALUES (%s::bigint, %s)) AS said
ON CONFLICT DO NOTHING
"""
_ROWS = """
SELECT l.epoch, l.place, l.commitment, l.attributes, b.blind, l.leaf FROM settlement.tier_leaf l
JOIN vault.tier_blind b ON b.shard = l.shard AND b.member_no = l.key_member_no AND b.key_no = l.key_no
WHERE l.shard = 0 AND (l.key_member_no, l.key_no) IN (SELECT * FROM unnest(%s::bigint[], %s::integer[]))
ORDER BY l.epoch, l.place FOR UPDATE OF l
"""
_LEAVE_LEAF = """
UPDATE settlement.tier_leaf
SET member_no = NULL, key_member_no = NULL, key_no = NULL, commitment = NULL, attributes = NULL, leaf = %s
WHERE epoch = %s AND place = %s
"""
_FORGET_BLINDS = """
DELETE FROM vault.tier_blind
WHERE shard = 0 AND (member_no, key_no) IN (SELECT * FROM unnest(%s::bigint[], %s::integer[]))
"""


def withdraw(conn: Conn, member: str, *, now: int) -> int:
    """Be in no later epoch, until a new commitment is registered; how many keys ended. Raises `MemberAbsent`."""
    with conn.transaction():
        return _end(conn, *_keys(conn, member), now=now, why="withdrawn")


def erase(conn: Conn, vault: Vault, member: str, *, now: int) -> int:
    """Withdraw, and destroy what witnesses of the member were made from, in every epoch; how many leaves are left as
    hashes. Raises `MemberAbsent`, `VaultError`.
    """
    with exclusive(conn), conn.transaction():
        members, numbers = _keys(conn, member)
        _end(conn, members, numbers, now=now, why="erased")
        found = conn.execute(_ROWS, [members, numbers], binary=True).fetchall()
        for row in found:
            _leave_leaf(conn, vault, row)
        conn.execute(_FORGET_BLINDS, [members, numbers])
    return len(found)


def _leave_leaf(conn: Conn, vault: Vault, row: Sequence[Any]) -> None:
    number, place, *said = row
    epoch = rows.epoch(conn, number)
    assert epoch is not None, "leaves have an epoch"
    secret = epoch_secrets.opened(conn, vault, number)
    leaf = leaf_of(epoch_tag(epoch.alliance_id, number), secret, Leaf(*said))
    conn.execute(_LEAVE_LEAF, [leaf.to_bytes(32, "big"), number, place])


def _keys(conn: Conn, member: str) -> tuple[list[int], list[int]]:
    keys = commitments.keys_of(conn, member)
    if not keys:
        raise MemberAbsent(f"{member} has no commitment")
    return [key.member_no for key in keys], [key.key_no for key in keys]


def _end(conn: Conn, members: list[int], numbers: list[int], *, now: int, why: str) -> int:
    return conn.execute(_END, [members, numbers, now, why]).rowcount

"""A tree as the definition has it, without a file: what the tests hold roots and paths to."""

from __future__ import annotations

from functools import cache
from typing import Any

import psycopg

from proofs.poseidon import poseidon
from proofs.tier import statement
from proofs.tier.attributes import Attributes
from settlement.tiers import epoch_secrets
from settlement.tiers.rows import epoch as epoch_row
from tests.settlement.tiers.ground import VAULT

_ROWS = """
SELECT l.place, l.commitment, l.attributes, b.blind FROM settlement.tier_leaf l
JOIN vault.tier_blind b ON (b.member_no, b.key_no) = (l.key_member_no, l.key_no)
WHERE epoch = %s ORDER BY place
"""


@cache
def empty(level: int) -> int:
    return poseidon([empty(level - 1)] * 2) if level else 0


def root_of(leaves: list[int], level: int = statement.DEPTH) -> int:
    """The root over a subtree's leaves, halved until one is left."""
    if not leaves:
        return empty(level)
    if not level:
        return leaves[0]
    half = 1 << level - 1
    return poseidon([root_of(leaves[:half], level - 1), root_of(leaves[half:], level - 1)])


def root_of_rows(conn: psycopg.Connection[Any], number: int) -> int:
    """The root that follows from an epoch's rows and its secret."""
    row, secret = epoch_row(conn, number), epoch_secrets.opened(conn, VAULT, number)
    assert row is not None
    tag = statement.epoch_tag(row.alliance_id, number)
    leaves: list[int] = []
    for place, commitment, packed, blind in conn.execute(_ROWS, [number]):
        assert place == len(leaves)
        attributes = Attributes.unpacked(int.from_bytes(packed, "big"))
        salt = secret.salt(bytes(commitment), bytes(blind))
        leaves.append(statement.leaf(int.from_bytes(commitment, "big"), tag, attributes, salt))
    return root_of(leaves)

"""Where the registry of tiers is: one row (migration 0020), written once, because leaves name it.

Called by founding and by whoever attaches to the alliance.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.rows import class_row

from settlement.tables import Conn

_REGISTRY = "SELECT chain_id, address, code_hash, deploy_block FROM settlement.tier_registry"
_SET_REGISTRY = """
INSERT INTO settlement.tier_registry (chain_id, address, code_hash, deploy_block)
VALUES (%(chain_id)s, %(address)s, %(code_hash)s, %(deploy_block)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPlace:
    """Where this database's TierRegistry is: 20 bytes, the hash of its code, and its first block."""

    chain_id: int
    address: bytes
    code_hash: bytes
    deploy_block: int


def registry_place(conn: Conn) -> RegistryPlace | None:
    """Where roots go, None before the contract is there."""
    with conn.cursor(row_factory=class_row(RegistryPlace)) as cursor:
        return cursor.execute(_REGISTRY).fetchone()


def set_registry_place(conn: Conn, to: RegistryPlace) -> None:
    """Once and for all: leaves name the contract."""
    conn.execute(_SET_REGISTRY, {name: getattr(to, name) for name in RegistryPlace.__slots__})

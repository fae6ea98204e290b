"""Secrets at rest: each is wrapped under one key-encryption key that the database never sees.

Invariants: AES-256-GCM with a fresh nonce for each wrap and the secret's name bound in, so that one wrapped secret
cannot be put in another's place; nothing here is ever logged or shown. A member's secret is made when the member first
appears in a batch; deleting its row is what erasure means. Called by the orchestration.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import Connection

SECRET_BYTES = 32
NONCE_BYTES = 12

_HELD = """
SELECT member.name, member.shard, member.member_no, held.wrapped
FROM ledger.member LEFT JOIN vault.member_secret AS held USING (shard, member_no)
WHERE member.name = ANY(%(names)s)
"""
_KEEP = """
INSERT INTO vault.member_secret (shard, member_no, wrapped)
SELECT * FROM unnest(%(shards)s::smallint[], %(numbers)s::bigint[], %(wrapped)s::bytea[])
ON CONFLICT DO NOTHING
"""


class VaultError(RuntimeError):
    """A secret cannot be opened: another key-encryption key, or the row was tampered with. Names the secret."""


class MemberUnknown(LookupError):
    """The ledger has no member of this name."""


def fresh() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(SECRET_BYTES)


@dataclass(frozen=True, slots=True)
class Vault:
    """Wraps and opens secrets under one 32-byte key."""

    key: bytes = field(repr=False)

    def wrap(self, secret: bytes, name: str) -> bytes:
        """`secret` for storage, bound to `name`."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.key).encrypt(nonce, secret, name.encode())

    def open(self, wrapped: bytes, name: str) -> bytes:
        """The secret that was wrapped under `name`. Raises `VaultError`."""
        try:
            return AESGCM(self.key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], name.encode())
        except InvalidTag as error:
            raise VaultError(f"{name} does not open with this key") from error

    def members(self, conn: Connection[Any], names: Iterable[str]) -> dict[str, bytes]:
        """The secret of each member, made now for those that have none. Raises `MemberUnknown` for an unknown name."""
        wanted = sorted(set(names))
        with conn.transaction():
            rows = conn.execute(_HELD, {"names": wanted}).fetchall()
            missing = [row for row in rows if row[3] is None]
            if missing:
                self._make(conn, missing)
                rows = conn.execute(_HELD, {"names": wanted}).fetchall()
        found = {name: self.open(wrapped, _label(shard, number)) for name, shard, number, wrapped in rows}
        for name in wanted:
            if name not in found:
                raise MemberUnknown(name)
        return found

    def _make(self, conn: Connection[Any], missing: list[tuple[Any, ...]]) -> None:
        """Two makers at once keep the first one's secret: the second insert does nothing and the row is read again."""
        wrapped = [self.wrap(fresh(), _label(shard, number)) for _, shard, number, _ in missing]
        shards, numbers = [row[1] for row in missing], [row[2] for row in missing]
        conn.execute(_KEEP, {"shards": shards, "numbers": numbers, "wrapped": wrapped})


def _label(shard: int, number: int) -> str:
    return f"member {shard}/{number}"

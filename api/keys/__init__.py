"""Bearer keys of merchants: making, checking, replacing and ending them; and the table that keeps them.

    tdk_live_ <12 characters: the key's public name> <43 characters: 256 random bits>

Invariants: the secret half exists in one answer of `issue` and nowhere else; stored is its SHA-256, which is enough
because nobody guesses 256 random bits (docs/decisions: keys are hashed once); comparison takes the same time whatever
differs; a key belongs to one merchant, or to the operator, and to test or live for ever; `last_used_at` is true to
within `LAST_USED_SECONDS_MIN`.

`python -m api.keys issue --merchant 7` is how an operator calls it; `api.auth` asks `look_up`. Nobody else reads the
table.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

import psycopg

from proofs.accounts import OPERATOR_ID

Connection = psycopg.Connection[Any]
Environment = Literal["test", "live"]

SCOPES = (
    *("events:write", "redemptions:write", "refunds:write", "disputes:write", "transfers:write", "adjustments:write"),
    *("members:write", "members:read", "receipts:read", "configuration:write", "configuration:read", "clearing:read"),
    "clock:write",
)
"""What a merchant's key may do unless told otherwise."""
ON_PURPOSE = (
    *("adjustments:approve", "openings:write", "pools:write", "bonds:write", "members:govern"),
    "sessions:write",
)
"""What a merchant's key may do only if it is issued so: to be the second person, to bring in balances that no order
explains, to say what a member has agreed to (a family, a referrer), to act on a member as a whole, and to let a member
in as itself.
"""
OPERATOR_SCOPES = (
    *("merchants:write", "cycles:write", "disputes:resolve", "members:govern"),
    *("members:read", "receipts:read", "configuration:read", "clearing:read", "clock:write"),
    *("settlement:read", "alerts:acknowledge", "sessions:write", "partners:write", "epochs:write"),
)
"""What the operator's key may do unless told otherwise, and nobody else's ever."""

SECRET_BYTES = 32
NAME_BYTES = 8
LAST_USED_SECONDS_MIN = 60
OVERLAP_HOURS_MAX = 24 * 30
_TOKEN = re.compile(r"tdk_(test|live)_([a-z2-7]{12})([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token taken apart. `digest` is what is stored of the secret."""

    environment: Environment
    name: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One row: whose key it is, what it may do and when it ends (None: when somebody ends it)."""

    name: str
    environment: Environment
    merchant_id: int
    scopes: frozenset[str]
    digest: bytes
    expires_at: datetime | None
    last_used_at: datetime | None

    def opens_for(self, token: Token) -> bool:
        """Whether `token` is this key, in constant time."""
        same_kind = hmac.compare_digest(self.environment, token.environment)
        return hmac.compare_digest(self.digest, token.digest) and same_kind

    def over(self, now: datetime) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def read_token(text: str) -> Token | None:
    """The parts of a token, None when it cannot be one of ours."""
    parts = _TOKEN.fullmatch(text)
    if parts is None:
        return None
    kind, name, secret = parts.groups()
    return Token("live" if kind == "live" else "test", name, _digest(secret))


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def usual_scopes(merchant_id: int) -> tuple[str, ...]:
    """What a key of this merchant, or of the operator, is given unless told otherwise."""
    return OPERATOR_SCOPES if merchant_id == OPERATOR_ID else SCOPES


def issue(
    connection: Connection, *, merchant_id: int, environment: Environment, scopes: Iterable[str] | None = None
) -> str:
    """A new key of a merchant, or of the operator; what is returned is its only copy. Raises ValueError for a scope
    that such a key cannot have.
    """
    usual = usual_scopes(merchant_id)
    wanted = sorted(set(usual if scopes is None else scopes))
    possible = usual if merchant_id == OPERATOR_ID else (*usual, *ON_PURPOSE)
    if strange := set(wanted) - set(possible):
        raise ValueError(f"scopes: {', '.join(sorted(strange))} unknown; there are {', '.join(possible)}")
    name = base64.b32encode(secrets.token_bytes(NAME_BYTES)).decode().lower()[:12]
    secret = secrets.token_urlsafe(SECRET_BYTES)
    connection.execute(
        "INSERT INTO api.key (name, environment, merchant_id, scopes, digest) VALUES (%s, %s, %s, %s, %s)",
        (name, environment, merchant_id, wanted, _digest(secret)),
    )
    return f"tdk_{environment}_{name}{secret}"


def rotate(connection: Connection, *, name: str, overlap_hours: int) -> str:
    """A new key with the rights of `name`, which ends after the overlap. Raises LookupError when it ended before."""
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise ValueError(f"overlap_hours: {overlap_hours} is not within 0..{OVERLAP_HOURS_MAX}")
    old = connection.execute(
        "UPDATE api.key SET expires_at = least(expires_at, now() + make_interval(hours => %s))"
        " WHERE name = %s AND (expires_at IS NULL OR expires_at > now()) RETURNING merchant_id, environment, scopes",
        (overlap_hours, name),
    ).fetchone()
    if old is None:
        raise LookupError(f"name: no key {name} is in force")
    return issue(connection, merchant_id=old[0], environment=old[1], scopes=old[2])


def revoke(connection: Connection, *, name: str) -> None:
    """End a key now. Raises LookupError when there is none of that name in force."""
    ended = connection.execute(
        "UPDATE api.key SET expires_at = now() WHERE name = %s AND (expires_at IS NULL OR expires_at > now())", (name,)
    )
    if ended.rowcount == 0:
        raise LookupError(f"name: no key {name} is in force")


_SELECT = "SELECT name, environment, merchant_id, scopes, digest, expires_at, last_used_at FROM api.key"


def look_up(connection: Connection, name: str) -> StoredKey | None:
    """The stored key of that public name. Says nothing about whether a caller has its secret."""
    row = connection.execute(f"{_SELECT} WHERE name = %s", (name,)).fetchone()
    return None if row is None else _stored(row)


def mark_used(connection: Connection, name: str) -> None:
    """Note that the key was used now, at most once in `LAST_USED_SECONDS_MIN`."""
    connection.execute(
        "UPDATE api.key SET last_used_at = now() WHERE name = %s"
        " AND (last_used_at IS NULL OR last_used_at < now() - make_interval(secs => %s))",
        (name, LAST_USED_SECONDS_MIN),
    )


def keys_of(connection: Connection, merchant_id: int) -> list[StoredKey]:
    """Every key a merchant ever had, oldest first."""
    rows = connection.execute(f"{_SELECT} WHERE merchant_id = %s ORDER BY issued_at, name", (merchant_id,))
    return [_stored(row) for row in rows]


def _stored(row: tuple[str, Environment, int, list[str], bytes, datetime | None, datetime | None]) -> StoredKey:
    name, environment, merchant_id, scopes, digest, expires_at, last_used_at = row
    return StoredKey(name, environment, merchant_id, frozenset(scopes), digest, expires_at, last_used_at)

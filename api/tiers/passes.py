"""Bearer passes of members and partners: making, finding and ending them; and the table that keeps them.

    tdm_live_ <12 characters: the pass's public name> <43 characters: 256 random bits>     a member's, for minutes
    tdp_live_ ...                                                                          a partner's, for months

Invariants: as for `api.keys`: the secret half exists in one answer of `issue` and nowhere else; stored is its
SHA-256; comparison takes the same time whatever differs. A holder has at most so many passes at a time: one more ends
the oldest. Called by the handlers of this folder; nobody else reads the table.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

import psycopg

from api.keys import NAME_BYTES, SECRET_BYTES, Environment

Connection = psycopg.Connection[Any]
Holder = Literal["member", "partner"]

MEMBER_SECONDS_MIN, MEMBER_SECONDS_MAX, MEMBER_SECONDS_USUAL = 60, 3_600, 900
PARTNER_DAYS_MAX = 366
AT_ONCE_MAX: dict[Holder, int] = {"member": 5, "partner": 2}
"""Devices of a member; a partner's present pass and the one that replaces it."""
_LETTER: dict[Holder, str] = {"member": "m", "partner": "p"}
_PASS = re.compile(r"td([mp])_(test|live)_([a-z2-7]{12})([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Pass:
    """A token taken apart. `digest` is what is stored of the secret."""

    holder: Holder
    environment: Environment
    name: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class StoredPass:
    """One row: whose pass it is, and when it ends."""

    name: str
    holder: Holder
    holder_id: int
    environment: Environment
    digest: bytes
    issued_by: int
    expires_at: datetime

    def opens_for(self, offered: Pass) -> bool:
        """Whether `offered` is this pass, in constant time."""
        same_kind = hmac.compare_digest(self.holder + self.environment, offered.holder + offered.environment)
        return hmac.compare_digest(self.digest, offered.digest) and same_kind

    def over(self, now: datetime) -> bool:
        return now >= self.expires_at


def read(text: str) -> Pass | None:
    """The parts of a pass, None when it cannot be one of ours."""
    parts = _PASS.fullmatch(text)
    if parts is None:
        return None
    letter, kind, name, secret = parts.groups()
    return Pass("member" if letter == "m" else "partner", "live" if kind == "live" else "test", name, _digest(secret))


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def issue(
    connection: Connection,
    *,
    holder: Holder,
    holder_id: int,
    environment: Environment,
    issued_by: int,
    now: datetime,
    lasts: timedelta,
) -> tuple[str, str]:
    """A new pass and its name; what is returned is the pass's only copy. Ends the oldest ones above the bound, one
    holder's at a time, so that many at once do not pass it. In the caller's transaction.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"pass:{holder}:{holder_id}",))
    connection.execute(
        "UPDATE api.pass SET expires_at = %(now)s WHERE name IN (SELECT name FROM api.pass WHERE holder = %(holder)s"
        " AND holder_id = %(id)s AND expires_at > %(now)s ORDER BY issued_at DESC, name OFFSET %(kept)s FOR UPDATE)",
        {"now": now, "holder": holder, "id": holder_id, "kept": AT_ONCE_MAX[holder] - 1},
    )
    name = base64.b32encode(secrets.token_bytes(NAME_BYTES)).decode().lower()[:12]
    secret = secrets.token_urlsafe(SECRET_BYTES)
    connection.execute(
        "INSERT INTO api.pass (name, holder, holder_id, environment, digest, issued_by, issued_at, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (name, holder, holder_id, environment, _digest(secret), issued_by, now, now + lasts),
    )
    return f"td{_LETTER[holder]}_{environment}_{name}{secret}", name


def look_up(connection: Connection, offered: Pass) -> StoredPass | None:
    """The stored pass that `offered` opens."""
    row = connection.execute(
        "SELECT name, holder, holder_id, environment, digest, issued_by, expires_at FROM api.pass WHERE name = %s",
        (offered.name,),
    ).fetchone()
    stored = None if row is None else StoredPass(*row)
    return stored if stored and stored.opens_for(offered) else None


def end(connection: Connection, *, name: str, now: datetime) -> None:
    """End one pass now."""
    connection.execute("UPDATE api.pass SET expires_at = %s WHERE name = %s AND expires_at > %s", (now, name, now))


def end_all(
    connection: Connection, *, holder: Holder, holder_id: int, now: datetime, issued_by: int | None = None
) -> int:
    """End every pass of a holder, or those that one merchant issued; how many."""
    return connection.execute(
        "UPDATE api.pass SET expires_at = %(now)s WHERE holder = %(holder)s AND holder_id = %(id)s"
        " AND expires_at > %(now)s AND (%(by)s::integer IS NULL OR issued_by = %(by)s)",
        {"now": now, "holder": holder, "id": holder_id, "by": issued_by},
    ).rowcount

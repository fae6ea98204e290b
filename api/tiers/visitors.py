"""Who comes in with a pass: a member, or a partner. FastAPI dependencies of this folder's handlers.

Invariants: as at the door for keys: an unknown name and a wrong secret answer alike; an ended pass opens nothing from
that moment on, because a pass is read each time. A merchant's key is no pass and a pass is no key. Database work
happens on the door's threads for keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from starlette.requests import Request

from api.auth import AUTHORIZATION_CHARS_MAX, BEARER_CHALLENGE
from api.door import door_of
from api.keys import Environment
from api.problems import Problem
from api.tiers import passes, rows
from api.tiers.passes import Holder, Pass, StoredPass
from api.tiers.rows import Partner
from ledger.member_history import Person, person_numbered

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A member that came in. `number` is who it is by now, after merges."""

    number: int
    name: str
    pass_name: str
    environment: Environment


@dataclass(frozen=True, slots=True)
class Visitor:
    """A partner that came in."""

    partner: Partner
    pass_name: str


async def member(request: Request) -> Member:
    """The member whose pass this is. Refuses with the codes of credentials, and with member-closed."""
    stored, who = await _admit(request, "member", _person)
    if who.closed:
        raise Problem("member-closed", "The member has left.")
    return Member(who.account, who.name, stored.name, stored.environment)


async def partner(request: Request) -> Visitor:
    """The partner whose pass this is. Refuses with the codes of credentials, and with partner-ended."""
    stored, found = await _admit(request, "partner", rows.partner)
    if found.ended_at is not None:
        raise Problem("partner-ended", f"Partner {found.partner_id} may ask no more.")
    return Visitor(found, stored.name)


def _person(connection: Connection, number: int) -> Person:
    who = person_numbered(connection, number)
    assert who is not None, "a pass is issued to somebody"
    return who


async def _admit(request: Request, holder: Holder, find: Callable[[Connection, int], Any]) -> tuple[StoredPass, Any]:
    """The pass and its holder. Refusals in order: credentials-missing, -unknown, -expired, test-key-refused."""
    kind, _, text = (request.headers.get("authorization") or "").partition(" ")
    if kind.lower() != "bearer" or not text or len(text) > AUTHORIZATION_CHARS_MAX:
        wanted = "tdm_..." if holder == "member" else "tdp_..."
        raise Problem("credentials-missing", f"Authorization: wants 'Bearer {wanted}'.", headers=BEARER_CHALLENGE)
    offered = passes.read(text.strip())
    door = door_of(request)
    found = await door.doorkeeper.ask(lambda connection: _look_up(connection, offered, holder, find))
    if found is None:
        raise Problem("credentials-unknown", "Authorization: this pass is not known here.", headers=BEARER_CHALLENGE)
    stored, _ = found
    if stored.over(door.now()):
        detail = f"Authorization: pass {stored.name} has ended."
        raise Problem("credentials-expired", detail, headers=BEARER_CHALLENGE)
    if door.doorkeeper.production and stored.environment == "test":
        raise Problem("test-key-refused", f"Authorization: pass {stored.name} is a test pass.")
    return found


def _look_up(
    connection: Connection, offered: Pass | None, holder: Holder, find: Callable[[Connection, int], Any]
) -> tuple[StoredPass, Any] | None:
    if offered is None or offered.holder != holder:
        return None
    stored = passes.look_up(connection, offered)
    return None if stored is None else (stored, find(connection, stored.holder_id))

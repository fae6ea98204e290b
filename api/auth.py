"""Who is calling: from an Authorization header to a merchant and what it may do.

Invariants: a wrong secret and an unknown name answer alike; the secret is compared in constant time; a key that was
ended is refused everywhere within `KEY_CACHED_SECONDS_MAX`. Database work happens in a thread, never on the event loop.
Handlers ask through `allowed(scope)`; only `api.door` makes a `Doorkeeper`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import psycopg
from psycopg_pool import ConnectionPool
from starlette.requests import Request

from api import keys
from api.keys import StoredKey, Token
from api.problems import Problem

KEY_CACHED_SECONDS_MAX = 5
KEYS_CACHED_MAX = 10_000
KEY_READERS_MAX = 2
"""Threads and connections that look up keys and do nothing else: nobody waits at the door because others read much."""
AUTHORIZATION_CHARS_MAX = 200
BEARER_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tongdui"'}


T = TypeVar("T")
Pool = ConnectionPool[psycopg.Connection[Any]]


@dataclass(frozen=True, slots=True)
class Caller:
    """A merchant, or the operator, that proved who it is by one of its keys."""

    merchant_id: int
    key_name: str
    environment: str
    scopes: frozenset[str]


class Doorkeeper:
    """Checks bearer keys against the stored ones and remembers what it read for a few seconds."""

    def __init__(self, pool: Pool, *, production: bool, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self.production = production
        self._now = now
        self._threads = anyio.CapacityLimiter(KEY_READERS_MAX)
        self._read: dict[str, tuple[datetime, StoredKey]] = {}

    async def admit(self, authorization: str | None, scope: str) -> Caller:
        """The caller, if its key is good for `scope`. Refusals in order: credentials-missing, credentials-unknown,
        credentials-expired, test-key-refused, scope-missing.
        """
        kind, _, text = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not text or len(text) > AUTHORIZATION_CHARS_MAX:
            raise Problem("credentials-missing", "Authorization: wants 'Bearer tdk_...'.", headers=BEARER_CHALLENGE)
        token = keys.read_token(text.strip())
        stored = await self._stored(token) if token else None
        if stored is None:
            raise Problem("credentials-unknown", "Authorization: this key is not known here.", headers=BEARER_CHALLENGE)
        if stored.over(self._now()):
            raise Problem(
                "credentials-expired", f"Authorization: key {stored.name} has ended.", headers=BEARER_CHALLENGE
            )
        if self.production and stored.environment == "test":
            raise Problem("test-key-refused", f"Authorization: key {stored.name} is a test key.")
        if scope not in stored.scopes:
            raise Problem("scope-missing", f"Key {stored.name} lacks the scope {scope}.")
        return Caller(stored.merchant_id, stored.name, stored.environment, stored.scopes)

    async def ask(self, read: Callable[[psycopg.Connection[Any]], T]) -> T:
        """What `read` finds on a connection for keys, in a thread for keys: for whoever comes in without one."""
        return await anyio.to_thread.run_sync(self._asked, read, limiter=self._threads)

    def _asked(self, read: Callable[[psycopg.Connection[Any]], T]) -> T:
        with self._pool.connection() as connection:
            return read(connection)

    async def _stored(self, token: Token) -> StoredKey | None:
        """The key that `token` opens."""
        found = self._read.get(token.name)
        if found is not None and self._now() - found[0] < timedelta(seconds=KEY_CACHED_SECONDS_MAX):
            return found[1] if found[1].opens_for(token) else None
        key = await anyio.to_thread.run_sync(self._read_key, token, limiter=self._threads)
        if key is not None:
            if len(self._read) >= KEYS_CACHED_MAX:
                self._read.clear()
            self._read[token.name] = (self._now(), key)
        return key

    def _read_key(self, token: Token) -> StoredKey | None:
        """Its use is noted only once the secret was right: a name is no secret, and whoever knows one uses no key."""
        with self._pool.connection() as connection:
            key = keys.look_up(connection, token.name)
            if key is None or not key.opens_for(token):
                return None
            keys.mark_used(connection, token.name)
        return key


def allowed(scope: str) -> Callable[[Request], Awaitable[Caller]]:
    """A FastAPI dependency: the caller, once its key is known to be good for `scope`."""

    async def caller(request: Request) -> Caller:
        doorkeeper: Doorkeeper = request.app.state.door.doorkeeper
        return await doorkeeper.admit(request.headers.get("authorization"), scope)

    caller.__name__ = scope
    return caller

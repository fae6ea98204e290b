"""One leader at a time, by a row: a lease that runs out, and a token that grows with every new holder.

Invariants: time is the database's, never a process's; whoever writes as leader checks the token in the same transaction
(`require`, `extend`), so that a leader that slept through its lease writes nothing. Correctness on the chain does not
depend on it: the contract's own sequence does that. Called by the outbox, whose `leading` every entry point goes
through, and by those who write for it.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from time import sleep
from typing import Any

from psycopg import Connection

LEASE_S = 60
"""How long a leader that died without a word keeps the others waiting."""
WAIT_POLL_S = 0.5

_TAKE = """
INSERT INTO settlement.lease AS held (name, holder, fencing_token, expires_at)
VALUES (%(name)s, %(holder)s, 1, clock_timestamp() + make_interval(secs => %(secs)s))
ON CONFLICT (name) DO UPDATE SET
    fencing_token = held.fencing_token + CASE WHEN held.holder = excluded.holder THEN 0 ELSE 1 END,
    holder = excluded.holder,
    expires_at = excluded.expires_at
WHERE held.holder = excluded.holder OR held.expires_at < clock_timestamp()
RETURNING fencing_token
"""
_HOLDER = "SELECT holder FROM settlement.lease WHERE name = %(name)s"
_STILL = """
SELECT 1 FROM settlement.lease
WHERE name = %(name)s AND holder = %(holder)s AND fencing_token = %(token)s FOR SHARE
"""
_EXTEND = """
UPDATE settlement.lease SET expires_at = clock_timestamp() + make_interval(secs => %(secs)s)
WHERE name = %(name)s AND holder = %(holder)s AND fencing_token = %(token)s
"""
_RELEASE = """
UPDATE settlement.lease SET expires_at = '-infinity'
WHERE name = %(name)s AND holder = %(holder)s AND fencing_token = %(token)s
"""


class LeaseHeld(RuntimeError):
    """Somebody else leads; `holder` says who."""

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(f"{name} is led by {holder}")
        self.name, self.holder = name, holder


class LeaseLost(RuntimeError):
    """The lease went to another holder while this one was busy; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease as it was taken; whether it is still ours only `require` knows."""

    name: str
    holder: str
    token: int

    def require(self, conn: Connection[Any]) -> None:
        """In the caller's transaction: make sure that no one has taken over. Raises `LeaseLost`."""
        if conn.execute(_STILL, self._fields()).fetchone() is None:
            raise self._lost()

    def extend(self, conn: Connection[Any], *, seconds: int = LEASE_S) -> None:
        """In the caller's transaction: make sure of it, and hold it for `seconds` from now. Raises `LeaseLost`."""
        if conn.execute(_EXTEND, {**self._fields(), "secs": seconds}).rowcount != 1:
            raise self._lost()

    def renew(self, conn: Connection[Any], *, seconds: int = LEASE_S) -> None:
        """Hold it for `seconds` from now. Raises `LeaseHeld` when another took it meanwhile, `LeaseLost` by token."""
        renewed = take(conn, self.name, holder=self.holder, seconds=seconds)
        if renewed.token != self.token:
            raise LeaseLost(f"{self.name}: taken over since token {self.token}")

    def release(self, conn: Connection[Any]) -> None:
        """Let the next one have it at once; nothing happens when it is lost already."""
        conn.execute(_RELEASE, self._fields())

    def _lost(self) -> LeaseLost:
        words = f"token {self.token} of {self.holder} is no longer in force"
        return LeaseLost(f"{self.name}: another process took the lead meanwhile; {words}")

    def _fields(self) -> dict[str, str | int]:
        return {"name": self.name, "holder": self.holder, "token": self.token}


@dataclass(frozen=True, slots=True)
class Lead:
    """Whether `conn` may write as leader: as long as the lease's token is in force, and that of the lease `under` which
    the whole work goes on, which somebody else renews. Without a lease nobody else is meant to write, and nothing is
    checked.
    """

    conn: Connection[Any]
    lease: Lease | None
    seconds: int
    under: Lease | None = None

    def require(self) -> None:
        """In a transaction of `conn`. Raises `LeaseLost`."""
        for lease in (self.lease, self.under):
            if lease is not None:
                lease.require(self.conn)

    def extend(self) -> None:
        """The same, and the lease runs for its whole time from now. Raises `LeaseLost`."""
        if self.under is not None:
            self.under.require(self.conn)
        if self.lease is not None:
            self.lease.extend(self.conn, seconds=self.seconds)

    def renew(self) -> None:
        """The same outside of a transaction, also where the lease has run out. Raises `LeaseHeld` or `LeaseLost`."""
        if self.under is not None:
            self.under.require(self.conn)
        if self.lease is not None:
            self.lease.renew(self.conn, seconds=self.seconds)


def this_process() -> str:
    """A holder's name that no other running process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def take_within(conn: Connection[Any], name: str, *, holder: str, seconds: int, wait_s_max: float) -> Lease:
    """Take a lease, waiting for the one who holds it. Raises `LeaseHeld` when that takes longer than `wait_s_max`."""
    for _ in range(int(wait_s_max / WAIT_POLL_S)):
        try:
            return take(conn, name, holder=holder, seconds=seconds)
        except LeaseHeld:
            sleep(WAIT_POLL_S)
    return take(conn, name, holder=holder, seconds=seconds)


def take(conn: Connection[Any], name: str, *, holder: str, seconds: int = LEASE_S) -> Lease:
    """Take or renew a lease. `holder` is unique to one running process. Raises `LeaseHeld`."""
    row = conn.execute(_TAKE, {"name": name, "holder": holder, "secs": seconds}).fetchone()
    if row is not None:
        return Lease(name=name, holder=holder, token=row[0])
    found = conn.execute(_HOLDER, {"name": name}).fetchone()
    raise LeaseHeld(name, found[0] if found else "nobody any more")

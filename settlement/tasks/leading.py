"""Holding a lease for as long as a turn takes, and no longer than its process lives.

Invariants: a thread renews the lease on a connection of its own, so that a long piece of work keeps it and a dead
worker loses it within `lease.LEASE_S`; a lease that was lost is noticed where it counts, by `Lease.require`. Whoever
waits for a lease waits a bounded time. Called by `turn`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from settlement import lease as leases
from settlement.lease import LEASE_S, Lease, LeaseHeld, LeaseLost
from settlement.tables import Conn

WAIT_S_MAX = 20.0
"""Ticks of one beat that fall together take turns; what waits longer comes again with the next beat."""
POLL_S = 0.1
RENEWALS_PER_LEASE = 4


@contextmanager
def leading(conn: Conn, dsn: str, name: str, *, holder: str, wait_s_max: float = WAIT_S_MAX) -> Iterator[Lease]:
    """Lead `name` while inside. Raises `LeaseHeld` when somebody else still does after the wait."""
    lease = _taken(conn, name, holder, wait_s_max)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(dsn, lease, over), name="lease", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        over.set()
        renewing.join()
        with contextlib.suppress(psycopg.Error):  # it runs out by itself
            lease.release(conn)


def _taken(conn: Conn, name: str, holder: str, wait_s_max: float) -> Lease:
    until = time.monotonic() + wait_s_max
    while True:
        try:
            return leases.take(conn, name, holder=holder)
        except LeaseHeld:
            if time.monotonic() >= until:
                raise
            time.sleep(POLL_S)


def _renew(dsn: str, lease: Lease, over: threading.Event) -> None:
    """Until `over`, or until the lease is somebody else's; a database that is away is tried again."""
    while not over.wait(LEASE_S // RENEWALS_PER_LEASE):
        try:
            with psycopg.connect(dsn, autocommit=True) as conn:
                lease.renew(conn)
        except (LeaseHeld, LeaseLost):
            return
        except psycopg.Error:
            continue

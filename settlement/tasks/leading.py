"""Holding a lease for as long as a turn takes, and no longer than its process lives.

Invariants: a thread renews the lease on a connection of its own, so that a long piece of work keeps it and a dead
worker loses it within `lease.LEASE_S`; a lease that was lost is noticed where it counts, by `Lease.require`. Whoever
waits for a lease waits a bounded time. Called by `turn`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from settlement import lease as leases
from settlement.lease import LEASE_S, Lease, LeaseHeld, LeaseLost
from settlement.tables import Conn

RENEWALS_PER_LEASE = 4


@contextmanager
def leading(conn: Conn, dsn: str, name: str, *, wait_s_max: float, lease_s: int = LEASE_S) -> Iterator[Lease]:
    """Lead `name` while inside. Raises `LeaseHeld` when somebody else still does after the wait."""
    lease = leases.take_within(conn, name, holder=leases.this_process(), seconds=lease_s, wait_s_max=wait_s_max)
    over = threading.Event()
    renewing = threading.Thread(target=_renew, args=(dsn, lease, over, lease_s), name="lease", daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        over.set()
        renewing.join()
        with contextlib.suppress(psycopg.Error):  # it runs out by itself
            lease.release(conn)


def _renew(dsn: str, lease: Lease, over: threading.Event, lease_s: int) -> None:
    """Until `over`, or until the lease is somebody else's; a database that is away is tried again."""
    while not over.wait(lease_s / RENEWALS_PER_LEASE):
        try:
            with psycopg.connect(dsn, autocommit=True) as conn:
                lease.renew(conn, seconds=lease_s)
        except (LeaseHeld, LeaseLost):
            return
        except psycopg.Error:
            continue

"""The database ends our connection at every point at which sealing and sending can stand: one effect all the same."""

from __future__ import annotations

import time
from contextlib import suppress

import psycopg

from settlement.batches import Settlement, publish_again, seal_next
from settlement.lease import LeaseHeld
from settlement.status import status
from settlement.steps import State
from settlement.submitter import drive
from settlement.tables import last_batch
from tests.settlement.chain.field import ATTESTERS, LEASE_S, Field, attest, day
from tests.settlement.chain.test_settling import HOURS_6, sealed_hashes

SEALING = ["opened", "sealed", "published"]
SENDING = [
    "decided:commit",
    "answered:commit",
    "signed:commit",
    "handing",
    "sent:commit",
    "included:commit",
    "signed:finalise",
    "included:finalise",
]
ROUNDS_MAX = 4 * len(SENDING)
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"


class Severing:
    """A checkpoint at which every other connection to the database ends, once for each point."""

    def __init__(self, dsn: str, points: list[str]) -> None:
        self.dsn, self.left = dsn, list(points)

    def __call__(self, point: str) -> None:
        if self.left and point == self.left[0]:
            self.left.pop(0)
            with psycopg.connect(self.dsn, autocommit=True) as conn:
                conn.execute(_END, [conn.info.backend_pid])


def seal_on(s: Settlement) -> None:
    last = last_batch(s.conn)
    if last is not None and last.state is State.SEALED:
        publish_again(s, last)
    elif last is None or last.batch_no == 0 or last.state is State.OPEN:
        seal_next(s, settling=True)


def test_a_connection_that_ends_at_any_point_leaves_one_effect(field: Field) -> None:
    field.post(day(1))
    cut = Severing(field.dsn, [*SEALING, *SENDING])
    for _ in range(ROUNDS_MAX):
        with suppress(psycopg.OperationalError, LeaseHeld), field.settlement(cut) as s:
            seal_on(s)
            attest(s, field.folder, sealed_hashes(s), list(ATTESTERS))
            drive(s)
            if status(s.conn)[-1].state == "CONFIRMED":
                s.alliance.chain.advance_time(HOURS_6)
            if not cut.left and drive(s) == []:
                break
        time.sleep(LEASE_S / 2)
    assert cut.left == []
    with field.settlement() as s:
        drive(s)
        (batch,) = status(s.conn, first=1)
        assert batch.state == "FINALISED"
        assert [(tx.purpose, tx.status) for tx in batch.transactions] == [
            ("commit:1.0", "MINED"),
            ("finalise:1.0", "MINED"),
        ]
        for name in ("BatchCommitted", "BatchFinalised"):
            assert [event.fields["batchNo"] for event in s.alliance.hub.events(name, first=0)] == [0, 1]

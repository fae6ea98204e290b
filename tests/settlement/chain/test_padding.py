"""A padded batch on a real chain: it is settled like any other, and it comes out the same after a crash."""

from __future__ import annotations

from dataclasses import replace

import pytest

from settlement.batches import publish_again, seal_next
from settlement.steps import State
from settlement.tables import last_batch
from tests.settlement.chain.field import Field, day

BUCKETS = (16, 64)


class Crash(RuntimeError):
    """The process is gone."""


def crash_when_sealed(point: str) -> None:
    if point == "sealed":
        raise Crash


def test_a_padded_batch_is_the_same_after_a_crash_whatever_is_configured_then(field: Field) -> None:
    field.post(day(1))
    with field.settlement(crash_when_sealed) as s, pytest.raises(Crash):
        seal_next(replace(s, padding=BUCKETS))
    with field.settlement() as s:
        batch = last_batch(s.conn)
        assert batch is not None
        assert (batch.state, batch.done.header.leaf_count) == (State.SEALED, BUCKETS[0])
        publish_again(s, batch)
        again = last_batch(s.conn)
        assert again is not None
        assert (again.state, again.header_hash) == (State.PUBLISHED, batch.header_hash)
        legs = s.conn.execute("SELECT count(*) FROM settlement.batch_leaf WHERE leg_no > 0").fetchone()
        assert legs is not None
        assert 0 < legs[0] < BUCKETS[0]

"""Events forced through the real queue: taken in from its finalised events, sealed, and due when it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.accounts import ROW_SALT_SEQ, salt
from proofs.kinds import Kind
from proofs.messages import AccountRow, PointsEvent
from proofs.tree import Tree
from settlement import keys, tables
from settlement.batches import Settlement
from settlement.chain.outbox import Intent
from settlement.sealing import desk
from settlement.sealing.forced_intake import due_at, take_forced
from settlement.sealing.self_signed import void
from settlement.status import status
from settlement.submitter import drive
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import Field, attest, day
from tests.settlement.chain.test_self_signed import LANE, lane_of, register, sealed, signed
from tests.settlement.chain.test_settling import KEYS, sealed_hashes

ACTIVE, SUSPENDED = 1, 3


def force(s: Settlement, event: PointsEvent) -> None:
    """As the merchant would: its lane's row in the last committed batch, and its own signature."""
    batch = tables.last_batch(s.conn)
    assert batch is not None
    secret = keys.batch_secret(s.publication.vault, batch)
    rows = batch.done.rows
    place = next(at for at, row in enumerate(rows) if row.account == lane_of(s).account)
    row = rows[place]
    words = AccountRow(row.account, row.seq, row.last_leaf_no, row.balance, salt(secret, row.account, ROW_SALT_SEQ))
    path = Tree([each.row_hash(secret) for each in rows]).path(place)
    proof = (batch.done.header, words, place, path)
    data = s.alliance.queue.data("forceEvent", event, list(signed(s, event, None).signature), proof)
    s.outbox.complete(Intent(f"force:{event.nonce}", s.alliance.queue.address, data, 900_000))


def commit(s: Settlement, field: Field) -> None:
    attest(s, field.folder, sealed_hashes(s), KEYS)
    drive(s)


@pytest.fixture
def lane(field: Field) -> Field:
    """A lane of a merchant's own, whose row is in a committed batch; and another day of purchases."""
    field.post(day(1))
    with field.settlement() as s:
        register(s)
        sealed(s)
        commit(s, field)
    field.post(day(2))
    return field


def test_a_forced_void_and_a_forced_earning_are_taken_in_and_sealed(lane: Field) -> None:
    with lane.settlement() as s:
        now = s.alliance.chain.now()
        desk.prepare(s.conn, s.publication.vault, s.lanes.roster, batch_no=2)
        source, earning = next(
            (source, event)
            for source, event in desk.waiting(s.conn, lane_of(s))
            if event is not None and event.kind == Kind.EARN
        )
        force(s, void(lane_of(s), nonce=1, occurred_at=now - 60))
        force(s, replace(earning, nonce=2))
        unknown = replace(earning, nonce=3, points=earning.points + 1)
        force(s, unknown)
        left = take_forced(s, now=now)
        assert [each.signed.event for each in left] == [unknown], "the ledger has posted no such thing"
        due = due_at(s.conn)
        assert due is not None
        assert now < due <= now + 86_400 + 3_600
        assert [each.signed.event for each in take_forced(s, now=now)] == [unknown], "twice does nothing twice"
        batch = sealed(s)
        found = s.conn.execute(
            "SELECT event_id, journal_seq, leg_no FROM settlement.batch_leaf WHERE batch_no = %s ORDER BY leaf_no",
            [batch.batch_no],
        ).fetchall()
        place = LANE.merchant_id.to_bytes(4, "big") + LANE.key_id.to_bytes(4, "big")
        own = [(bytes(event)[8:16], seq, no) for event, seq, no in found if bytes(event)[:8] == place]
        assert [int.from_bytes(nonce, "big") for nonce, _, _ in own] == [1, 2]
        assert (own[0][2], own[1][1:]) == (0, tuple(source))
        assert due_at(s.conn) is None
        assert desk.last_nonce(s.conn, LANE) == 2


def test_a_batch_that_is_sealed_anew_takes_in_what_was_forced_meanwhile(lane: Field) -> None:
    """After a day without the operator the hub takes no batch that was sealed before."""
    with lane.settlement() as s:
        force(s, void(lane_of(s), nonce=1, occurred_at=s.alliance.chain.now()))
        sealed(s)
        s.alliance.chain.advance_time(25 * 3_600)
        drive(s)
        commit(s, lane)
        assert [(batch.incarnation, batch.state) for batch in status(s.conn, first=1)] == [
            (0, "FINALISED"),
            (1, "CONFIRMED"),
        ]
        sent = [tx.purpose for tx in status(s.conn, first=2)[0].transactions]
        assert sent == ["cover:1.2.1", "commit:2.1"]


def forced_earning(s: Settlement, *, points: int | None = None) -> PointsEvent:
    """An EARN that the ledger has posted, or with other points one that it has not, forced and now overdue."""
    desk.prepare(s.conn, s.publication.vault, s.lanes.roster, batch_no=2)
    waiting = (event for _, event in desk.waiting(s.conn, lane_of(s)) if event is not None)
    posted = next(event for event in waiting if event.kind == Kind.EARN)
    earning = replace(posted, nonce=1, points=points or posted.points)
    force(s, earning)
    s.alliance.chain.advance_time(25 * 3_600)
    return earning


def purposes(s: Settlement, batch_no: int) -> list[str]:
    return [tx.purpose for tx in status(s.conn, first=batch_no)[0].transactions]


def test_an_overdue_earning_that_the_ledger_has_posted_is_in_the_next_batch(lane: Field) -> None:
    """Whatever became of its points since: the batch holds the leg of then."""
    with lane.settlement() as s:
        forced_earning(s)
        assert take_forced(s, now=s.alliance.chain.now()) == []
        sealed(s)
        commit(s, lane)
        assert purposes(s, 2) == ["cover:1.2.0", "commit:2.0"]
        assert [event.fields["late"] for event in s.alliance.queue.events("ForcedDischarged", first=0)] == [True]


def test_an_overdue_earning_that_the_ledger_cannot_post_goes_when_its_merchant_is_suspended(lane: Field) -> None:
    with lane.settlement() as s:
        unknown = forced_earning(s, points=1)
        assert [each.signed.event for each in take_forced(s, now=s.alliance.chain.now())] == [unknown]
        sealed(s)
        commit(s, lane)
        assert status(s.conn, first=2)[0].state == "ATTESTED"
        assert {row.code for row in alerts(s.conn)} >= {"forced-due"}
        registry = s.alliance.registry
        for standing in (SUSPENDED, ACTIVE):
            data = registry.data("setStatus", LANE.merchant_id, standing)
            s.outbox.complete(Intent(f"status:{standing}", registry.address, data, 300_000))
            drive(s)
        assert purposes(s, 2) == ["drop:1", "commit:2.0"]
        assert status(s.conn, first=2)[0].state == "CONFIRMED"
        assert alerts(s.conn) == []
        assert take_forced(s, now=s.alliance.chain.now()) == []

"""A merchant forces an event through the chain: an alert, until a batch holds it and it is taken off the queue."""

from dataclasses import replace

import pytest

from proofs.accounts import ROW_SALT_SEQ, salt
from proofs.kinds import Kind
from proofs.messages import AccountRow, PointsEvent, domain_separator, signed_digest
from proofs.tree import Tree
from settlement import forced, keys, submitter
from settlement.alliance import UNIT
from settlement.batches import Settlement, seal_next
from settlement.chain.outbox import Intent, unwatched
from settlement.sealing.lanes import Lane, SignRequest
from settlement.signoff import seal_again
from settlement.status import leaf_of_event, status
from settlement.steps import ATTEMPTS_MAX, State
from settlement.submitter import drive
from settlement.tables import batch as batch_row
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.test_courts import COURT, call, throw_out
from tests.settlement.chain.tiny import send

MERCHANT = 1
HOUR = 3_600


def force(s: Settlement, lane: Lane, nonce: int = 1) -> bytes:
    """Put a VOID with the lane's next number into the queue, as its merchant would; the event's id."""
    event = PointsEvent(
        kind=int(Kind.VOID),
        merchant_id=lane.merchant_id,
        key_id=lane.key_id,
        nonce=nonce,
        occurred_at=s.alliance.chain.now(),
        issuer_id=0,
        member_ref=bytes(32),
        points=0,
        terms_id=0,
        settle_amount=0,
        ref_event_id=bytes(32),
        campaign_id=0,
        level=0,
        basis=0,
        detail_hash=bytes(32),
    )
    anchor = s.alliance.anchor
    separator = domain_separator(chain_id=anchor.chain_id, hub=anchor.hub)
    (signature,) = s.lanes.sign([SignRequest(lane.id, signed_digest(separator, event.hash_struct()), event)])
    data = s.alliance.queue.data("forceEvent", event, list(signature), row_proof(s, lane))
    s.outbox.complete(Intent(f"forced-{lane.key_id}-{nonce}", s.alliance.queue.address, data, 1_000_000))
    return event.event_id


def row_proof(s: Settlement, lane: Lane) -> tuple[object, ...]:
    """That the lane stands where genesis left it."""
    zero = batch_row(s.conn, 0)
    assert zero is not None
    secret = keys.batch_secret(s.publication.vault, zero)
    tree = Tree([row.row_hash(secret) for row in zero.done.rows])
    index = next(number for number, row in enumerate(zero.done.rows) if row.account == lane.account)
    row = zero.done.rows[index]
    salted = AccountRow(row.account, row.seq, row.last_leaf_no, row.balance, salt(secret, row.account, ROW_SALT_SEQ))
    return zero.done.header, salted, index, list(tree.path(index))


def lane_for(s: Settlement, kind: Kind) -> Lane:
    """The lane in which the merchant's events of this kind are signed: EARN its sales, EXCHANGE_OUT nothing here."""
    return next(lane for lane in s.lanes.roster if lane.merchant_id == MERCHANT and kind in lane.kinds)


def sealed_and_attested(s: Settlement, field: Field) -> None:
    batch = seal_next(s)
    assert batch is not None
    attest(s, field.folder, [(batch.batch_no, batch.header_hash)], list(ATTESTERS))


def off_the_queue(s: Settlement, name: str) -> list[int]:
    return [event.fields["id"] for event in s.alliance.queue.events(name, first=0)]


def sent(s: Settlement, batch_no: int) -> list[tuple[str, str]]:
    return [(tx.purpose, tx.status) for tx in status(s.conn)[batch_no].transactions]


def test_a_forced_event_is_taken_off_the_queue_once_its_number_is_in_a_batch(field: Field) -> None:
    with field.settlement() as s:
        event_id = force(s, lane_for(s, Kind.EARN))
        (waiting,) = forced.queued(s)
        assert waiting.event_id == event_id
        assert waiting.due_at > s.alliance.chain.now()
        drive(s)
        assert [(row.code, row.place) for row in alerts(s.conn)] == [("forced-due", f"forced event {waiting.id}")]
    field.post(day(1))
    with field.settlement() as s:
        batch = seal_next(s)
        assert batch is not None
        assert leaf_of_event(s.conn, event_id) is not None
        attest(s, field.folder, [(1, batch.header_hash)], list(ATTESTERS))
        drive(s)
        assert forced.queued(s) == []
        assert alerts(s.conn) == []
        assert len(s.alliance.queue.events("ForcedDischarged", first=0)) == 1
        drive(s)
        assert sent(s, 1) == [("commit:1.0", "MINED"), (f"discharge:{waiting.id}.1.0", "MINED")]


def test_past_the_deadline_the_hub_is_shown_that_the_batch_holds_every_overdue_event(field: Field) -> None:
    with field.settlement() as s:
        for nonce in (1, 2):
            force(s, lane_for(s, Kind.EARN), nonce)
        s.alliance.chain.advance_time(25 * HOUR)
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        (standing,) = drive(s)
        assert standing.state is State.CONFIRMED, standing
        assert [purpose for purpose, _ in sent(s, 1)] == ["cover:1.1.0", "cover:2.1.0", "commit:1.0"]
        assert off_the_queue(s, "ForcedDischarged") == [1, 2]
        assert (forced.queued(s), alerts(s.conn)) == ([], [])


def test_what_is_overdue_and_can_be_in_no_batch_any_more_is_dropped(field: Field) -> None:
    with field.settlement() as s:
        unused = lane_for(s, Kind.EXCHANGE_OUT)
        force(s, unused)
        force(s, unused, 2)
        revoke(s, unused)
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        drive(s)
        assert [each.id for each in forced.queued(s)] == [1, 2], "before the deadline nothing is dropped"
        s.alliance.chain.advance_time(25 * HOUR)
    field.post(day(2))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        drive(s)
        assert [batch.state for batch in status(s.conn)][2] == "CONFIRMED", sent(s, 2)
        assert off_the_queue(s, "ForcedDropped") == [1, 2]
        assert alerts(s.conn) == []


def test_what_is_overdue_and_could_be_in_a_batch_stops_the_next_one_until_no_batch_can_hold_it(field: Field) -> None:
    with field.settlement() as s:
        unused = lane_for(s, Kind.EXCHANGE_OUT)
        force(s, unused)
        s.alliance.chain.advance_time(25 * HOUR)
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        (standing,) = drive(s)
        assert (standing.state, standing.alarm) == (State.ATTESTED, "forced-due")
        assert "StillDue" in standing.reason
        assert sent(s, 1) == []
        assert {(row.code, row.place) for row in alerts(s.conn)} == {
            ("forced-due", "batch 1"),
            ("forced-due", "forced event 1"),
        }
        revoke(s, unused)
        (standing,) = drive(s)
        assert standing.state is State.CONFIRMED, "the end of its key would be a batch away, and no batch comes"
        assert [purpose for purpose, _ in sent(s, 1)] == ["drop:1", "commit:1.0"]
        assert alerts(s.conn) == []


def test_a_sound_event_before_one_that_no_batch_can_hold_stops_nothing(field: Field) -> None:
    with field.settlement() as s:
        used, unused = lane_for(s, Kind.EARN), lane_for(s, Kind.EXCHANGE_OUT)
        force(s, used)
        force(s, unused)
        force(s, used, 2)
        revoke(s, unused)
        s.alliance.chain.advance_time(25 * HOUR)
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        (standing,) = drive(s)
        assert standing.state is State.CONFIRMED, standing
        assert [purpose for purpose, _ in sent(s, 1)] == ["cover:1.1.0", "drop:2", "cover:3.1.0", "commit:1.0"]
        assert (off_the_queue(s, "ForcedDropped"), off_the_queue(s, "ForcedDischarged")) == ([2], [1, 3])
        assert (forced.queued(s), alerts(s.conn)) == ([], [])


def test_what_a_batch_holds_leaves_the_queue_though_one_before_it_waits(field: Field) -> None:
    with field.settlement() as s:
        unused = lane_for(s, Kind.EXCHANGE_OUT)
        force(s, unused)
        force(s, lane_for(s, Kind.EARN))
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        drive(s)
        assert off_the_queue(s, "ForcedDischarged") == [2]
        assert [each.id for each in forced.queued(s)] == [1]
        revoke(s, unused)
        s.alliance.chain.advance_time(25 * HOUR)
    field.post(day(2))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        drive(s)
        assert [batch.state for batch in status(s.conn)][2] == "CONFIRMED"


def test_what_a_batch_had_answered_comes_back_with_its_revert_and_leaves_with_the_next(field: Field) -> None:
    with field.settlement() as s:
        force(s, lane_for(s, Kind.EARN))
        stood = s.alliance.queue.read("entry", 1)
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        drive(s)
        assert off_the_queue(s, "ForcedDischarged") == [1]
        (told,) = status(s.conn)[1:]
        call(s, "court", "grantRole", COURT, s.outbox.sender)
        throw_out(s, 1)
        back = s.alliance.queue.data("reopenForced", 1, stood, 1, told.header_hash, 0)
        s.outbox.complete(Intent("reopen", s.alliance.queue.address, back, 300_000))
        s.alliance.chain.advance_time(25 * HOUR)
        assert [each.id for each in forced.queued(s)] == [1]
        drive(s)
        mint = s.alliance.token.data("mint", s.outbox.sender, 20_000 * UNIT)
        s.outbox.complete(Intent("mint:bond", s.alliance.anchor.token, mint, 100_000))
        call(s, "bond again", "postBond", 20_000 * UNIT)
        seal_again(s, 1, by="a person")
        attest(s, field.folder, [(1, status(s.conn)[1].header_hash)], list(ATTESTERS))
        drive(s)
        assert status(s.conn)[1].state == "CONFIRMED", sent(s, 1)
        assert off_the_queue(s, "ForcedDischarged") == [1, 1]
        assert forced.queued(s) == []


def revoke(s: Settlement, lane: Lane) -> None:
    registry = s.alliance.registry
    data = registry.data("revokeKey", lane.merchant_id, lane.key_id)
    s.outbox.complete(Intent("revoke", registry.address, data, 300_000))


class Cut(Exception):
    """The process ends here."""


def lose_discharge(s: Settlement) -> None:
    """Sign the discharge, and let its nonce be used by another transaction."""

    def cut(point: str) -> None:
        if point == "signed":
            raise Cut

    s.outbox._checkpoint = cut
    with pytest.raises(Cut):
        drive(s)
    s.outbox._checkpoint = unwatched
    nonce = s.alliance.chain.nonce(s.outbox.sender)
    send(s.alliance.chain, to=s.outbox.sender, data=b"", nonce=nonce)


def test_a_discharge_that_was_lost_is_sent_again_and_after_so_many_times_a_person_is_told(field: Field) -> None:
    with field.settlement() as s:
        force(s, lane_for(s, Kind.EARN))
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        drive_until_committed(s)
        for _ in range(ATTEMPTS_MAX + 1):
            lose_discharge(s)
        drive(s)
        assert off_the_queue(s, "ForcedDischarged") == []
        assert {(row.code, row.place) for row in alerts(s.conn)} == {
            ("forced-due", "forced event 1"),
            ("transaction-failed", "forced queue"),
        }
        assert [status for purpose, status in sent(s, 1) if purpose.startswith("discharge")] == ["DROPPED"] * 6


def test_a_discharge_that_was_lost_once_is_made_on_another_nonce(field: Field) -> None:
    with field.settlement() as s:
        force(s, lane_for(s, Kind.EARN))
    field.post(day(1))
    with field.settlement() as s:
        sealed_and_attested(s, field)
        drive_until_committed(s)
        lose_discharge(s)
        drive(s)
        assert [row.code for row in alerts(s.conn)] == []
        assert off_the_queue(s, "ForcedDischarged") == [1]


def drive_until_committed(s: Settlement) -> None:
    """The commit alone: the discharge that follows it is not begun."""
    batch = batch_row(s.conn, 1)
    assert batch is not None
    with s.outbox.leading() as led:
        lead = replace(s, outbox=led)
        for _ in range(3):
            submitter._drive_one(lead, 1)

"""A merchant forces an event through the chain: an alert, until a batch holds it and it is taken off the queue."""

from proofs.accounts import ROW_SALT_SEQ, salt
from proofs.kinds import Kind
from proofs.messages import AccountRow, PointsEvent, domain_separator, signed_digest
from proofs.tree import Tree
from settlement import forced, keys
from settlement.batches import Settlement, seal_next
from settlement.chain.outbox import Intent
from settlement.sealing.lanes import Lane
from settlement.status import leaf_of_event, status
from settlement.submitter import drive
from settlement.tables import batch as batch_row
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import ATTESTERS, Field, attest, day

MERCHANT = 1


def force(s: Settlement, lane: Lane) -> bytes:
    """Put a VOID with the lane's first number into the queue, as its merchant would; the event's id."""
    event = PointsEvent(
        kind=int(Kind.VOID),
        merchant_id=lane.merchant_id,
        key_id=lane.key_id,
        nonce=1,
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
    (signature,) = s.lanes.sign([(lane.id, signed_digest(separator, event.hash_struct()))])
    data = s.alliance.queue.data("forceEvent", event, list(signature), row_proof(s, lane))
    s.outbox.complete(Intent("forced", s.alliance.queue.address, data, 1_000_000))
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


def selling(s: Settlement) -> Lane:
    """The lane that the merchant's sales are signed in."""
    return next(lane for lane in s.lanes.roster if lane.merchant_id == MERCHANT and Kind.EARN in lane.kinds)


def test_a_forced_event_is_taken_off_the_queue_once_its_number_is_in_a_batch(field: Field) -> None:
    with field.settlement() as s:
        event_id = force(s, selling(s))
        (waiting,) = forced.queued(s)
        assert (waiting.event_id, forced.next_due(s)) == (event_id, waiting.due_at)
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
        sent = [tx.purpose for tx in status(s.conn)[1].transactions]
        assert sent == ["commit:1.0", f"discharge:{waiting.id}.1.0"]

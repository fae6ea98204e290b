"""A merchant that signs itself: its legs wait for it, are sealed late, and everything adds up, for the auditor too."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import LiteralString

import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from auditor.attest import sealed_commits
from auditor.audit import Means, audit
from auditor.fetch import AuditorKey
from auditor.mirrors import mirror
from auditor.outcome import Outcome
from auditor.progress import Watch
from auditor.reading import read
from auditor.relations import CHARGED
from auditor.rpc import Node, Nodes
from ledger import queries
from ledger.answers import LegRef
from proofs.accounts import CASH, POINTS
from proofs.kinds import BASE_UNITS_PER_AU, Kind
from proofs.messages import AcceptanceReceipt, PointsEvent, domain_separator, signed_digest
from proofs.signature import ORDER, address_of, recover, sign
from settlement.batches import Settlement, publish_again, seal_next
from settlement.chain.outbox import Intent
from settlement.reconcile import reconcile
from settlement.sealing import desk
from settlement.sealing.lanes import LaneId, Signature
from settlement.sealing.leaves import nonces_of
from settlement.sealing.self_signed import (
    MERGE_SECONDS_MAX,
    VOIDS_WAITING_MAX,
    IntakeRefused,
    SelfLane,
    Signed,
    Why,
    void,
)
from settlement.steps import State
from settlement.tables import Batch, last_batch
from tests.settlement.chain.field import Field, cycle, day

LANE = LaneId(2, 4)
KEY, RECEIPT_KEY = PrivateKey(b"\x21" * 32), desk.LocalReceiptKey(b"\x22" * 32)
KINDS = (Kind.EARN, Kind.REDEEM, Kind.REFUND_EARN, Kind.REFUND_REDEEM, Kind.VOID)


class Crash(RuntimeError):
    """The process is gone."""


def crash_when_sealed(point: str) -> None:
    if point == "sealed":
        raise Crash


def register(s: Settlement) -> None:
    """The merchant's admin opens a key of the merchant's own."""
    mask = sum(1 << kind for kind in KINDS)
    data = s.alliance.registry.data("addKeys", [(*LANE, address_of(KEY.public_key), mask)])
    s.outbox.complete(Intent("own-key", s.alliance.registry.address, data, 300_000))


def lane_of(s: Settlement) -> SelfLane:
    (lane,) = desk.lanes(s.conn)
    return lane


def separator_of(s: Settlement) -> bytes:
    return domain_separator(chain_id=s.alliance.anchor.chain_id, hub=s.alliance.anchor.hub)


def signed(s: Settlement, event: PointsEvent, source: object, key: PrivateKey = KEY) -> Signed:
    digest = signed_digest(separator_of(s), event.hash_struct())
    return Signed(event, sign(key, digest), source)  # type: ignore[arg-type] # tests name legs by tuples too


def take_in(s: Settlement, offer: Signed) -> tuple[AcceptanceReceipt, Signature]:
    now = s.alliance.chain.now()
    return desk.take_in(s.conn, offer, separator=separator_of(s), key=RECEIPT_KEY, now=now)


def sign_all(s: Settlement) -> int:
    """Whatever waits and can be signed, in order; how many."""
    made = 0
    for source, event in desk.waiting(s.conn, lane_of(s)):
        if event is not None:
            take_in(s, signed(s, replace(event, nonce=desk.last_nonce(s.conn, LANE) + 1), source))
            made += 1
    return made


def sealed(s: Settlement, *, settling: bool = False) -> Batch:
    batch = seal_next(s, settling=settling)
    assert batch is not None
    return batch


def judged(field: Field, s: Settlement) -> Outcome:
    private = X25519PrivateKey.from_private_bytes(b"\x05" * 32)
    with Nodes([Node(field.url)]) as nodes:
        chain = read(nodes, s.alliance.anchor.hub, tag="latest", from_block=s.alliance.anchor.deploy_block)
        folder = field.mirrors[0]
        means = Means([mirror(str(folder))], AuditorKey("auditor", private), 1, Watch(quiet=True))
        return audit(chain, [*chain.commits, *sealed_commits(chain, means.mirrors)], means)


def compared(s: Settlement) -> list[str]:
    """What reconciliation finds between both books."""
    found = reconcile(s.conn, s.alliance, sender=s.outbox.sender)
    return [alert.place for alert in found if alert.code == "nets-unlike-ledger"]


def count(s: Settlement, question: LiteralString) -> int:
    row = s.conn.execute(question).fetchone()
    assert row is not None
    return int(row[0])


PARKED = "SELECT count(*) FROM settlement.parked WHERE sealed_in IS NULL"


def test_what_waits_is_sealed_late_and_both_books_agree(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        register(s)
        first = sealed(s)
        assert count(s, PARKED) == 0, "what was posted before the key is the alliance's to sign"
        assert any(row.account == lane_of(s).account for row in first.done.rows)
    field.post(day(2))
    with field.settlement() as s:
        second = sealed(s)
        left = count(s, PARKED)
        assert 0 < left < 30
        assert desk.parked_cash(s.conn, batch_no=second.batch_no)
        assert compared(s) == [], "what waits is no difference"
        assert seal_next(s) is None
        assert sign_all(s) > 2
    with field.settlement(crash_when_sealed) as s, pytest.raises(Crash):
        seal_next(s)
    with field.settlement() as s:
        third = last_batch(s.conn)
        assert third is not None
        take_in(s, signed(s, void(lane_of(s), nonce=desk.last_nonce(s.conn, LANE) + 1, occurred_at=1), None))
        publish_again(s, third)
        again = last_batch(s.conn)
        assert again is not None
        assert (again.header_hash, again.state) == (third.header_hash, State.PUBLISHED)
        assert third.batch_no == second.batch_no + 1
        while sign_all(s):
            sealed(s)
        assert count(s, PARKED) == 0
        assert compared(s) == []
    field.post([cycle(2)])
    with field.settlement() as s:
        last = sealed(s, settling=True)
        positions, issued = queries.positions(s.conn), queries.outstanding(s.conn)
        for row in last.done.rows:
            party = int.from_bytes(row.account[1:5], "big")
            if row.account[0] == CASH and party in positions:
                assert row.balance == positions[party].cash * BASE_UNITS_PER_AU
            if row.account[0] == POINTS:
                assert row.balance == issued[party].outstanding
        outcome = judged(field, s)
        assert (dict(outcome.findings.counts), outcome.incomplete) == ({}, [])
        own = count(s, "SELECT count(*) FROM settlement.signed_event")
        row = next(row for row in last.done.rows if row.account == lane_of(s).account)
        assert row.seq == own > 5


def test_fees_wait_for_what_a_merchant_has_not_signed(field: Field) -> None:
    """So that every fee can be recomputed from the leaves before it."""
    field.post(day(1))
    with field.settlement() as s:
        register(s)
        sealed(s)
    field.post([*day(2), cycle(1)])
    with field.settlement() as s:
        sealed(s, settling=True)
        fees = "SELECT count(*) FROM settlement.parked WHERE journal_seq = (SELECT max(seq) FROM ledger.journal)"
        assert count(s, fees + " AND sealed_in IS NULL") == 1, "the fees of the one that signs itself"
        assert judged(field, s).unseen[CHARGED] == 0
        while sign_all(s):
            sealed(s)
        assert count(s, fees + " AND sealed_in IS NOT NULL") == 1
        assert compared(s) == []
        outcome = judged(field, s)
        assert (dict(outcome.findings.counts), outcome.incomplete) == ({}, [])
        assert (outcome.looked[CHARGED], outcome.unseen[CHARGED]) == (3, 0)


def test_what_was_sealed_is_not_looked_at_again(field: Field) -> None:
    with field.settlement() as s:
        register(s)
        first = sealed(s, settling=True)
        for nonce in range(1, 4):
            take_in(s, burnt(s, nonce))
        second = sealed(s)
        for nonce in range(4, 6):
            take_in(s, burnt(s, nonce))
        assert list(desk.inbox(s.conn, after=nonces_of(second.done.rows)).free) == [(LANE, 4), (LANE, 5)]
        assert list(desk.inbox(s.conn, after=nonces_of(first.done.rows)).free) == [(LANE, no) for no in range(1, 6)]
        assert list(desk.inbox_of(s.conn, second.batch_no).free) == [(LANE, no) for no in range(1, 4)]
        for way in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):  # a small table asks for no index
            s.conn.execute(f"SET enable_{way} = off")
        ended = {"merchants": [LANE.merchant_id], "keys": [LANE.key_id], "nonces": [3]}
        plan = s.conn.execute(f"EXPLAIN {desk._UNSEALED}", ended).fetchall()
        (condition,) = [line for (line,) in plan if "one.nonce" in line or "nonce >" in line]
        assert "Index Cond" in condition, "the key's own order is the cursor"


def test_what_is_not_taken_in(field: Field) -> None:
    with field.settlement() as s:
        register(s)
        seal_next(s, settling=True)
    field.post([*day(1), *day(2)])
    with field.settlement() as s:
        sealed(s)
        (source, event), *others = [each for each in desk.waiting(s.conn, lane_of(s)) if each[1] is not None]
        assert event is not None
        good = replace(event, nonce=1)
        offer = signed(s, good, source)
        r, vs = offer.signature
        high = (ORDER - (int.from_bytes(vs, "big") & (2**255 - 1))).to_bytes(32, "big")
        table = [
            (Why.LANE_UNKNOWN, signed(s, replace(good, key_id=1), source)),
            (Why.LANE_UNKNOWN, signed(s, replace(good, merchant_id=3), source)),
            (Why.FIELDS, signed(s, replace(good, points=good.points + 1), source)),
            (Why.FIELDS, signed(s, replace(good, detail_hash=bytes(32)), source)),
            (Why.NONCE, signed(s, replace(good, nonce=2), source)),
            (Why.NONCE, signed(s, replace(good, nonce=0), source)),
            (Why.SIGNATURE, Signed(good, (r, high), source)),
            (Why.SIGNATURE, Signed(good, (bytes(32), vs), source)),
            (Why.SIGNATURE, signed(s, good, source, PrivateKey(b"\x23" * 32))),
            (Why.FIELDS, signed(s, void(lane_of(s), nonce=1, occurred_at=2**40), None)),
            (Why.NOTHING_TO_SIGN, signed(s, good, source._replace(no=99))),
        ]
        for why, bad in table:
            with pytest.raises(IntakeRefused) as refused:
                take_in(s, bad)
            assert refused.value.why == why, refused.value
        assert count(s, "SELECT count(*) FROM settlement.signed_event") == 0
        promise, signature = take_in(s, offer)
        assert promise.event_hash == good.hash_struct()
        assert promise.merge_by - promise.accepted_at == MERGE_SECONDS_MAX
        assert recover(signed_digest(separator_of(s), promise.hash_struct()), *signature) == RECEIPT_KEY.address
        assert take_in(s, offer) == (promise, signature), "asked again, the first promise stands"
        with pytest.raises(IntakeRefused) as refused:
            take_in(s, signed(s, replace(good, nonce=2), source))
        assert refused.value.why == Why.SIGNED
        before, after = two_legs_of_a_member(s)
        event = dict(others)[after]
        assert event is not None
        with pytest.raises(IntakeRefused) as refused:
            take_in(s, signed(s, replace(event, nonce=2), after))
        assert (refused.value.why, refused.value.actual) == (Why.WAITS, tuple(after))
        assert str(before.seq) in str(refused.value.expected)


def test_a_revoked_key_signs_nothing_more(field: Field) -> None:
    """What it signed before and no batch holds yet does not go into one in which the contracts would not know it."""
    field.post(day(1))
    with field.settlement() as s:
        register(s)
        first = sealed(s)
        take_in(s, burnt(s, 1))
        data = s.alliance.registry.data("revokeKey", *LANE)
        s.outbox.complete(Intent("revoke", s.alliance.registry.address, data, 300_000))
        assert seal_next(s) is None, "and a VOID that can go nowhere makes no batch"
        assert lane_of(s).to_batch == first.batch_no + 1
        with pytest.raises(IntakeRefused) as refused:
            take_in(s, burnt(s, 2))
        assert refused.value.why == Why.LANE_UNKNOWN
    field.post(day(2))
    with field.settlement() as s:
        second = sealed(s)
        assert count(s, PARKED) == 0, "the alliance signs again"
        assert next(row.seq for row in second.done.rows if row.account == lane_of(s).account) == 0
        outcome = judged(field, s)
        assert (dict(outcome.findings.counts), outcome.incomplete) == ({}, [])


def test_nobody_fills_batches_with_voids(field: Field) -> None:
    with field.settlement() as s:
        register(s)
        seal_next(s, settling=True)
        for nonce in range(1, VOIDS_WAITING_MAX + 1):
            take_in(s, burnt(s, nonce))
        with pytest.raises(IntakeRefused) as refused:
            take_in(s, burnt(s, VOIDS_WAITING_MAX + 1))
        assert (refused.value.why, refused.value.place) == (Why.TOO_MANY, "voids")
        take_in(s, burnt(s, VOIDS_WAITING_MAX))
        assert sealed(s).done.header.leaf_count == VOIDS_WAITING_MAX
        take_in(s, burnt(s, VOIDS_WAITING_MAX + 1))


def burnt(s: Settlement, nonce: int) -> Signed:
    """A VOID of the merchant's, signed."""
    return signed(s, void(lane_of(s), nonce=nonce, occurred_at=0), None)


def two_legs_of_a_member(s: Settlement) -> list[LegRef]:
    """Two that wait, one after the other on one account."""
    rows = s.conn.execute(
        "SELECT journal_seq, leg_no, account FROM settlement.to_sign WHERE event IS NOT NULL "
        "AND (journal_seq, leg_no) NOT IN (SELECT journal_seq, leg_no FROM settlement.signed_event) "
        "ORDER BY account, journal_seq"
    ).fetchall()
    found = [(LegRef(seq, no), bytes(account)) for seq, no, account in rows]
    return next([one[0], two[0]] for one, two in pairwise(found) if one[1] == two[1])

"""The desk at which merchants sign: their lanes, what waits for a signature, what was taken in, what is parked.

Invariants are the tables' (migration 0010). A lane is adopted from finalised blocks; an event is prepared once and then
only signed; whoever takes one in holds the lane's lock, so that nonces follow each other. Called by `batches` and, for
taking in, by the front door. Source: docs/sealing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from coincurve import PrivateKey

from ledger import journal
from ledger.accounts import Family
from ledger.answers import Leg, LegRef
from ledger.journal import JournalEntry
from proofs.accounts import member_account
from proofs.json_form import hex_bytes
from proofs.kinds import Kind
from proofs.messages import AcceptanceReceipt, PointsEvent, signed_digest
from proofs.signature import address_of, sign
from proofs.words import WORD_BYTES
from settlement.carrying import hub_wanted
from settlement.sealing.ends import ACTIVE, Ends
from settlement.sealing.lanes import LaneId, Roster, Signature
from settlement.sealing.leaves import LeafMaker, needs
from settlement.sealing.self_signed import (
    VOIDS_WAITING_MAX,
    Inbox,
    IntakeRefused,
    SelfLane,
    Signed,
    Why,
    check,
    receipt,
    void,
)
from settlement.tables import Conn
from settlement.vault import Vault

if TYPE_CHECKING:  # the door takes signatures in without a client of the chain, which costs seconds to load
    from settlement.chain.contracts import Contract

_LANES = """
SELECT merchant_id, key_id, address, kind_mask, from_seq, to_batch, restricted FROM settlement.self_lane ORDER BY 1, 2
"""
_ADOPT = """
INSERT INTO settlement.self_lane (merchant_id, key_id, address, kind_mask, from_seq, prepared_seq)
VALUES (%(merchant)s, %(key)s, %(address)s, %(mask)s, %(seq)s, %(seq)s) ON CONFLICT DO NOTHING
"""
_END = """
UPDATE settlement.self_lane SET to_batch = %(end)s
WHERE merchant_id = %(merchant)s AND key_id = %(key)s AND (to_batch IS NULL OR to_batch > %(end)s)
"""
_RESTRICT = "UPDATE settlement.self_lane SET restricted = %s WHERE merchant_id = %s AND restricted <> %s"
_PREPARED_TO = "SELECT min(prepared_seq) FROM settlement.self_lane"
_PREPARE = """
INSERT INTO settlement.to_sign (journal_seq, leg_no, merchant_id, key_id, account, event)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (journal_seq, leg_no) DO UPDATE SET event = coalesce(settlement.to_sign.event, excluded.event)
"""
_PREPARED = "UPDATE settlement.self_lane SET prepared_seq = %s WHERE prepared_seq < %s"
_UNKNOWN_YET = "SELECT DISTINCT journal_seq FROM settlement.to_sign WHERE event IS NULL ORDER BY journal_seq LIMIT 1000"
_KNOWN = """
SELECT wanted.seq, wanted.no, coalesce(leaf.event_id, decode(
    lpad(to_hex(own.merchant_id), 8, '0') || lpad(to_hex(own.key_id), 8, '0') || lpad(to_hex(own.nonce), 16, '0')
    || repeat('0', 32), 'hex'))
FROM unnest(%(seqs)s::bigint[], %(nos)s::smallint[]) AS wanted (seq, no)
LEFT JOIN settlement.batch_leaf AS leaf ON leaf.journal_seq = wanted.seq AND leaf.leg_no = wanted.no
LEFT JOIN settlement.signed_event AS own ON own.journal_seq = wanted.seq AND own.leg_no = wanted.no
WHERE leaf.event_id IS NOT NULL OR own.nonce IS NOT NULL
"""
_UNSEALED = """
SELECT own.merchant_id, own.key_id, own.nonce, own.event, own.signature, own.journal_seq, own.leg_no
FROM unnest(%(merchants)s::bigint[], %(keys)s::bigint[], %(nonces)s::bigint[]) AS ended (merchant_id, key_id, nonce)
JOIN settlement.signed_event AS own USING (merchant_id, key_id)
WHERE own.nonce > ended.nonce
"""
_SEALED_IN = """
SELECT own.merchant_id, own.key_id, own.nonce, own.event, own.signature, own.journal_seq, own.leg_no
FROM settlement.batch_leaf AS leaf JOIN settlement.signed_event AS own ON leaf.event_id = decode(
    lpad(to_hex(own.merchant_id), 8, '0') || lpad(to_hex(own.key_id), 8, '0') || lpad(to_hex(own.nonce), 16, '0')
    || repeat('0', 32), 'hex')
WHERE leaf.batch_no = %s
"""
_WAITING = """
SELECT journal_seq, leg_no, event FROM settlement.to_sign
WHERE merchant_id = %s AND key_id = %s AND NOT EXISTS (
    SELECT FROM settlement.signed_event AS own
    WHERE own.journal_seq = to_sign.journal_seq AND own.leg_no = to_sign.leg_no
)
ORDER BY journal_seq, leg_no LIMIT %s
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('settlement.signed_event', %s))"
_LAST_NONCE = "SELECT coalesce(max(nonce), 0) FROM settlement.signed_event WHERE merchant_id = %s AND key_id = %s"
_ASKED = """
SELECT account, event FROM settlement.to_sign
WHERE journal_seq = %s AND leg_no = %s AND merchant_id = %s AND key_id = %s
"""
_BEFORE_IT = """
SELECT journal_seq, leg_no FROM settlement.to_sign
WHERE account = %(account)s AND (journal_seq, leg_no) < (%(seq)s, %(no)s) AND NOT EXISTS (
    SELECT FROM settlement.signed_event AS own
    WHERE own.journal_seq = to_sign.journal_seq AND own.leg_no = to_sign.leg_no
)
LIMIT 1
"""
_TAKEN = """
SELECT event, accepted_at, merge_by, receipt_signature FROM settlement.signed_event
WHERE merchant_id = %s AND key_id = %s AND (nonce = %s OR (journal_seq, leg_no) = (%s, %s))
"""
_TAKE = """
INSERT INTO settlement.signed_event (merchant_id, key_id, nonce, event, signature, journal_seq, leg_no, accepted_at,
    merge_by, receipt_signature)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_VOIDS_WAITING = """
SELECT count(*) FROM settlement.signed_event AS own
WHERE own.merchant_id = %s AND own.journal_seq IS NULL AND NOT EXISTS (
    SELECT FROM settlement.batch_leaf AS leaf
    WHERE leaf.event_id = decode(
        lpad(to_hex(own.merchant_id), 8, '0') || lpad(to_hex(own.key_id), 8, '0') || lpad(to_hex(own.nonce), 16, '0')
        || repeat('0', 32), 'hex')
)
"""
_PARK = "INSERT INTO settlement.parked (journal_seq, leg_no, parked_in) VALUES (%s, %s, %s)"
_UNPARK = "UPDATE settlement.parked SET sealed_in = %s WHERE journal_seq = %s AND leg_no = %s"
_PARKED_CASH = """
SELECT party, sum(amount)::bigint FROM settlement.parked
JOIN ledger.posting ON shard = 0 AND seq = journal_seq AND leg = leg_no
WHERE family = %(cash)s AND parked_in <= %(batch_no)s AND (sealed_in IS NULL OR sealed_in > %(batch_no)s)
GROUP BY party
"""
_LATE = """
SELECT journal_seq, leg_no FROM settlement.parked
WHERE parked_in < %(batch_no)s AND (sealed_in IS NULL OR sealed_in >= %(batch_no)s) ORDER BY journal_seq, leg_no
"""
WAITING_MAX = 1_000
NO_RECEIPT = bytes(2 * WORD_BYTES)
"""Stands for the operator's promise where the chain's deadline is one."""


class ReceiptSigner(Protocol):
    """Whatever holds the operator's receipt key, in this process: it signs while the lane's lock is held."""

    @property
    def address(self) -> bytes:
        """20 bytes."""

    def sign(self, digest: bytes) -> Signature:
        """The signature of a 32-byte digest."""


class LocalReceiptKey:
    """A receipt key in memory."""

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self.address = address_of(self._key.public_key)

    def sign(self, digest: bytes) -> Signature:
        """As `ReceiptSigner`."""
        return sign(self._key, digest)


def adopt_lanes(conn: Conn, registry: Contract, hosted: Roster, *, first_block: int) -> None:
    """Every lane in the registry whose key is not kept here, from the journal's end of this moment on, and its end. A
    revocation counts as soon as it is seen: should its block go, the alliance signs, which it may. A second one only
    ends the lane sooner, after a revert that had put its end off.
    """
    seq = journal.head_seq(conn)
    for event in registry.events("KeySet", first=first_block, last="finalized"):
        merchant, key = event.fields["merchantId"], event.fields["keyId"]
        if hosted.get((merchant, key)) is None:
            address = hex_bytes(event.fields["signer"])
            fields = {"merchant": merchant, "key": key, "address": address, "mask": event.fields["kindMask"]}
            conn.execute(_ADOPT, {**fields, "seq": seq})
    for event in registry.events("KeyRevoked", first=first_block, last="latest"):
        told = event.fields
        conn.execute(_END, {"end": told["toBatch"], "merchant": told["merchantId"], "key": told["keyId"]})


def restrict_lanes(conn: Conn, over: Ends, *, batch_no: int) -> None:
    """Remember whose lanes may not sign everything from this batch on, so that nothing is taken in that would wait."""
    for merchant_id in over.statuses:
        restricted = over.status_at(merchant_id, batch_no) != ACTIVE
        conn.execute(_RESTRICT, [restricted, merchant_id, restricted])


def lanes(conn: Conn) -> tuple[SelfLane, ...]:
    """All self-signed lanes."""
    return tuple(
        SelfLane(merchant, key, bytes(address), _kinds(mask), from_seq, to_batch, restricted)
        for merchant, key, address, mask, from_seq, to_batch, restricted in conn.execute(_LANES).fetchall()
    )


def prepare(conn: Conn, vault: Vault, hosted: Roster, *, batch_no: int) -> None:
    """Make the events that merchants are to sign, as far as the journal goes."""
    own = Inbox(lanes=lanes(conn))
    row = conn.execute(_PREPARED_TO).fetchone()
    if row is None or row[0] is None:
        return
    after = row[0]
    again = [seq for (seq,) in conn.execute(_UNKNOWN_YET).fetchall()]
    early = [entry for seq in again for entry in journal.read(conn, seq - 1, 1)]
    _prepare(conn, vault, hosted, _of_lanes(own, early, batch_no))
    while page := journal.read(conn, after):
        after = page[-1].seq
        with conn.transaction():
            _prepare(conn, vault, hosted, _of_lanes(own, page, batch_no))
            conn.execute(_PREPARED, [after, after])


_ToPrepare = tuple[JournalEntry, Leg, SelfLane]


def _of_lanes(own: Inbox, entries: Sequence[JournalEntry], batch_no: int) -> list[_ToPrepare]:
    return [
        (entry, leg, lane)
        for entry in entries
        for leg in entry.legs
        if (lane := own.lane_for(leg.signer, leg.kind, seq=entry.seq, batch_no=batch_no)) is not None
    ]


def _prepare(conn: Conn, vault: Vault, hosted: Roster, found: Sequence[_ToPrepare]) -> None:
    """Rows of these legs; nonce 0 stands in each event until its merchant numbers it."""
    wanted = needs([], [(entry, leg) for entry, leg, _ in found])
    secrets = vault.members(conn, wanted.members)
    known = _event_ids(conn, [leg.ref for _, leg, _ in found if leg.ref is not None])
    maker = LeafMaker(roster=hosted, secrets=secrets, references=known, batch_secret=bytes(WORD_BYTES))
    for entry, leg, lane in found:
        assert leg.member is not None, "a kind without a member is not self-signed"
        has_id = leg.ref is None or leg.ref in known
        event = maker.leaf(entry, leg, lane.id, 0).event.words() if has_id else None
        account = member_account(secrets[leg.member], leg.issuer)
        conn.execute(_PREPARE, [entry.seq, leg.no, *lane.id, account, event])


def _event_ids(conn: Conn, refs: Iterable[LegRef]) -> dict[LegRef, bytes]:
    wanted = sorted(set(refs))
    rows = conn.execute(_KNOWN, {"seqs": [ref.seq for ref in wanted], "nos": [ref.no for ref in wanted]}).fetchall()
    return {LegRef(seq, no): bytes(event_id) for seq, no, event_id in rows}


def inbox(conn: Conn, *, after: Mapping[LaneId, int]) -> Inbox:
    """What can be sealed: everything that was taken in after the numbers to which the lanes have come, none for a lane
    that is not among them. Lanes have no gaps, so what was sealed long ago is not looked at.
    """
    own = [lane.id for lane in lanes(conn)]
    ended = {
        "merchants": [lane.merchant_id for lane in own],
        "keys": [lane.key_id for lane in own],
        "nonces": [after.get(lane, 0) for lane in own],
    }
    return _inbox(conn, conn.execute(_UNSEALED, ended).fetchall())


def inbox_of(conn: Conn, batch_no: int) -> Inbox:
    """Exactly what this batch holds of it."""
    return _inbox(conn, conn.execute(_SEALED_IN, [batch_no]).fetchall())


def _inbox(conn: Conn, rows: Sequence[tuple[Any, ...]]) -> Inbox:
    signed, free = {}, {}
    for merchant, key, nonce, event, signature, seq, no in rows:
        source = None if seq is None else LegRef(seq, no)
        taken = Signed(PointsEvent.from_words(bytes(event)), _halves(signature), source)
        if source is None:
            free[LaneId(merchant, key), nonce] = taken
        else:
            signed[source] = taken
    return Inbox(lanes=lanes(conn), signed=signed, free=free)


def waiting(conn: Conn, lane: SelfLane) -> list[tuple[LegRef, PointsEvent | None]]:
    """What waits for the lane's signature, in order: the event, or None while what it refers to has no id."""
    rows = conn.execute(_WAITING, [*lane.id, WAITING_MAX]).fetchall()
    return [
        (LegRef(seq, no), None if event is None else PointsEvent.from_words(bytes(event))) for seq, no, event in rows
    ]


def last_nonce(conn: Conn, lane_id: LaneId) -> int:
    """The lane's last number that was taken in, 0 if there is none."""
    row = conn.execute(_LAST_NONCE, list(lane_id)).fetchone()
    return int(row[0]) if row else 0


def take_in(
    conn: Conn, signed: Signed, *, separator: bytes, key: ReceiptSigner, now: int
) -> tuple[AcceptanceReceipt, Signature]:
    """Take a merchant's signature in and promise its batch; the first promise again if it was taken in before. Unix
    seconds. Raises `IntakeRefused`.
    """
    event = signed.event
    with conn.transaction():
        conn.execute(_LOCK, [event.merchant_id])
        lane = next((each for each in lanes(conn) if each.id == (event.merchant_id, event.key_id)), None)
        if lane is None:
            raise IntakeRefused(Why.LANE_UNKNOWN, "lane", expected="a key of this merchant", actual=event.key_id)
        given = _given_before(conn, signed, separator, key)
        if given is not None:
            return given
        if lane.to_batch is not None:
            raise IntakeRefused(Why.LANE_UNKNOWN, "lane", expected="a key that is in force", actual=event.key_id)
        prepared = _prepared(conn, signed, lane, now)
        check(signed, prepared=prepared, lane=lane, last_nonce=last_nonce(conn, lane.id), separator=separator)
        promise = receipt(signed, accepted_at=now)
        promised = key.sign(signed_digest(separator, promise.hash_struct()))
        source, signature = signed.source or (None, None), signed.signature[0] + signed.signature[1]
        fields = [*lane.id, event.nonce, event.words(), signature, *source, now, promise.merge_by]
        conn.execute(_TAKE, [*fields, promised[0] + promised[1]])
        if (wanted := hub_wanted(conn, separator)) is not None:  # asked now: who moves the ledger waits for this row
            raise IntakeRefused(Why.HUB, "domain", expected=wanted, actual="another hub")
        return promise, promised


def take_in_forced(conn: Conn, signed: Signed, *, now: int, due_at: int) -> None:
    """Take in what the chain's queue holds; form, number and signature were checked there. Unix seconds."""
    event = signed.event
    with conn.transaction():
        conn.execute(_LOCK, [event.merchant_id])
        if event.nonce != last_nonce(conn, LaneId(event.merchant_id, event.key_id)) + 1:
            return
        source, signature = signed.source or (None, None), signed.signature[0] + signed.signature[1]
        who = [event.merchant_id, event.key_id, event.nonce]
        accepted = min(now, due_at - 1)
        conn.execute(_TAKE, [*who, event.words(), signature, *source, accepted, due_at, NO_RECEIPT])


def _given_before(
    conn: Conn, signed: Signed, separator: bytes, key: ReceiptSigner
) -> tuple[AcceptanceReceipt, Signature] | None:
    event = signed.event
    source = signed.source or LegRef(-1, -1)
    row = conn.execute(_TAKEN, [event.merchant_id, event.key_id, event.nonce, *source]).fetchone()
    if row is None:
        return None
    if bytes(row[0]) != event.words():
        first = PointsEvent.from_words(bytes(row[0]))
        raise IntakeRefused(Why.SIGNED, "nonce or leg", expected=first.event_id.hex(), actual=event.event_id.hex())
    promise = replace(receipt(signed, accepted_at=row[1]), merge_by=row[2])
    if bytes(row[3]) == NO_RECEIPT:
        return promise, key.sign(signed_digest(separator, promise.hash_struct()))
    return promise, _halves(row[3])


def _prepared(conn: Conn, signed: Signed, lane: SelfLane, now: int) -> PointsEvent:
    """The event that follows from the leg; of one that posts nothing, from its own time, which must not lie ahead: no
    batch could hold it.
    """
    if signed.source is None:
        _room_for_void(conn, lane)
        return void(lane, nonce=0, occurred_at=min(signed.event.occurred_at, now))
    row = conn.execute(_ASKED, [*signed.source, *lane.id]).fetchone()
    if row is None or row[1] is None:
        raise IntakeRefused(Why.NOTHING_TO_SIGN, "leg", expected="a leg that waits", actual=tuple(signed.source))
    before = conn.execute(_BEFORE_IT, {"account": row[0], "seq": signed.source.seq, "no": signed.source.no}).fetchone()
    if before is not None:
        raise IntakeRefused(Why.WAITS, "leg", expected=f"a signature for {before} first", actual=tuple(signed.source))
    return PointsEvent.from_words(bytes(row[1]))


def _room_for_void(conn: Conn, lane: SelfLane) -> None:
    row = conn.execute(_VOIDS_WAITING, [lane.merchant_id]).fetchone()
    if row is not None and row[0] >= VOIDS_WAITING_MAX:
        expected = f"at most {VOIDS_WAITING_MAX} that wait for a batch"
        raise IntakeRefused(Why.TOO_MANY, "voids", expected=expected, actual=row[0])


def late_legs(conn: Conn, *, batch_no: int) -> list[LegRef]:
    """What earlier batches left for this one or later ones, in journal order."""
    return [LegRef(*row) for row in conn.execute(_LATE, {"batch_no": batch_no}).fetchall()]


def parked_cash(conn: Conn, *, batch_no: int) -> dict[int, int]:
    """By party, the AU that the books moved on legs which no batch up to `batch_no` holds, though its range does."""
    return dict(conn.execute(_PARKED_CASH, {"cash": Family.CASH.value, "batch_no": batch_no}).fetchall())


def keep_parked(conn: Conn, *, batch_no: int, late: Sequence[LegRef], parked: Sequence[LegRef]) -> None:
    """What this batch left out, and which `late` legs it holds. In the caller's transaction."""
    left, before = set(parked), set(late)
    with conn.cursor() as cursor:
        cursor.executemany(_PARK, [(ref.seq, ref.no, batch_no) for ref in parked if ref not in before])
        cursor.executemany(_UNPARK, [(batch_no, ref.seq, ref.no) for ref in late if ref not in left])


def _kinds(mask: int) -> frozenset[Kind]:
    return frozenset(kind for kind in Kind if mask >> kind & 1)


def _halves(signature: bytes | memoryview) -> Signature:
    raw = bytes(signature)
    return raw[:WORD_BYTES], raw[WORD_BYTES:]

"""Checks 7 to 14, 16 and 25 within one shard: every leaf of a stretch of a batch, by itself and against the one before.

The hot loop of an audit. A shard knows nothing outside its stretch: what it cannot judge alone (how accounts stood
before, what the total was) it sends home as segments, and `batch` joins them. So shards run in any order and in any
process, and the result is the same. Source: protocol §2.3-§2.6, §6 "parallel method".
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from auditor.findings import Findings
from auditor.registry import Registry
from auditor.segments import Segment, Standing
from proofs.accounts import MEMBER, lane_account
from proofs.keccak import keccak256
from proofs.kinds import (
    CLOCK_SKEW_SECONDS_MAX,
    MAY_OWE,
    ON_REDEMPTION,
    Kind,
    broken_rules,
    effects,
    points_delta,
    reserve_follows,
)
from proofs.lpb1 import RECORD_BYTES, FileError, Record, Step, parse_record
from proofs.messages import PointsEvent, Posting, SettlementLeaf, signed_digest
from proofs.signature import SignatureError, recover
from proofs.tree import leaf_hash, node_hash
from proofs.words import WORD_BYTES, ZERO_WORD

SLOTS = ("issuer", "debtor", "creditor", "member")
_EVENT_END = PointsEvent.WORDS * WORD_BYTES
_SLOTS_AT = _EVENT_END + 2 * WORD_BYTES
_SLOT_BYTES = 5 * WORD_BYTES
_TAIL_AT = _SLOTS_AT + len(SLOTS) * _SLOT_BYTES
_EMPTY_SLOT = bytes(_SLOT_BYTES)
_SECONDS_PER_DAY = 86_400
_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Job:
    """What a shard needs to know, small enough to send to another process.

    `records_at` is the byte at which leaves begin in the file; leaves `start` to `stop` - 1 (0-based) are this shard's.
    """

    path: Path
    records_at: int
    start: int
    stop: int
    batch_no: int
    first_leaf_no: int
    sealed_at: int
    batch_secret: bytes
    separator: bytes
    registry: Registry


@dataclass(slots=True)
class Shard:
    """What a shard found. `root` is the root of its part of the leaf tree; totals are None when it has no leaf.

    `bindings` says which account each (memberRef, issuer) stands for, `holders` the reverse within one month.
    """

    root: bytes = ZERO_WORD
    total_before: int | None = None
    total_after: int | None = None
    segments: dict[bytes, Segment] = field(default_factory=dict)
    bindings: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    holders: dict[tuple[bytes, int, int], bytes] = field(default_factory=dict)
    leaves: int = 0
    gross_cash: int = 0
    good_signatures: int = 0
    findings: Findings = field(default_factory=Findings)


def scan(job: Job) -> Shard:
    """Check the leaves of one shard."""
    with job.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        scanner = _Scanner(job)
        for index in range(job.start, job.stop):
            at = job.records_at + index * RECORD_BYTES
            scanner.take(index, data[at : at + RECORD_BYTES])
    return scanner.finish()


def subtree_root(level: list[bytes]) -> bytes:
    """The node over a run of neighbouring nodes of one level; the run starts at a multiple of a power of two >= its
    length.
    """
    while len(level) > 1:
        pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = pairs if len(level) % 2 == 0 else [*pairs, level[-1]]
    return level[0] if level else ZERO_WORD


def record_hashes(raw: bytes, batch_secret: bytes) -> tuple[bytes, bytes]:
    """(hashStruct of the event, hashStruct of the leaf), straight from a record's words.

    The words of the file are the words that are hashed, so nothing is packed again. A posting's salt is the hash of the
    secret and the slot's first two words.
    """
    event_hash = keccak256(PointsEvent.TYPEHASH + raw[:_EVENT_END])
    postings = []
    for at in range(_SLOTS_AT, _TAIL_AT, _SLOT_BYTES):
        slot = raw[at : at + _SLOT_BYTES]
        salted = b"" if slot == _EMPTY_SLOT else slot + keccak256(batch_secret + slot[: 2 * WORD_BYTES])
        postings.append(keccak256(Posting.TYPEHASH + salted) if salted else ZERO_WORD)
    total, numbers = raw[_TAIL_AT : _TAIL_AT + WORD_BYTES], raw[_TAIL_AT + WORD_BYTES :]
    signature = raw[_EVENT_END:_SLOTS_AT]
    leaf = keccak256(SettlementLeaf.TYPEHASH + numbers + event_hash + signature + b"".join(postings) + total)
    return event_hash, leaf


class _Scanner:
    """The state of one shard while its leaves go by; one method for each thing that is checked."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.shard = Shard()
        self.nodes: list[bytes] = []
        self.signers: dict[tuple[int, int, int], bytes | None] = {}
        self.lanes: dict[tuple[int, int], bytes] = {}
        self.leaf_no = 0
        """Where the leaf of the moment stands. A place is proven; what a leaf says of it is checked."""

    def take(self, index: int, raw: bytes) -> None:
        """One leaf."""
        self.leaf_no = self.job.first_leaf_no + index
        event_hash, leaf = record_hashes(raw, self.job.batch_secret)
        self.nodes.append(leaf_hash(leaf))
        try:
            record = parse_record(raw)
        except FileError as error:
            self._add("file-malformed", f"record {index}", expected="canonical words", actual=error)
            return
        if record.leaf_no != self.leaf_no:
            self._add("leaf-number", "leafNo", expected=self.leaf_no, actual=record.leaf_no)
        self._signature(record, event_hash)
        self._rules(record)
        self._total(record)
        self._chains(record)
        if record.member is not None:
            self._member(record, record.member)

    def finish(self) -> Shard:
        """What goes home."""
        self.shard.leaves = len(self.nodes)
        self.shard.root = subtree_root(self.nodes)
        return self.shard

    def _signature(self, record: Record, event_hash: bytes) -> None:
        event = record.event
        lane = (event.merchant_id, event.key_id, event.kind)
        if lane not in self.signers:
            self.signers[lane] = self.job.registry.key_at(*lane[:2], batch_no=self.job.batch_no, kind=event.kind)
        expected = self.signers[lane]
        try:
            signer = recover(signed_digest(self.job.separator, event_hash), record.sig_r, record.sig_vs)
        except SignatureError as error:
            self._add("signature-malformed", "sigR, sigVS", expected="compact, low-s", actual=error)
            return
        if expected is None:
            place = f"lane {event.merchant_id}:{event.key_id}"
            wanted = f"a key for kind {event.kind} in batch {self.job.batch_no}"
            self._add("key-not-valid", place, expected=wanted, actual="none registered")
        elif signer != expected:
            self._add("signature-of-another", "sigR, sigVS", expected=expected, actual=signer)
        else:
            self.shard.good_signatures += 1

    def _rules(self, record: Record) -> None:
        event, job = record.event, self.job
        terms = job.registry.terms.get(event.terms_id)
        for name in broken_rules(event, terms, job.batch_no):
            actual = f"kind {event.kind}, terms {event.terms_id}, {event.points} points, {event.settle_amount} units"
            self._add(name, "event", expected="the rule of this name", actual=actual)
        if event.occurred_at > job.sealed_at + CLOCK_SKEW_SECONDS_MAX:
            latest = f"at most {job.sealed_at + CLOCK_SKEW_SECONDS_MAX}"
            self._add("event-in-future", "event.occurredAt", expected=latest, actual=event.occurred_at)
        if event.kind in _KINDS and (terms is not None or event.terms_id == 0):
            self._postings(record, terms.mode if terms is not None else ON_REDEMPTION)

    def _postings(self, record: Record, mode: int) -> None:
        due = effects(record.event, mode)
        self._slot("issuer", record.issuer, due.issuer)
        self._slot("debtor", record.debtor, due.debtor)
        self._slot("creditor", record.creditor, due.creditor)
        member = record.member
        tag = member.account if member is not None and member.account[0] == MEMBER else bytes([MEMBER])
        self._slot("member", member, None if due.member is None else (tag, due.member))
        if record.debtor is not None:
            self.shard.gross_cash += record.event.settle_amount

    def _slot(self, slot: str, step: Step | None, due: tuple[bytes, int] | None) -> None:
        if step is None and due is None:
            return
        if step is None or due is None:
            code = "posting-missing" if step is None else "posting-surplus"
            self._add(code, slot, expected=_told(due), actual=step)
            return
        account, delta = due
        if step.account != account:
            self._add("posting-account", slot, expected=account, actual=step.account, account=step.account)
        if step.delta != delta:
            self._add("posting-delta", slot, expected=delta, actual=step.delta, account=step.account)

    def _total(self, record: Record) -> None:
        shard, after = self.shard, record.total_points_after
        before = after - points_delta(record.event)
        if shard.total_after is None:
            shard.total_before = before
        elif shard.total_after != before:
            due = shard.total_after + after - before
            self._add("total-step", "totalPointsAfter", expected=due, actual=after)
        shard.total_after = after

    def _chains(self, record: Record) -> None:
        event = record.event
        lane = self._lane(event.merchant_id, event.key_id)
        before = Standing(event.nonce - 1, record.lane_prev_leaf_no, 0)
        self._chain("lane-step", lane, before, Standing(event.nonce, self.leaf_no, 0))
        for step in record.steps:
            if step is not None:
                before = Standing(step.seq - 1, step.prev_leaf_no, step.balance - step.delta)
                after = Standing(step.seq, self.leaf_no, step.balance)
                self._chain("posting-step", step.account, before, after)

    def _chain(self, code: str, account: bytes, before: Standing, after: Standing) -> None:
        segment = self.shard.segments.get(account)
        if segment is None:
            self.shard.segments[account] = Segment(before, self.leaf_no, after)
            return
        if segment.closing != before:
            self._add(code, "chain", expected=segment.closing, actual=before, account=account)
        segment.closing = after

    def _lane(self, merchant_id: int, key_id: int) -> bytes:
        """The lane's account; a shard has few lanes and many leaves."""
        lane = self.lanes.get((merchant_id, key_id))
        if lane is None:
            lane = self.lanes[merchant_id, key_id] = lane_account(merchant_id, key_id)
        return lane

    def _member(self, record: Record, step: Step) -> None:
        event = record.event
        segment = self.shard.segments[step.account]
        if segment.issuer_id not in {0, event.issuer_id}:
            due = f"points of issuer {segment.issuer_id}"
            self._add("points-of-another", "member", expected=due, actual=event.issuer_id, account=step.account)
        segment.issuer_id = segment.issuer_id or event.issuer_id
        terms = self.job.registry.terms.get(event.terms_id)
        if terms is not None and event.kind in _KINDS and not reserve_follows(event, terms, step.balance):
            due = f"what follows from a balance of {step.balance} after {step.delta}"
            self._add("reserve", "settleAmount", expected=due, actual=event.settle_amount, account=step.account)
        if step.balance < 0 and step.delta < 0 and event.kind not in MAY_OWE:
            self._add(
                "member-below-zero",
                "member.balance",
                expected="0 or more",
                actual=step.balance,
                account=step.account,
            )
        who = (event.member_ref, event.issuer_id)
        known = self.shard.bindings.setdefault(who, step.account)
        holding = (step.account, event.merchant_id, month_of(event.occurred_at // _SECONDS_PER_DAY))
        holder = self.shard.holders.setdefault(holding, event.member_ref)
        if known != step.account:
            self._add("member-of-another", "member", expected=known, actual=step.account)
        elif holder != event.member_ref:
            self._add("member-of-another", "memberRef", expected=holder, actual=event.member_ref)

    def _add(self, code: str, place: str, *, expected: object, actual: object, account: bytes | None = None) -> None:
        self.shard.findings.add(
            code, self.job.batch_no, place, expected=expected, actual=actual, leaf_no=self.leaf_no, account=account
        )


@lru_cache(maxsize=4096)
def month_of(day: int) -> int:
    """The calendar month (UTC, year · 12 + month - 1) of a day since 1970; within it a merchant's memberRef is
    stable.
    """
    date = datetime.fromtimestamp(day * _SECONDS_PER_DAY, UTC)
    return date.year * 12 + date.month - 1


def _told(due: tuple[bytes, int] | None) -> str:
    return "no posting" if due is None else f"{due[1]} on 0x{due[0].hex()}"

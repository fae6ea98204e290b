"""Checks 7 to 14, 16 and 25 within one shard: every leaf of a stretch of a batch, by itself and against the one before.

The hot loop of an audit. A shard knows nothing outside its stretch: what it cannot judge alone (how accounts stood
before, what the total was) it sends home as segments, and `batch` joins them. So shards run in any order and in any
process, and the result is the same. Source: protocol §2.3-§2.6, §6 "parallel method".
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from auditor.examine import Law, faults
from auditor.figures import Figures
from auditor.findings import Findings
from auditor.glance import (
    EMPTY_SLOT,
    EVENT_END,
    SLOT_BYTES,
    SLOTS_AT,
    TAIL_AT,
    Form,
    Forms,
    Move,
    Seen,
    split,
)
from auditor.originals import Run, packed
from auditor.relations import Mention
from auditor.segments import Segment, Standing, pack, standing, told
from proofs.accounts import OPERATOR_ID
from proofs.keccak import keccak256
from proofs.kinds import MAY_OWE, Kind, points_sign
from proofs.lpb1 import RECORD_BYTES, FileError, parse_record
from proofs.messages import PointsEvent, Posting, SettlementLeaf
from proofs.signature import Recovery, SignatureError
from proofs.tree import LEAF_PREFIX, node_hash
from proofs.words import WORD_BYTES, ZERO_WORD

_SALTED_BYTES = 2 * WORD_BYTES
_SECONDS_PER_DAY = 86_400
_SECONDS_PER_MINUTE = 60
ID_BYTES = 4
BINDING_KEY_BYTES = WORD_BYTES + ID_BYTES
HOLDER_KEY_BYTES = WORD_BYTES + 2 * ID_BYTES


@dataclass(frozen=True, slots=True)
class Job:
    """What a shard needs to know, small enough to send to another process.

    `records_at` is the byte at which leaves begin in the file; leaves `start` to `stop` - 1 (0-based) are this shard's.
    """

    path: Path
    records_at: int
    start: int
    stop: int
    first_leaf_no: int
    batch_secret: bytes
    law: Law


@dataclass(slots=True)
class Shard:
    """What a shard found. `root` is the root of its part of the leaf tree; totals are None when it has no leaf.

    `segments` are packed; `bindings` holds memberRef ‖ issuer ‖ account, which account each name stands for, and
    `holders` the reverse within one month, account ‖ merchant ‖ month ‖ memberRef, one after the other. `originals` are
    all leaves in short, `mentions` those that have to be seen with others; `accrued` are fees since the last charge.
    """

    root: bytes = ZERO_WORD
    total_before: int | None = None
    total_after: int | None = None
    segments: bytes = b""
    bindings: bytes = b""
    holders: bytes = b""
    leaves: int = 0
    gross_cash: int = 0
    good_signatures: int = 0
    originals: list[Run] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    accrued: dict[int, int] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
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
    event_hash = keccak256(PointsEvent.TYPEHASH + raw[:EVENT_END])
    parts = [SettlementLeaf.TYPEHASH, raw[TAIL_AT + WORD_BYTES :], event_hash, raw[EVENT_END:SLOTS_AT]]
    for at in range(SLOTS_AT, TAIL_AT, SLOT_BYTES):
        slot = raw[at : at + SLOT_BYTES]
        if slot == EMPTY_SLOT:
            parts.append(ZERO_WORD)
        else:
            parts.append(keccak256(Posting.TYPEHASH + slot + keccak256(batch_secret + slot[:_SALTED_BYTES])))
    parts.append(raw[TAIL_AT : TAIL_AT + WORD_BYTES])
    return event_hash, keccak256(b"".join(parts))


class _LaneRun:
    """Neighbouring leaves of one lane on their way to `originals`, and how many fall into one minute."""

    __slots__ = ("busiest", "first", "in_minute", "minute", "next", "parts")

    def __init__(self, first: int) -> None:
        self.first = self.next = first
        self.parts: list[bytes] = []
        self.minute = self.in_minute = self.busiest = 0


class _Run:
    """A segment in the making: how its account stood before the shard, and stands after the last leaf."""

    __slots__ = ("balance", "first_leaf_no", "issuer_id", "leaf_no", "opened_at", "opening", "seq")

    def __init__(self, opening: Standing, leaf_no: int, seq: int, balance: int) -> None:
        self.opening, self.first_leaf_no, self.issuer_id, self.opened_at = opening, leaf_no, 0, 0
        self.seq, self.leaf_no, self.balance = seq, leaf_no, balance

    def segment(self) -> Segment:
        """What goes home."""
        closing = standing(self.seq, self.leaf_no, self.balance)
        return Segment(self.opening, self.first_leaf_no, closing, self.issuer_id, self.opened_at)


class _Scanner:
    """The state of one shard while its leaves go by; one method for each thing that is checked."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.shard = Shard()
        self.nodes: list[bytes] = []
        self.runs: dict[bytes, _Run] = {}
        self.bindings: dict[tuple[bytes, int], bytes] = {}
        self.holders: dict[tuple[bytes, int, int], bytes] = {}
        self.lanes: dict[bytes, _LaneRun] = {}
        self.dormant = self.dormant_points = 0
        self.lane_runs: list[tuple[bytes, _LaneRun]] = []
        self.forms = Forms(job.law)
        self.recovery = Recovery()
        self.tariff = job.law.tariff
        self.digest_prefix = b"\x19\x01" + job.law.separator
        self.leaf_no = 0
        """Where the leaf of the moment stands. A place is proven; what a leaf says of it is checked."""

    def take(self, index: int, raw: bytes) -> None:
        """One leaf."""
        self.leaf_no = self.job.first_leaf_no + index
        event_hash, leaf = record_hashes(raw, self.job.batch_secret)
        self.nodes.append(keccak256(LEAF_PREFIX + leaf))
        try:
            seen = split(raw)
        except FileError as error:
            self._add("file-malformed", f"record {index}", expected="canonical words", actual=error)
            return
        form = self.forms.of(seen)
        signed = self._is_signed(form, seen, event_hash)
        if not (signed and self._is_in_order(form, seen)):
            for fault in faults(self.job.law, parse_record(raw), self.leaf_no, event_hash):
                code, place, expected, actual, account = fault
                self._add(code, place, expected=expected, actual=actual, account=account)
        self.shard.good_signatures += signed
        form.leaves += 1
        form.points += seen.points
        form.cash += seen.settle_amount
        self._total(seen)
        self._chains(form, seen)
        self._keep(form, seen, event_hash)

    def finish(self) -> Shard:
        """What goes home."""
        shard = self.shard
        shard.leaves = len(self.nodes)
        shard.root = subtree_root(self.nodes)
        shard.originals = [Run(lane, run.first, b"".join(run.parts)) for lane, run in self.lane_runs]
        shard.figures = self._figures()
        shard.segments = pack({account: run.segment() for account, run in self.runs.items()})
        shard.bindings = b"".join(
            ref + issuer.to_bytes(ID_BYTES, "big") + account for (ref, issuer), account in self.bindings.items()
        )
        shard.holders = b"".join(
            account + merchant.to_bytes(ID_BYTES, "big") + month.to_bytes(ID_BYTES, "big") + ref
            for (account, merchant, month), ref in self.holders.items()
        )
        return shard

    def _figures(self) -> Figures:
        self.forms.count()
        figures = self.forms.figures
        for lane, run in self.lane_runs:
            figures.busiest[lane] = max(figures.busiest.get(lane, 0), run.busiest)
        figures.dormant_redemptions, figures.dormant_points = self.dormant, self.dormant_points
        return figures

    def _is_signed(self, form: Form, seen: Seen, event_hash: bytes) -> bool:
        digest = keccak256(self.digest_prefix + event_hash)
        try:
            return self.recovery.address(digest, seen.sig_r, seen.sig_vs) == form.signer
        except SignatureError:
            return False

    def _is_in_order(self, form: Form, seen: Seen) -> bool:
        return (
            form.in_order
            and seen.leaf_no == self.leaf_no
            and seen.nonce > 0
            and seen.occurred_at <= self.job.law.latest
            and form.fits(seen)
        )

    def _total(self, seen: Seen) -> None:
        shard, after = self.shard, seen.total
        before = after - points_sign(seen.kind) * seen.points
        if shard.total_after is None:
            shard.total_before = before
        elif shard.total_after != before:
            due = shard.total_after + after - before
            self._add("total-step", "totalPointsAfter", expected=due, actual=after, also=[self.leaf_no - 1])
        shard.total_after = after

    def _chains(self, form: Form, seen: Seen) -> None:
        self._chain("lane-step", Move(form.lane, seen.nonce, seen.lane_prev_leaf_no, 0, 0))
        for move in seen.moves:
            if move is not None:
                self._chain("posting-step", move)
        if seen.moves[1] is not None:
            self.shard.gross_cash += seen.settle_amount
        if seen.moves[3] is not None:
            self._member(seen, seen.moves[3])

    def _keep(self, form: Form, seen: Seen, event_hash: bytes) -> None:
        """What later leaves, other shards and the tariff need of this one."""
        lane = form.lane_id
        run = self.lanes.get(lane)
        if run is None or run.next != seen.nonce:
            run = self.lanes[lane] = _LaneRun(seen.nonce)
            self.lane_runs.append((lane, run))
        run.next += 1
        minute = seen.occurred_at // _SECONDS_PER_MINUTE
        run.minute, run.in_minute = minute, run.in_minute + 1 if minute == run.minute else 1
        run.busiest = max(run.busiest, run.in_minute)
        run.parts.append(
            packed(
                (
                    seen.kind,
                    seen.issuer_id,
                    seen.terms_id,
                    self.leaf_no,
                    seen.points,
                    seen.settle_amount,
                    seen.occurred_at,
                    seen.ref_event_id,
                    event_hash,
                )
            )
        )
        if form.fee_bps and self.tariff is not None:
            amount = seen.settle_amount if form.worth is None else seen.points * form.worth[0] // form.worth[1]
            fee = self.tariff.fee(amount, form.fee_bps)
            self.shard.accrued[seen.merchant_id] = self.shard.accrued.get(seen.merchant_id, 0) + fee
        if form.mentioned:
            self._mention(form, seen)

    def _mention(self, form: Form, seen: Seen) -> None:
        payer = seen.merchant_id if seen.merchant_id != OPERATOR_ID else seen.issuer_id
        member = seen.moves[3]
        self.shard.mentions.append(
            Mention(
                self.leaf_no,
                seen.kind,
                form.lane_id,
                seen.nonce,
                seen.issuer_id,
                seen.ref_event_id,
                seen.points,
                seen.settle_amount,
                seen.terms_id,
                seen.campaign_id,
                seen.level,
                seen.basis,
                seen.occurred_at,
                b"" if member is None else member.account,
                self.shard.accrued.pop(payer, 0) if seen.kind == Kind.FEE else 0,
            )
        )

    def _chain(self, code: str, move: Move) -> None:
        account, seq, prev_leaf_no, delta, balance = move
        run = self.runs.get(account)
        if run is None:
            opening = standing(seq - 1, prev_leaf_no, balance - delta)
            self.runs[account] = _Run(opening, self.leaf_no, seq, balance)
            return
        if run.seq != seq - 1 or run.leaf_no != prev_leaf_no or run.balance != balance - delta:
            before = standing(seq - 1, prev_leaf_no, balance - delta)
            due = told(standing(run.seq, run.leaf_no, run.balance))
            also = [run.leaf_no, prev_leaf_no]
            self._add(code, "chain", expected=due, actual=told(before), account=account, also=also)
        run.seq, run.leaf_no, run.balance = seq, self.leaf_no, balance

    def _member(self, seen: Seen, move: Move) -> None:
        account, ref, issuer = move.account, seen.member_ref, seen.issuer_id
        run = self.runs[account]
        if run.issuer_id not in {0, issuer}:
            due = f"points of issuer {run.issuer_id}"
            self._add("points-of-another", "member", expected=due, actual=issuer, account=account)
        run.issuer_id, run.opened_at = run.issuer_id or issuer, run.opened_at or seen.occurred_at
        if move.balance < 0 and move.delta < 0 and seen.kind not in MAY_OWE:
            place, least = "member.balance", "0 or more"
            self._add("member-below-zero", place, expected=least, actual=move.balance, account=account)
        if seen.kind == Kind.REDEEM and 0 < move.prev_leaf_no < self.job.law.dormant_before:
            self.dormant += 1
            self.dormant_points += seen.points
        known = self.bindings.setdefault((ref, issuer), account)
        month = month_of(seen.occurred_at // _SECONDS_PER_DAY)
        holder = self.holders.setdefault((account, seen.merchant_id, month), ref)
        if known != account:
            self._add("member-of-another", "member", expected=known, actual=account)
        elif holder != ref:
            self._add("member-of-another", "memberRef", expected=holder, actual=ref)

    def _add(
        self,
        code: str,
        place: str,
        *,
        expected: object,
        actual: object,
        account: bytes | None = None,
        also: Sequence[int] = (),
    ) -> None:
        self.shard.findings.add(
            code,
            self.job.law.batch_no,
            place,
            expected=expected,
            actual=actual,
            leaf_no=self.leaf_no,
            account=account,
            also=also,
        )


@lru_cache(maxsize=4096)
def month_of(day: int) -> int:
    """The calendar month (UTC, year · 12 + month - 1) of a day since 1970; within it a merchant's memberRef is
    stable. Days beyond the calendar share its last month.
    """
    date = datetime.fromtimestamp(min(day, _LAST_DAY) * _SECONDS_PER_DAY, UTC)
    return date.year * 12 + date.month - 1


_LAST_DAY = 2_932_896
"""31 December 9999."""

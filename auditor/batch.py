"""One batch: its file against its header, its leaves shard by shard, and its accounts against the batch before.

The shards judge what a leaf and its neighbour tell (`scan`); here they are joined, held against the books, and the
parts that are few are checked directly: rows, totals, nets (`rows`, `nets`). Whatever is found, the books move on to
what was published. Called by `audit`. Source: protocol §6, checks 6 to 18 and 25.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from auditor.books import Books, is_member
from auditor.chain import Commit
from auditor.examine import Law
from auditor.fetch import Plain
from auditor.figures import Figures
from auditor.findings import Findings
from auditor.nets import check_nets
from auditor.registry import ACTIVE, Registry
from auditor.relations import Leaves, Relations
from auditor.rows import check_points, check_rows
from auditor.scan import BINDING_KEY_BYTES, HOLDER_KEY_BYTES, Job, Shard, scan, subtree_root
from auditor.segments import Segment, Standing, join, leaf_of, told, unpack
from proofs.accounts import LANE
from proofs.kinds import Kind
from proofs.lpb1 import FileError, Reader, open_file
from proofs.messages import BatchHeader
from proofs.words import WORD_BYTES, ZERO_WORD

SHARD_LEAVES_MAX = 2**13
"""A power of two, so that each shard's leaves are one subtree of the batch's tree."""

Run: TypeAlias = Callable[[Callable[[Job], Shard], Iterable[Job]], Iterator[Shard]]
"""How shards are run: `map`, or a process pool's, results in order."""


@dataclass(frozen=True, slots=True)
class Context:
    """What holds for all batches of one audit. `shard_leaves_max` is a power of two, so that a shard is one subtree;
    `tick` hears of every shard's leaves.
    """

    separator: bytes
    registry: Registry
    run: Run = map
    shard_leaves_max: int = SHARD_LEAVES_MAX
    tick: Callable[[int], None] = lambda _leaves: None
    dormant_before: Callable[[int], int] = lambda _sealed_at: 0
    """The leaf number below which a member's last leaf was long ago, by the time of sealing."""


@dataclass(slots=True)
class Whole:
    """All shards of one batch, joined so far. `segments` are those of accounts that have rows."""

    total_before: int | None = None
    total_after: int | None = None
    segments: dict[bytes, Segment] = field(default_factory=dict)
    gross_cash: int = 0
    good_signatures: int = 0
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True)
class Opened:
    """A batch whose file is on disk and whose shards are at work; None for `reader` where the file is none."""

    commit: Commit
    plain: Plain
    reader: Reader | None
    shards: Iterator[Shard]
    findings: Findings


def open_batch(commit: Commit, plain: Plain, context: Context, findings: Findings) -> Opened:
    """Read the small parts of a batch's file and set its shards to work."""
    header = commit.header
    with plain.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        view = memoryview(data)
        try:
            reader = open_file(view)
        except FileError as error:
            findings.add("file-malformed", header.batch_no, "file", expected="an LPB1 file", actual=error)
            return Opened(commit, plain, None, iter(()), findings)
        finally:
            view.release()
    _check_file(header, reader, findings)
    return Opened(commit, plain, reader, context.run(scan, _jobs(header, reader, plain, context)), findings)


def close_batch(opened: Opened, books: Books, relations: Relations, context: Context) -> Whole:
    """Join the shards of a batch, check it against the books, and move the books past it."""
    commit, reader, findings = opened.commit, opened.reader, opened.findings
    header = commit.header
    if reader is None:
        books.lose()
        relations.complete = False
        return Whole()
    relations.tariff = opened.plain.tariff
    whole = _Joining(header, books, relations, context.registry, findings).of(_ticking(context, opened.shards))
    relations.close(header.batch_no, header.first_leaf_no, findings)
    _check_openings(header.batch_no, whole.segments, books, findings)
    _check_totals(header, whole, books, findings)
    check_rows(
        header,
        reader.rows,
        whole.segments,
        books=books,
        batch_secret=opened.plain.batch_secret,
        registry=context.registry,
        findings=findings,
    )
    check_points(header, reader.rows, books, findings)
    check_nets(commit, reader, books, findings)
    _move(books, header, reader)
    return whole


def _check_file(header: BatchHeader, reader: Reader, findings: Findings) -> None:
    due = replace(header, data_hash=ZERO_WORD)
    if reader.header != due:
        findings.add(
            "file-header",
            header.batch_no,
            "file.header",
            expected=due.hash_struct(),
            actual=reader.header.hash_struct(),
        )
    if reader.leaf_count != header.leaf_count:
        findings.add(
            "record-count", header.batch_no, "file.leaves", expected=header.leaf_count, actual=reader.leaf_count
        )


def _jobs(header: BatchHeader, reader: Reader, plain: Plain, context: Context) -> list[Job]:
    dormant_before = context.dormant_before(header.sealed_at)
    law = Law(context.separator, context.registry, header.batch_no, header.sealed_at, plain.tariff, dormant_before)
    return [
        Job(
            path=plain.path,
            records_at=reader.records_at,
            start=start,
            stop=min(start + context.shard_leaves_max, reader.leaf_count),
            first_leaf_no=header.first_leaf_no,
            batch_secret=plain.batch_secret,
            law=law,
        )
        for start in range(0, reader.leaf_count, context.shard_leaves_max)
    ]


def _ticking(context: Context, shards: Iterable[Shard]) -> Iterator[Shard]:
    for shard in shards:
        context.tick(shard.leaves)
        yield shard


@dataclass(frozen=True, slots=True)
class _Joining:
    """Shards of one batch as one, in order; what does not meet is found here exactly as it would be inside a shard."""

    header: BatchHeader
    books: Books
    relations: Relations
    registry: Registry
    findings: Findings

    def of(self, shards: Iterable[Shard]) -> Whole:
        """All of them."""
        whole, roots, first_leaf_no = Whole(), [], self.header.first_leaf_no
        for shard in shards:
            roots.append(shard.root)
            self.findings.extend(shard.findings)
            first_seen = self._segments(whole, shard)
            self._totals(whole, shard, first_leaf_no)
            first_leaf_no += shard.leaves
            self._bindings(shard)
            self._relations(shard, first_seen)
            whole.gross_cash += shard.gross_cash
            whole.good_signatures += shard.good_signatures
            whole.figures.add(shard.figures)
        whole.figures.restricted_leaves = self._restricted(whole.figures)
        root = subtree_root(roots)
        if root != self.header.leaves_root:
            self._add("leaves-root", "leavesRoot", root, self.header.leaves_root)
        return whole

    def _segments(self, whole: Whole, shard: Shard) -> dict[bytes, int]:
        """Joins the segments; answers when the accounts of this shard's expiries were opened."""
        expired = {mention.account for mention in shard.mentions if mention.kind == Kind.EXPIRE}
        for account, later in unpack(shard.segments):
            if is_member(account):
                self._member(account, later)
                continue
            earlier = whole.segments.get(account)
            if earlier is None:
                whole.segments[account] = later
                continue
            if later.opening != earlier.closing:
                code = "lane-step" if account[0] == LANE else "posting-step"
                _unmet(self.findings, code, self.header.batch_no, later, expected=earlier.closing, account=account)
            whole.segments[account] = join(earlier, later)
        opened = ((account, self.books.opened_at(account)) for account in expired)
        return {account: at for account, at in opened if at is not None}

    def _member(self, account: bytes, later: Segment) -> None:
        """Members have no rows: their runs are joined to the books as they come."""
        known, batch_no = self.books.member_standing(account), self.header.batch_no
        if known is not None and known != later.opening:
            code = "posting-step" if leaf_of(known) >= self.header.first_leaf_no else "member-open"
            _unmet(self.findings, code, batch_no, later, expected=known, account=account)
        issuer_id = self.books.issuer_of(account)
        if issuer_id not in {0, later.issuer_id}:
            due, leaf_no = f"points of issuer {issuer_id}", later.first_leaf_no
            self._add("points-of-another", "member", due, later.issuer_id, leaf_no=leaf_no, account=account)
        self.books.take_member(account, later)

    def _totals(self, whole: Whole, shard: Shard, first_leaf_no: int) -> None:
        if whole.total_after is None:
            whole.total_before = shard.total_before
        elif shard.total_before is not None and whole.total_after != shard.total_before:
            place, also = "totalPointsAfter between shards", [first_leaf_no - 1, first_leaf_no]
            self._add("total-step", place, whole.total_after, shard.total_before, also=also)
        whole.total_after = whole.total_after if shard.total_after is None else shard.total_after

    def _bindings(self, shard: Shard) -> None:
        """The same comparison as between two leaves, with all that was before as the first of them."""
        for who, account in _pairs(shard.bindings, BINDING_KEY_BYTES):
            known = self.books.bindings.setdefault(who, account)
            if known != account:
                self._add("member-of-another", f"memberRef 0x{who[:WORD_BYTES].hex()}", known, account)
        for holding, ref in _pairs(shard.holders, HOLDER_KEY_BYTES):
            known = self.books.holders.setdefault(holding, ref)
            if known != ref:
                self._add("member-of-another", "memberRef", known, ref, account=holding[:WORD_BYTES])

    def _relations(self, shard: Shard, first_seen: dict[bytes, int]) -> None:
        leaves = Leaves(shard.originals, shard.mentions, shard.accrued, first_seen)
        self.relations.take(leaves, self.header.batch_no, self.findings)

    def _restricted(self, figures: Figures) -> int:
        status = {merchant: self.registry.status_at(merchant, self.header.batch_no) for merchant, _ in figures.leaves}
        return sum(leaves for (merchant, _), leaves in figures.leaves.items() if status[merchant] != ACTIVE)

    def _add(
        self,
        code: str,
        place: str,
        expected: object,
        actual: object,
        *,
        leaf_no: int | None = None,
        account: bytes | None = None,
        also: Sequence[int] = (),
    ) -> None:
        batch_no = self.header.batch_no
        self.findings.add(
            code, batch_no, place, expected=expected, actual=actual, leaf_no=leaf_no, account=account, also=also
        )


def _pairs(packed: bytes, key_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and the words after them."""
    step = key_bytes + WORD_BYTES
    for at in range(0, len(packed), step):
        yield packed[at : at + key_bytes], packed[at + key_bytes : at + step]


def _check_openings(batch_no: int, segments: dict[bytes, Segment], books: Books, findings: Findings) -> None:
    for account, segment in segments.items():
        if books.rows is not None and account not in books.rows:
            findings.add(
                "account-without-row",
                batch_no,
                f"rows of batch {batch_no - 1}",
                expected="a row",
                actual="none",
                leaf_no=segment.first_leaf_no,
                account=account,
            )
        known = books.row_standing(account)
        if known is not None and known != segment.opening:
            code = "lane-open" if account[0] == LANE else "row-open"
            _unmet(findings, code, batch_no, segment, expected=known, account=account)


def _unmet(findings: Findings, code: str, batch_no: int, later: Segment, *, expected: Standing, account: bytes) -> None:
    findings.add(
        code,
        batch_no,
        "chain",
        expected=told(expected),
        actual=told(later.opening),
        leaf_no=later.first_leaf_no,
        account=account,
        also=[leaf_of(expected), leaf_of(later.opening)],
    )


def _check_totals(header: BatchHeader, whole: Whole, books: Books, findings: Findings) -> None:
    opening = header.total_points if whole.total_before is None else whole.total_before
    if books.total_points is not None and opening != books.total_points:
        findings.add(
            "total-open",
            header.batch_no,
            "totalPoints",
            expected=books.total_points,
            actual=opening,
            also=[header.first_leaf_no],
        )
    if whole.total_after is not None and whole.total_after != header.total_points:
        findings.add(
            "total-close",
            header.batch_no,
            "header.totalPoints",
            expected=whole.total_after,
            actual=header.total_points,
            also=[header.first_leaf_no + header.leaf_count - 1],
        )


def _move(books: Books, header: BatchHeader, reader: Reader) -> None:
    books.rows = {row.account: row for row in reader.rows}
    books.total_points = header.total_points

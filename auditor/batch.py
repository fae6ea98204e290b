"""One batch: its file against its header, its leaves shard by shard, and its accounts against the batch before.

The shards judge what a leaf and its neighbour tell (`scan`); here they are joined, held against the books, and the
parts that are few are checked directly: rows, totals, nets (`rows`, `nets`). Whatever is found, the books move on to
what was published. Called by `audit`. Source: protocol §6, checks 6 to 18 and 25.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from auditor.books import Books, is_member
from auditor.chain import Commit
from auditor.examine import Law
from auditor.fetch import Plain
from auditor.findings import Findings
from auditor.nets import check_nets
from auditor.registry import Registry
from auditor.rows import check_points, check_rows
from auditor.scan import BINDING_KEY_BYTES, HOLDER_KEY_BYTES, Job, Shard, scan, subtree_root
from auditor.segments import Segment, Standing, join, leaf_of, told, unpack
from proofs.accounts import LANE
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


@dataclass(slots=True)
class Whole:
    """All shards of one batch, joined so far. `segments` are those of accounts that have rows."""

    total_before: int | None = None
    total_after: int | None = None
    segments: dict[bytes, Segment] = field(default_factory=dict)
    gross_cash: int = 0
    good_signatures: int = 0


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


def close_batch(opened: Opened, books: Books, context: Context) -> Whole:
    """Join the shards of a batch, check it against the books, and move the books past it."""
    commit, reader, findings = opened.commit, opened.reader, opened.findings
    header = commit.header
    if reader is None:
        books.lose()
        return Whole()
    whole = _join_all(_ticking(context, opened.shards), header, books, findings)
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


def audit_batch(commit: Commit, plain: Plain, books: Books, context: Context, findings: Findings) -> Whole:
    """Check one batch and move the books past it. Returns its figures for the report."""
    return close_batch(open_batch(commit, plain, context, findings), books, context)


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
    return [
        Job(
            path=plain.path,
            records_at=reader.records_at,
            start=start,
            stop=min(start + context.shard_leaves_max, reader.leaf_count),
            first_leaf_no=header.first_leaf_no,
            batch_secret=plain.batch_secret,
            law=Law(context.separator, context.registry, header.batch_no, header.sealed_at),
        )
        for start in range(0, reader.leaf_count, context.shard_leaves_max)
    ]


def _ticking(context: Context, shards: Iterable[Shard]) -> Iterator[Shard]:
    for shard in shards:
        context.tick(shard.leaves)
        yield shard


def _join_all(shards: Iterable[Shard], header: BatchHeader, books: Books, findings: Findings) -> Whole:
    """All shards as one, in order; what does not meet is found here exactly as it would be inside a shard."""
    whole, roots = Whole(), []
    for shard in shards:
        roots.append(shard.root)
        findings.extend(shard.findings)
        _join_segments(whole, shard, header, books, findings)
        _join_totals(whole, shard, header, findings)
        _join_bindings(shard, header.batch_no, books, findings)
        whole.gross_cash += shard.gross_cash
        whole.good_signatures += shard.good_signatures
    root = subtree_root(roots)
    if root != header.leaves_root:
        findings.add("leaves-root", header.batch_no, "leavesRoot", expected=root, actual=header.leaves_root)
    return whole


def _join_segments(whole: Whole, shard: Shard, header: BatchHeader, books: Books, findings: Findings) -> None:
    for account, later in unpack(shard.segments):
        if is_member(account):
            _join_member(account, later, header, books, findings)
            continue
        earlier = whole.segments.get(account)
        if earlier is None:
            whole.segments[account] = later
            continue
        if later.opening != earlier.closing:
            code = "lane-step" if account[0] == LANE else "posting-step"
            _unmet(findings, code, header.batch_no, later, expected=earlier.closing, account=account)
        whole.segments[account] = join(earlier, later)


def _join_member(account: bytes, later: Segment, header: BatchHeader, books: Books, findings: Findings) -> None:
    """Members have no rows: their runs are joined to the books as they come."""
    known = books.member_standing(account)
    if known is not None and known != later.opening:
        code = "posting-step" if leaf_of(known) >= header.first_leaf_no else "member-open"
        _unmet(findings, code, header.batch_no, later, expected=known, account=account)
    issuer_id = books.issuer_of(account)
    if issuer_id not in {0, later.issuer_id}:
        findings.add(
            "points-of-another",
            header.batch_no,
            "member",
            expected=f"points of issuer {issuer_id}",
            actual=later.issuer_id,
            leaf_no=later.first_leaf_no,
            account=account,
        )
    books.take_member(account, later)


def _join_totals(whole: Whole, shard: Shard, header: BatchHeader, findings: Findings) -> None:
    if whole.total_after is None:
        whole.total_before = shard.total_before
    elif shard.total_before is not None and whole.total_after != shard.total_before:
        place = "totalPointsAfter between shards"
        findings.add("total-step", header.batch_no, place, expected=whole.total_after, actual=shard.total_before)
    whole.total_after = whole.total_after if shard.total_after is None else shard.total_after


def _join_bindings(shard: Shard, batch_no: int, books: Books, findings: Findings) -> None:
    """The same comparison as between two leaves, with all that was before as the first of them."""
    for who, account in _pairs(shard.bindings, BINDING_KEY_BYTES):
        known = books.bindings.setdefault(who, account)
        if known != account:
            place = f"memberRef 0x{who[:WORD_BYTES].hex()}"
            findings.add("member-of-another", batch_no, place, expected=known, actual=account)
    for holding, ref in _pairs(shard.holders, HOLDER_KEY_BYTES):
        known = books.holders.setdefault(holding, ref)
        if known != ref:
            account = holding[:WORD_BYTES]
            findings.add("member-of-another", batch_no, "memberRef", expected=known, actual=ref, account=account)


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
    )


def _check_totals(header: BatchHeader, whole: Whole, books: Books, findings: Findings) -> None:
    opening = header.total_points if whole.total_before is None else whole.total_before
    if books.total_points is not None and opening != books.total_points:
        findings.add("total-open", header.batch_no, "totalPoints", expected=books.total_points, actual=opening)
    if whole.total_after is not None and whole.total_after != header.total_points:
        findings.add(
            "total-close", header.batch_no, "header.totalPoints", expected=whole.total_after, actual=header.total_points
        )


def _move(books: Books, header: BatchHeader, reader: Reader) -> None:
    books.rows = {row.account: row for row in reader.rows}
    books.total_points = header.total_points

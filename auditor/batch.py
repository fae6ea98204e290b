"""One batch: its file against its header, its leaves shard by shard, and its accounts against the batch before.

The shards judge what a leaf and its neighbour tell (`scan`); here they are joined, held against the books, and the
parts that are few are checked directly: rows, totals, nets (`rows`, `nets`). Whatever is found, the books move on to
what was published. Called by `audit`. Source: protocol §6, checks 6 to 18 and 25.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from auditor.books import Books
from auditor.chain import Commit
from auditor.fetch import Plain
from auditor.findings import Findings
from auditor.nets import check_nets
from auditor.registry import Registry
from auditor.rows import check_points, check_rows
from auditor.scan import Job, Shard, scan, subtree_root
from auditor.segments import Segment, join
from proofs.accounts import LANE, MEMBER
from proofs.lpb1 import FileError, Reader, open_file
from proofs.messages import BatchHeader
from proofs.words import ZERO_WORD

SHARD_LEAVES_MAX = 2**12
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


def audit_batch(commit: Commit, plain: Plain, books: Books, context: Context, findings: Findings) -> Shard:
    """Check one batch and move the books past it. Returns the batch as one shard, for the report's figures."""
    header = commit.header
    with plain.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        view = memoryview(data)
        try:
            reader = open_file(view)
        except FileError as error:
            findings.add("file-malformed", header.batch_no, "file", expected="an LPB1 file", actual=error)
            books.lose()
            return Shard()
        finally:
            view.release()
    _check_file(header, reader, findings)
    jobs = _jobs(header, reader, plain, context)
    whole = _join_all(_ticking(context, context.run(scan, jobs)), header, findings)
    _check_openings(header.batch_no, whole.segments, books, findings)
    _check_totals(header, whole, books, findings)
    _check_bindings(header.batch_no, whole, books, findings)
    books.take_members(whole.segments)
    check_rows(
        header,
        reader.rows,
        whole.segments,
        books=books,
        batch_secret=plain.batch_secret,
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
    return [
        Job(
            path=plain.path,
            records_at=reader.records_at,
            start=start,
            stop=min(start + context.shard_leaves_max, reader.leaf_count),
            batch_no=header.batch_no,
            first_leaf_no=header.first_leaf_no,
            sealed_at=header.sealed_at,
            batch_secret=plain.batch_secret,
            separator=context.separator,
            registry=context.registry,
        )
        for start in range(0, reader.leaf_count, context.shard_leaves_max)
    ]


def _ticking(context: Context, shards: Iterable[Shard]) -> Iterator[Shard]:
    for shard in shards:
        context.tick(shard.leaves)
        yield shard


def _join_all(shards: Iterable[Shard], header: BatchHeader, findings: Findings) -> Shard:
    """All shards as one, in order; what does not meet is found here exactly as it would be inside a shard."""
    whole, roots = Shard(findings=findings), []
    for shard in shards:
        roots.append(shard.root)
        findings.extend(shard.findings)
        _join_segments(whole, shard, header.batch_no)
        _join_totals(whole, shard, header)
        _join_bindings(whole, shard, header.batch_no)
        whole.gross_cash += shard.gross_cash
        whole.good_signatures += shard.good_signatures
    whole.root = subtree_root(roots)
    if whole.root != header.leaves_root:
        findings.add("leaves-root", header.batch_no, "leavesRoot", expected=whole.root, actual=header.leaves_root)
    return whole


def _join_segments(whole: Shard, shard: Shard, batch_no: int) -> None:
    for account, later in shard.segments.items():
        earlier = whole.segments.get(account)
        if earlier is None:
            whole.segments[account] = later
            continue
        if later.opening != earlier.closing:
            code = "lane-step" if account[0] == LANE else "posting-step"
            _unmet(whole.findings, code, batch_no, later, expected=earlier.closing, account=account)
        _check_issuer(whole.findings, batch_no, later, account=account, issuer_id=earlier.issuer_id)
        whole.segments[account] = join(earlier, later)


def _join_totals(whole: Shard, shard: Shard, header: BatchHeader) -> None:
    if whole.total_after is None:
        whole.total_before = shard.total_before
    elif shard.total_before is not None and whole.total_after != shard.total_before:
        place = "totalPointsAfter between shards"
        whole.findings.add("total-step", header.batch_no, place, expected=whole.total_after, actual=shard.total_before)
    whole.total_after = whole.total_after if shard.total_after is None else shard.total_after


def _join_bindings(whole: Shard, shard: Shard, batch_no: int) -> None:
    for who, account in shard.bindings.items():
        known = whole.bindings.setdefault(who, account)
        if known != account:
            whole.findings.add(
                "member-of-another", batch_no, f"memberRef 0x{who[0].hex()}", expected=known, actual=account
            )
    for holding, ref in shard.holders.items():
        known = whole.holders.setdefault(holding, ref)
        if known != ref:
            whole.findings.add(
                "member-of-another", batch_no, "memberRef", expected=known, actual=ref, account=holding[0]
            )


def _check_openings(batch_no: int, segments: dict[bytes, Segment], books: Books, findings: Findings) -> None:
    for account, segment in segments.items():
        kind = account[0]
        if kind != MEMBER and books.rows is not None and account not in books.rows:
            findings.add(
                "account-without-row",
                batch_no,
                f"rows of batch {batch_no - 1}",
                expected="a row",
                actual="none",
                leaf_no=segment.first_leaf_no,
                account=account,
            )
        known = books.standing(account)
        if known is not None and known != segment.opening:
            code = {MEMBER: "member-open", LANE: "lane-open"}.get(kind, "row-open")
            _unmet(findings, code, batch_no, segment, expected=known, account=account)
        _check_issuer(findings, batch_no, segment, account=account, issuer_id=books.issuers.get(account, 0))


def _check_issuer(findings: Findings, batch_no: int, later: Segment, *, account: bytes, issuer_id: int) -> None:
    """An account that holds points of one issuer (`issuer_id`, 0 if none is known) never takes another's: one issuer's
    debt would be paid with what another owes.
    """
    if 0 not in {issuer_id, later.issuer_id} and later.issuer_id != issuer_id:
        findings.add(
            "points-of-another",
            batch_no,
            "member",
            expected=f"points of issuer {issuer_id}",
            actual=later.issuer_id,
            leaf_no=later.first_leaf_no,
            account=account,
        )


def _unmet(findings: Findings, code: str, batch_no: int, later: Segment, *, expected: object, account: bytes) -> None:
    findings.add(
        code,
        batch_no,
        "chain",
        expected=expected,
        actual=later.opening,
        leaf_no=later.first_leaf_no,
        account=account,
    )


def _check_totals(header: BatchHeader, whole: Shard, books: Books, findings: Findings) -> None:
    opening = header.total_points if whole.total_before is None else whole.total_before
    if books.total_points is not None and opening != books.total_points:
        findings.add("total-open", header.batch_no, "totalPoints", expected=books.total_points, actual=opening)
    if whole.total_after is not None and whole.total_after != header.total_points:
        findings.add(
            "total-close", header.batch_no, "header.totalPoints", expected=whole.total_after, actual=header.total_points
        )


def _check_bindings(batch_no: int, whole: Shard, books: Books, findings: Findings) -> None:
    """The same comparison as between shards, with the books as the shard before."""
    known = Shard(bindings=books.bindings, holders=books.holders, findings=findings)
    _join_bindings(known, whole, batch_no)


def _move(books: Books, header: BatchHeader, reader: Reader) -> None:
    books.rows = {row.account: row for row in reader.rows}
    books.total_points = header.total_points

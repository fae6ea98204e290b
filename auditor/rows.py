"""Checks 15 and 17: the account rows of a batch, between the rows before and the leaves of the batch.

Every row is either where its account's last posting left it, or exactly as before, or new and unused; none disappears.
Called by `batch`. Source: protocol §2.6, §3.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from auditor.books import Books, points_balances, row_standing, well_formed
from auditor.findings import Findings
from auditor.registry import Registry
from auditor.segments import UNUSED, Segment, leaf_of, told
from proofs.accounts import LANE, lane_account
from proofs.lpb1 import Row
from proofs.messages import BatchHeader
from proofs.tree import root_of


def check_rows(
    header: BatchHeader,
    rows: Sequence[Row],
    segments: Mapping[bytes, Segment],
    *,
    books: Books,
    batch_secret: bytes,
    registry: Registry,
    findings: Findings,
) -> None:
    """Check 15; `books` still hold the rows of the batch before."""
    _check_tree(header, rows, batch_secret, findings)
    for before, after in pairwise(rows):
        if before.account >= after.account:
            _add(findings, "row-order", header, after.account, expected="strictly ascending", actual=before.account)
    for row in rows:
        _check_row(header, row, segments.get(row.account), books, findings)
    due = set(segments) | set(books.rows or ())
    due |= {lane_account(*lane) for lane in registry.lanes_before(header.opened_at)}
    for account in sorted(due - {row.account for row in rows}):
        touched = [segments[account].first_leaf_no] if account in segments else []
        findings.add(
            "row-missing", header.batch_no, "rows", expected="a row", actual="none", account=account, also=touched
        )


def check_points(header: BatchHeader, rows: Sequence[Row], books: Books, findings: Findings) -> None:
    """Check 17; `books` already hold the members as this batch leaves them."""
    outstanding = points_balances(rows)
    if sum(outstanding.values()) != header.total_points:
        place = "sum of the points rows"
        findings.add(
            "points-sum", header.batch_no, place, expected=header.total_points, actual=sum(outstanding.values())
        )
    for issuer, points in outstanding.items():
        if books.complete and points < -books.debts[issuer]:
            place, least = f"points of issuer {issuer}", -books.debts[issuer]
            findings.add("issuer-below-debts", header.batch_no, place, expected=f"{least} or more", actual=points)


def _check_tree(header: BatchHeader, rows: Sequence[Row], batch_secret: bytes, findings: Findings) -> None:
    if len(rows) != header.accounts_count:
        findings.add("row-count", header.batch_no, "accountsCount", expected=len(rows), actual=header.accounts_count)
    root = root_of([row.row_hash(batch_secret) for row in rows])
    if root != header.accounts_root:
        findings.add("accounts-root", header.batch_no, "accountsRoot", expected=root, actual=header.accounts_root)


def _check_row(header: BatchHeader, row: Row, segment: Segment | None, books: Books, findings: Findings) -> None:
    actual = row_standing(row)
    if not well_formed(row.account) or (row.account[0] == LANE and row.balance):
        _add(
            findings, "row-account", header, row.account, expected="a lane, points or cash account", actual=told(actual)
        )
    if segment is not None:
        code, due = "row-close", segment.closing
    elif books.rows is None:
        return
    else:
        code = "row-carry" if row.account in books.rows else "row-new"
        due = books.row_standing(row.account) or UNUSED
    if actual != due:
        also = [leaf_of(due), leaf_of(actual)]
        findings.add(
            code,
            header.batch_no,
            "rows",
            expected=told(due),
            actual=told(actual),
            account=row.account,
            also=also,
        )


def _add(
    findings: Findings, code: str, header: BatchHeader, account: bytes, *, expected: object, actual: object
) -> None:
    findings.add(code, header.batch_no, "rows", expected=expected, actual=actual, account=account)

"""A batch of the worked example: clean as it is, and the four drills that the protocol itself gives."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from auditor.batch import Context, Whole, close_batch, open_batch
from auditor.books import Books
from auditor.chain import Commit
from auditor.fetch import Plain
from auditor.findings import Findings
from auditor.headers import HeaderWalk
from auditor.originals import Originals
from auditor.relations import Relations
from auditor.scan import record_hashes
from proofs.kinds import Kind
from proofs.lpb1 import Record
from tests.auditor import ex1


def audit_batch(commit: Commit, plain: Plain, books: Books, context: Context, findings: Findings) -> Whole:
    """One batch, opened and closed."""
    with Originals(plain.path.with_name("originals")) as originals:
        relations = Relations(originals, context.registry.terms)
        return close_batch(open_batch(commit, plain, context, findings), books, relations, context)


def audited(
    folder: Path, records: list[Record] | None = None, books: Books | None = None, *, shard_leaves_max: int = 16
) -> tuple[Whole, Findings]:
    findings = Findings()
    context = Context(ex1.SEPARATOR, ex1.registry(), shard_leaves_max=shard_leaves_max)
    whole = audit_batch(ex1.commit(), ex1.plain(folder, records), books or ex1.opening(), context, findings)
    return whole, findings


def test_the_example_is_clean(tmp_path: Path) -> None:
    books = ex1.opening()
    whole, findings = audited(tmp_path, books=books)
    assert findings.kept == []
    assert (whole.good_signatures, whole.gross_cash, whole.total_after) == (6, 4_500_000, 400)
    assert (books.total_points, books.settled_batch) == (400, 1)
    assert books.settled_cash == {1: -1_500_000, 2: -500_000, 3: 2_000_000}
    assert sorted(balance for balance in books.balances()) == [50, 350]


def test_headers_of_the_example_are_clean() -> None:
    findings = Findings()
    walk = HeaderWalk(ex1.CHAIN_ID, ex1.HUB, findings)
    for header in (ex1.GENESIS, ex1.HEADER):
        walk.take(replace(ex1.commit(), header=header, header_hash=header.hash_struct()))
    assert findings.kept == []


@pytest.mark.parametrize("at", range(6))
def test_hashes_straight_from_the_words(at: int) -> None:
    record = ex1.RECORDS[at]
    event_hash, leaf = record_hashes(record.to_bytes(), ex1.SECRET)
    assert event_hash == ex1.raw(ex1.EX1["leaves"][at]["eventHash"])
    assert leaf == ex1.raw(ex1.EX1["leaves"][at]["leafHash"]) == record.leaf(ex1.SECRET).hash_struct()


@pytest.mark.parametrize("shard_leaves_max", [1, 2, 4])
def test_the_verdict_does_not_depend_on_how_leaves_are_divided(tmp_path: Path, shard_leaves_max: int) -> None:
    books = ex1.opening()
    whole, findings = audited(tmp_path, books=books, shard_leaves_max=shard_leaves_max)
    assert findings.kept == []
    assert (whole.total_after, books.total_points) == (400, 400)


def test_other_processes_come_to_the_same_verdict(tmp_path: Path) -> None:
    records = list(ex1.RECORDS)
    false_debtor(records)
    here = audited(tmp_path, records, shard_leaves_max=2)[1]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        context = Context(ex1.SEPARATOR, ex1.registry(), pool.map, shard_leaves_max=2)
        there = Findings()
        audit_batch(ex1.commit(), ex1.plain(tmp_path, records), ex1.opening(), context, there)
    assert there.kept == here.kept != []


def false_debtor(records: list[Record]) -> None:
    debtor = records[4].debtor
    assert debtor is not None
    records[4] = replace(records[4], debtor=replace(debtor, balance=-400_000))


def void_leaf_4(records: list[Record]) -> None:
    event = replace(
        records[3].event,
        kind=Kind.VOID,
        issuer_id=0,
        points=0,
        terms_id=0,
        settle_amount=0,
        member_ref=bytes(32),
    )
    records[3] = replace(records[3], event=event, issuer=None, debtor=None, creditor=None, member=None)


def third_level(records: list[Record]) -> None:
    records[5] = replace(records[5], event=replace(records[5].event, level=3))


@pytest.mark.parametrize("shard_leaves_max", [1, 2, 16])
@pytest.mark.parametrize(
    ("drill", "code", "fraud_code"),
    [
        (false_debtor, "posting-step", 5),
        (void_leaf_4, "row-close", 7),
        (void_leaf_4, "posting-step", 5),
        (third_level, "level-for-campaign", 3),
    ],
)
def test_drills_of_the_example(
    tmp_path: Path,
    drill: Callable[[list[Record]], None],
    code: str,
    fraud_code: int,
    shard_leaves_max: int,
) -> None:
    records = list(ex1.RECORDS)
    drill(records)
    _, findings = audited(tmp_path, records, shard_leaves_max=shard_leaves_max)
    found = [finding for finding in findings.kept if finding.code == code]
    assert found
    assert found[0].rule.fraud_code == fraud_code


def test_a_false_net_names_both_merchants(tmp_path: Path) -> None:
    """m1 -1,600,000 and m2 -400,000: the sum is still zero, the difference of the cash rows is not that."""
    findings = Findings()
    books = ex1.opening()
    books.settled_cash = {1: 100_000, 2: -100_000}
    audit_batch(ex1.commit(), ex1.plain(tmp_path), books, Context(ex1.SEPARATOR, ex1.registry()), findings)
    assert [(finding.code, finding.place) for finding in findings.kept] == [
        ("net-wrong", "net of merchant 1"),
        ("net-wrong", "net of merchant 2"),
    ]

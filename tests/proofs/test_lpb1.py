"""The published file: what is written is what is read, and nothing else is read."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.lpb1 import RECORD_BYTES, BatchFile, FileError, Record, Row, Step, open_file, parse_record
from proofs.messages import AccountRow, BatchHeader, PointsEvent, Posting
from tests.proofs.test_ex1 import EX1, raw, struct_of

SECRET = raw(EX1["secrets"]["batch"])


def step_of(vector: dict[str, str] | None) -> Step | None:
    """A step from a posting of the vector file."""
    if vector is None:
        return None
    posting = struct_of(Posting, vector)
    return Step(posting.account, posting.seq, posting.prev_leaf_no, posting.delta, posting.balance)


def ex1_file() -> BatchFile:
    """EX1 as a file."""
    records = [
        Record(
            struct_of(PointsEvent, leaf["event"]),
            raw(leaf["leaf"]["sigR"]),
            raw(leaf["leaf"]["sigVS"]),
            step_of(leaf["postings"]["issuer"]),
            step_of(leaf["postings"]["debtor"]),
            step_of(leaf["postings"]["creditor"]),
            step_of(leaf["postings"]["member"]),
            total_points_after=int(leaf["leaf"]["totalPointsAfter"]),
            leaf_no=int(leaf["leaf"]["leafNo"]),
            lane_prev_leaf_no=int(leaf["leaf"]["lanePrevLeafNo"]),
        )
        for leaf in EX1["leaves"]
    ]
    rows = [struct_of(AccountRow, row) for row in EX1["rows"]]
    nets = [(int(net["merchantId"]), int(net["amount"])) for net in EX1["nets"]]
    return BatchFile(
        struct_of(BatchHeader, EX1["header"]),
        [Row(r.account, r.seq, r.last_leaf_no, r.balance) for r in rows],
        nets,
        records,
    )


def test_what_is_written_is_read() -> None:
    file = ex1_file()
    reader = open_file(file.to_bytes())
    assert reader.header == dataclasses.replace(file.header, data_hash=bytes(32))
    assert (reader.rows, reader.nets, list(reader.records())) == (file.rows, file.nets, file.records)
    assert [record.leaf(SECRET).hash_struct() for record in reader.records()] == [
        raw(leaf["leafHash"]) for leaf in EX1["leaves"]
    ]
    assert [row.row_hash(SECRET) for row in reader.rows] == [raw(row["hash"]) for row in EX1["rows"]]


def test_a_record_is_1280_bytes() -> None:
    assert RECORD_BYTES == 1280 == len(ex1_file().records[0].to_bytes())


@given(cut=st.integers(0, 9000))
def test_a_file_cut_anywhere_is_refused(cut: int) -> None:
    data = ex1_file().to_bytes()
    with pytest.raises(FileError):
        open_file(data[: min(cut, len(data) - 1)])


@pytest.mark.parametrize("at", [0, 4, 11, 15, 19, 20, 31])
def test_a_prelude_that_lies_is_refused(at: int) -> None:
    data = bytearray(ex1_file().to_bytes())
    data[at] ^= 0x40
    with pytest.raises(FileError):
        open_file(bytes(data))


@given(at=st.integers(0, RECORD_BYTES - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_record_is_seen(at: int, bit: int) -> None:
    record = ex1_file().records[2]
    data = bytearray(record.to_bytes())
    data[at] ^= 1 << bit
    try:
        assert parse_record(bytes(data)) != record
    except FileError:
        return

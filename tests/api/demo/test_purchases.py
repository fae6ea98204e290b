"""Every way a line or a file can be wrong, and that the lines around it are read all the same."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.demo.purchases import (
    AMOUNT_MINOR_MAX,
    EVENT_COLUMNS,
    LINE_BYTES_MAX,
    LINK_COLUMNS,
    FileRefused,
    Purchase,
    Rejects,
    read_links,
    read_purchases,
    survey,
)

LATEST = datetime(2026, 6, 1, tzinfo=UTC)
HEAD = ",".join(EVENT_COLUMNS).encode()
GOOD = b"e1,2016-01-01T00:00:00Z,purchase,shop,m1,500,GBP,ref-1"
LAST = b"e9,2016-01-02T00:00:00Z,refund,shop,m1,100,GBP,ref-9"

Read = Callable[[bytes], tuple[list[Purchase], list[dict[str, Any]]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads bytes as an events file: what was taken, what was rejected."""

    def reading(content: bytes) -> tuple[list[Purchase], list[dict[str, Any]]]:
        path = tmp_path / "events.csv"
        path.write_bytes(content)
        with Rejects(tmp_path / "var" / "rejects.jsonl") as rejects:
            taken = list(read_purchases(path, rejects, currency="GBP", latest=LATEST))
        return taken, [json.loads(line) for line in rejects.path.read_text().splitlines()]

    return reading


def lines(*rows: bytes) -> bytes:
    """A file of these lines."""
    return b"\n".join(rows) + b"\n"


def test_a_good_file_is_taken_whole(read: Read) -> None:
    taken, rejected = read(lines(HEAD, GOOD, LAST))
    purchase = Purchase(2, "e1", 1_451_606_400_000, "purchase", "shop", "m1", 500, "GBP", "ref-1", GOOD.decode())
    assert taken[0] == purchase
    assert [purchase.event_id for purchase in taken] == ["e1", "e9"]
    assert rejected == []


def changed(**fields: str) -> bytes:
    """The good line under the id e2, with some fields changed."""
    values = dict(zip(EVENT_COLUMNS, GOOD.decode().split(","), strict=True)) | {"event_id": "e2"} | fields
    return ",".join(values.values()).encode()


BAD_LINES = [
    (changed(occurred_at="2016-02-30T00:00:00Z"), "date"),
    (changed(occurred_at="01/02/2016"), "date"),
    (changed(occurred_at="2016-01-01T00:00:00"), "date"),
    (changed(occurred_at="2016-01-01"), "date"),
    (changed(occurred_at="2016-W01-1T00:00:00Z"), "date"),
    (changed(occurred_at="2016-01-01T24:00:00Z"), "date"),
    (changed(occurred_at="2016-01-01T00:00:00+99:00"), "date"),
    (changed(occurred_at="0001-01-01T00:00:00+14:00"), "date"),
    (changed(occurred_at="1999-12-31T23:59:59Z"), "date"),
    (changed(occurred_at="2026-06-01T00:00:01Z"), "date"),
    (changed(occurred_at=""), "date"),
    (changed(amount_minor="-1"), "amount"),
    (changed(amount_minor="0"), "amount"),
    (changed(amount_minor=str(AMOUNT_MINOR_MAX + 1)), "amount"),
    (changed(amount_minor="9" * 60), "amount"),
    (changed(amount_minor="1.5"), "amount"),
    (changed(amount_minor="1e3"), "amount"),
    (changed(amount_minor=" 5"), "amount"),
    (changed(amount_minor="5\u0665"), "amount"),
    (changed(amount_minor=""), "amount"),
    (changed(kind="gift"), "kind"),
    (changed(kind="Purchase"), "kind"),
    (changed(kind=""), "kind"),
    (changed(event_id=""), "id"),
    (changed(event_id="redeem:e1"), "id"),
    (changed(merchant=""), "id"),
    (changed(member=""), "id"),
    (changed(member="a b"), "id"),
    (changed(member="\u738b"), "id"),
    (changed(merchant="x" * 65), "id"),
    (changed(currency="USD"), "currency"),
    (changed(currency="gbp"), "currency"),
    (changed(currency=""), "currency"),
    (changed(event_id="e1"), None),
    (changed(event_id="e1", amount_minor="501"), "duplicate-id"),
    (changed(event_id="e1", kind="refund"), "duplicate-id"),
    (changed(event_id="e1", source_ref="other"), "duplicate-id"),
    (changed(source_ref="r" * 201), "source-ref"),
    (changed(source_ref="a\tb"), "source-ref"),
    (b"", "columns"),
    (b"e2,2016-01-01T00:00:00Z,purchase,shop,m1,500,GBP", "columns"),
    (changed() + b",more", "columns"),
    (changed().replace(b"shop", b"sh\xff\xfep"), "utf-8"),
    (changed(source_ref='"open'), "quoting"),
    (changed(source_ref="r" * LINE_BYTES_MAX * 3), "long"),
    (changed(source_ref="r" * (LINE_BYTES_MAX - len(changed(source_ref="")))), "long"),
]


@pytest.mark.parametrize(("bad", "code"), BAD_LINES, ids=[f"{n}-{code}" for n, (_, code) in enumerate(BAD_LINES)])
def test_a_bad_line_is_refused_by_number_and_reason_and_the_rest_goes_on(
    read: Read, bad: bytes, code: str | None
) -> None:
    taken, rejected = read(lines(HEAD, GOOD, bad, LAST))
    assert [purchase.event_id for purchase in taken] == ["e1", "e9"]
    assert [(row["file"], row["line"], row["code"]) for row in rejected] == ([("events.csv", 3, code)] if code else [])
    assert all(row["reason"] for row in rejected)


@pytest.mark.parametrize("amount", [1, AMOUNT_MINOR_MAX])
def test_amounts_at_the_limits_are_taken(read: Read, amount: int) -> None:
    taken, _ = read(lines(HEAD, changed(amount_minor=str(amount))))
    assert [purchase.amount_minor for purchase in taken] == [amount]


def test_offsets_fractions_quotes_and_other_line_ends_are_understood(read: Read) -> None:
    row = b'e2,2016-01-01T01:00:00.25+01:00,purchase,shop,m1,500,GBP,"one, two"'
    taken, rejected = read(b"\xef\xbb\xbf" + b"\r\n".join([HEAD, row, LAST]))
    assert [(purchase.at_ms, purchase.source_ref) for purchase in taken] == [
        (1_451_606_400_250, "one, two"),
        (1_451_692_800_000, "ref-9"),
    ]
    assert rejected == []


def test_a_truncated_gzip_gives_its_whole_lines_and_says_where_it_broke(read: Read) -> None:
    many = [changed(event_id=f"e{number}", source_ref=f"{number * 7919:x}") for number in range(2_000)]
    whole = gzip.compress(lines(HEAD, *many))
    taken, rejected = read(whole[: len(whole) // 2])
    assert 100 < len(taken) < 2_000
    assert [purchase.event_id for purchase in taken] == [f"e{number}" for number in range(len(taken))]
    assert [(row["line"], row["code"]) for row in rejected] == [(len(taken) + 2, "truncated")]


def test_a_damaged_gzip_is_reported(read: Read) -> None:
    whole = bytearray(gzip.compress(lines(HEAD, GOOD, LAST)))
    whole[-6] ^= 1
    taken, rejected = read(bytes(whole))
    assert [purchase.event_id for purchase in taken] == ["e1", "e9"]
    assert [row["code"] for row in rejected] == ["damaged"]


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n", lines(*[GOOD] * 2), gzip.compress(b"", mtime=0)[:12], lines(HEAD[:-4])],
    ids=["empty", "two columns", "no header", "broken gzip", "short header"],
)
def test_a_file_of_another_shape_is_refused_as_a_whole(read: Read, content: bytes) -> None:
    with pytest.raises(FileRefused):
        read(content)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="nowhere"):
        survey(tmp_path / "nowhere.csv", LATEST)


def test_a_survey_names_who_takes_part_and_the_usual_currency(tmp_path: Path) -> None:
    path = tmp_path / "events.csv.gz"
    path.write_bytes(gzip.compress(lines(HEAD, changed(currency="USD"), GOOD, changed(merchant="b", member="n"))))
    found = survey(path, LATEST)
    assert (found.events, found.merchants, found.members, found.currency) == (3, ("shop", "b"), ("m1", "n"), "GBP")


def test_a_survey_of_nothing_but_bad_lines_refuses_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(lines(HEAD, b"x"))
    with pytest.raises(FileRefused, match="no line"):
        survey(path, LATEST)


def test_links_are_read_and_bad_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "refund_links.csv"
    good = (b"r1,p1,exact", b"r2,,none", b"r3,p3,partial", b"r1,p1,exact")
    bad = (b"r1,p2,exact", b"r4,p4,none", b"r5,,exact", b"r6,p6,perhaps", b",p7,exact", b"r8,p8")
    path.write_bytes(lines(",".join(LINK_COLUMNS).encode(), *good, *bad))
    with Rejects(tmp_path / "rejects.jsonl") as rejects:
        assert read_links(path, rejects) == {"r1": "p1", "r3": "p3"}
    codes = [(row["line"], row["code"]) for row in map(json.loads, rejects.path.read_text().splitlines())]
    assert codes == [(6, "duplicate-id"), (7, "match"), (8, "match"), (9, "match"), (10, "id"), (11, "columns")]

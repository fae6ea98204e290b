"""docs/pitfalls.md cannot lie: each pitfall of protocol §8 has its row, each language its cell, and each test that is
named there exists in a file that the suite runs. The reading itself is seen to find what is wrong.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pitfall_table import NAMED, PAGE, PROTOCOL, ROOT, SUBMITTER, missing, never_passed, objections, rows

VECTORS_MIN = 7
SECTION_8 = (
    "second preimage",
    "CVE-2012-2459",
    "sorted pairs",
    "length, index and size",
    "cross-tree",
    "JSON and ABI",
    "packed encoding",
    "replay on another chain",
    "changed chain id",
    "malleable",
    "ecrecover 0",
    "one signer twice",
    "key revocation race",
    "reorganisation",
    "fee on transfer",
    "rounding",
    "unbounded loops",
    "negative in a sum tree",
    "clash",
    "pause",
    "upgrade",
    "calldata floor",
)


TABLE = rows(PAGE, "Table")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_each_cell_names_tests_that_are_there_or_says_why_not(row: list[str]) -> None:
    assert list(objections(row)) == []


def test_every_pitfall_of_the_protocol_has_its_row() -> None:
    told = [row[0] for row in TABLE]
    assert [pitfall for pitfall in SECTION_8 if not any(each.startswith(pitfall) for each in told)] == []
    assert len(told) == len(set(told))


def test_each_wrong_byte_has_its_tests() -> None:
    for what, _, cell in rows(PAGE, "A wrong byte anywhere"):
        named = NAMED.findall(cell)
        assert named, what
        assert [wrong for file, name in named for wrong in missing(file, name)] == []


def test_each_rule_of_the_submitter_has_its_tests() -> None:
    table = rows(PROTOCOL, SUBMITTER)
    assert [row[0] for row in table] == [f"R{number}" for number in range(1, 10)]
    for rule, _, where, cell in table:
        named = NAMED.findall(cell)
        assert named, rule
        assert [wrong for file, name in named for wrong in missing(file, name)] == []
        kept = re.findall(r"`([\w/]+)`", where)
        assert [each for each in kept if not (ROOT / "settlement" / f"{each}.py").exists()] == []


def test_every_file_of_vectors_is_told_of() -> None:
    told = re.findall(r"`([\w*]+\.json)`", PAGE)
    present = sorted(path.name for path in (ROOT / "proofs" / "vectors").glob("*.json"))
    assert len(present) > VECTORS_MIN
    assert [name for name in present if not any(Path(name).match(each) for each in told)] == []


GOOD_ROW = next(row for row in TABLE if row[0].startswith("sorted pairs"))
SPOILT = [
    ("a dash", 1, "-"),
    ("a test that is gone", 1, "`test_tree: a path that nobody ever tried`"),
    ("a file that is gone", 1, "`test_trees: a node is no leaf at any level`"),
    ("another language's test", 2, "`test_tree: a node is no leaf at any level`"),
    ("a member's test under Solidity", 2, "`member.test: refuse what fits no word`"),
    ("a name in part", 3, "`tree.test: takes no inner node`"),
    ("a function of Solidity that is none", 2, "`PositionalTree: AnInnerNode`"),
    ("a file of two", 3, "`JS`"),
]


@pytest.mark.parametrize(("what", "at", "cell"), SPOILT, ids=[what for what, _, _ in SPOILT])
def test_a_false_cell_is_found(what: str, at: int, cell: str) -> None:
    assert list(objections(GOOD_ROW)) == []
    spoilt = [*GOOD_ROW[:at], cell, *GOOD_ROW[at + 1 :]]
    assert list(objections(spoilt)) != [], what
    assert list(objections(GOOD_ROW[:-1])) != []


def test_what_is_there_and_did_not_pass_is_found() -> None:
    """By the words of the runners; `everything` asks after each whole run."""
    python = [
        "tests.proofs.test_tree test_a_node_is_no_leaf_at_any_level",
        "tests.x.test_files test_y[a length beyond all bounds]",
    ]
    others = ["  ✔ takes no inner node for an item, at any level (5ms)", "✔ fails at some step, of leaf 3 (4ms)"]
    unseen = never_passed(python, python=True), never_passed(others, python=False)
    assert "test_tree: a node is no leaf at any level" not in unseen[0]
    assert "test_files: a length beyond all bounds" not in unseen[0]
    assert "test_tree: an odd last leaf is promoted never doubled" in unseen[0]
    assert "tree.test: takes no inner node for an item, at any level" not in unseen[1]
    assert "member.test: fails at some step, of leaf ${leafNo}" not in unseen[1]
    assert "PositionalTree: AnInnerNodeIsNoItem" in unseen[1]

"""docs/pitfalls.md cannot lie: each pitfall of protocol §8 has its row, each language its cell, and each test that is
named there exists in a file that the suite runs. The reading itself is seen to find what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "pitfalls.md").read_text()
LANGUAGES = ("Python", "Solidity", "JavaScript")
NAMED = re.compile(r"`([\w./]+): ([^`]+)`")
WHY_WORDS_MIN = 6
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


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table below a heading, without its first two lines."""
    lines = [
        line for line in text.split(f"## {head}\n", 1)[1].split("\n## ", 1)[0].splitlines() if line.startswith("|")
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@cache
def files() -> dict[str, list[Path]]:
    """Test files by their name without its ending, where their runners look for them."""
    scripts = " ".join(json.loads((ROOT / "package.json").read_text())["scripts"].values())
    globs = ["hardhat/test/*.t.sol", *re.findall(r"[\w/]+/\*\.test\.mjs", scripts)]
    found: dict[str, list[Path]] = {}
    for path in [*(ROOT / "tests").rglob("test_*.py"), *(path for each in globs for path in ROOT.glob(each))]:
        found.setdefault(re.sub(r"\.(py|mjs|t\.sol)$", "", path.name), []).append(path)
    return found


def has(path: Path, name: str) -> bool:
    """Whether this file has a test, or a line of a table of tests, of this name."""
    text = path.read_text()
    if path.suffix == ".sol":
        return re.search(rf"function test(Fuzz)?_{re.escape(name)}\(", text) is not None
    if path.suffix == ".mjs":
        return any(
            f"{before}{quote}{name}{quote}" in text for quote in '"`' for before in ("it(", "describe(", "[", "  ")
        )
    return f"def test_{name.replace(' ', '_')}(" in text or f'    "{name}": ' in text


def language_of(path: Path) -> set[str]:
    """Which columns a file may stand in: what runs in Hardhat asks the contracts and JavaScript."""
    if path.suffix == ".py":
        return {"Python"}
    if path.suffix == ".sol":
        return {"Solidity"}
    return {"Solidity", "JavaScript"} if "hardhat" in path.parts else {"JavaScript"}


def objections(row: list[str]) -> Iterator[str]:
    """What is wrong with one row of the table of pitfalls."""
    if len(row) != 1 + len(LANGUAGES):
        yield f"{row[0]}: {len(row)} cells"
        return
    for language, cell in zip(LANGUAGES, row[1:], strict=True):
        named = NAMED.findall(cell)
        if not named and len(re.findall(r"\w+", cell)) < WHY_WORDS_MIN:
            yield f"{row[0]}, {language}: neither a test nor a reason"
        for file, name in named:
            yield from (f"{row[0]}, {language}: {wrong}" for wrong in missing(file, name, language))


def missing(file: str, name: str, language: str | None = None) -> Iterator[str]:
    """Why this is no test of that language."""
    folder, _, stem = file.rpartition("/")
    paths = [path for path in files().get(stem, []) if folder in {"", path.parent.name}]
    if len(paths) != 1:
        yield f"{file} names {len(paths)} files"
    elif not has(paths[0], name):
        yield f"{file} has no test {name!r}"
    elif language is not None and language not in language_of(paths[0]):
        yield f"{file} is not {language}"


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

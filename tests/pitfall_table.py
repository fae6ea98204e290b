"""The tables of docs/pitfalls.md, of threats in docs/security.md and of the submitter's rules in docs/protocol.md, as
data: which tests they name, where those are, which of them have run.

`test_pitfalls` and `attacks/test_table` hold the pages against the sources; `everything` holds them against what
passed, so that a test which is there and is never run is found too. Reads the repository's files, nothing else.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "pitfalls.md").read_text()
THREATS = (ROOT / "docs" / "security.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
SUBMITTER = "§5 How a batch reaches the chain once"
TABLES = ((PAGE, "Table"), (PAGE, "A wrong byte anywhere"), (THREATS, "Threats"), (PROTOCOL, SUBMITTER))
LANGUAGES = ("Python", "Solidity", "JavaScript")
NAMED = re.compile(r"`([\w./]+): ([^`]+)`")
WHY_WORDS_MIN = 6
_BEFORE_A_NAME = ("it(", "describe(", "[", "  ")


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table below a heading, without its first two lines."""
    below = text.split(f"## {head}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
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


def at(file: str) -> list[Path]:
    """The files that a cell means."""
    folder, _, stem = file.rpartition("/")
    return [path for path in files().get(stem, []) if folder in {"", path.parent.name}]


def has(path: Path, name: str) -> bool:
    """Whether this file has a test, or a line of a table of tests, of this name."""
    text = path.read_text()
    if path.suffix == ".sol":
        return re.search(rf"function test(Fuzz)?_{re.escape(name)}\(", text) is not None
    if path.suffix == ".mjs":
        return any(f"{before}{quote}{name}{quote}" in text for quote in '"`' for before in _BEFORE_A_NAME)
    return f"def {function_of(name)}(" in text or f'    "{name}": ' in text


def function_of(name: str) -> str:
    """A test of Python by its words."""
    return f"test_{name.replace(' ', '_')}"


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
    paths = at(file)
    if len(paths) != 1:
        yield f"{file} names {len(paths)} files"
    elif not has(paths[0], name):
        yield f"{file} has no test {name!r}"
    elif language is not None and language not in language_of(paths[0]):
        yield f"{file} is not {language}"


def named_tests() -> list[tuple[str, str]]:
    """(file, name) of every test that a table names, each once, in order."""
    cells = [cell for page, head in TABLES for row in rows(page, head) for cell in row]
    return sorted({(file, name) for cell in cells for file, name in NAMED.findall(cell)})


def never_passed(passed: Iterable[str], *, python: bool) -> list[str]:
    """The named tests, of Python or of the others, that no line of `passed` tells of. A line is what a runner says of
    one passed test: module and name with its case by pytest, the words after the tick by the others.
    """
    said = "\n".join(passed)
    named = [(file, name) for file, name in named_tests() if (language_of(at(file)[0]) == {"Python"}) is python]
    return [f"{file}: {name}" for file, name in named if not re.search(_as_said(file, name, python=python), said)]


def _as_said(file: str, name: str, *, python: bool) -> str:
    words = ".+".join(re.escape(part) for part in re.split(r"\$\{\w+\}", name))
    if not python:
        return words
    stem = file.rsplit("/", maxsplit=1)[-1]
    return rf"(?m)\b{stem} (?:{re.escape(function_of(name))}(?:\[|$)|.*\[.*{words})"

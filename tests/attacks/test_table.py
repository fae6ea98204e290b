"""The tables of attacks in docs/auditor.md and docs/tier-attacks.md name tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "auditor.md"
TIERS = (ROOT / "docs" / "tier-attacks.md").read_text()
CASE = re.compile(r"`([\w.]+\.(?:py|mjs)): ([^`]+)`")
CASES_MIN = 60
NAMED = re.compile(r"`(test_\w+)\.py(?:: ([^`]+))?`")
ROWS_MIN = 15


def rows() -> list[str]:
    """The lines of the table, one for each attack."""
    text = PAGE.read_text().split("## Attacks", 1)[1].split("\n## ", 1)[0]
    return [line for line in text.splitlines() if re.match(r"\| \d", line)]


def test_every_attack_of_the_operator_has_its_test() -> None:
    numbers = {int(number) for line in rows() for number in re.findall(r"\d+", line.split("|")[1])}
    assert numbers >= {*range(1, 13), 25, 26, 29, 30, 31, 32}
    assert all(NAMED.search(line) for line in rows())


def test_every_test_that_the_table_names_is_there() -> None:
    named = [match.groups() for line in rows() for match in NAMED.finditer(line)]
    assert len(named) >= ROWS_MIN
    for module, name in named:
        text = (HERE / f"{module}.py").read_text()
        assert name is None or f'"{name}"' in text or f"def test_{name.replace(' ', '_')}(" in text, (module, name)


def test_every_case_against_tier_proofs_is_there() -> None:
    """Each row names at least one, by the words it has in its file."""
    for line in TIERS.splitlines():
        assert not re.match(r"\| (?!tried)\w", line) or CASE.search(line), line
    named = {match.groups() for match in CASE.finditer(TIERS)}
    assert len(named) >= CASES_MIN
    files = {path.name: path for folder in ("tests", "hardhat/test") for path in (ROOT / folder).rglob("*.*")}
    for file, name in sorted(named):
        text = files[file].read_text()
        function = re.sub(r"\W+", "_", name)
        assert f'"{name}"' in text or f"def test_{function}(" in text, (file, name)

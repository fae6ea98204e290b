"""The table of threats in docs/security.md has every row of the protocol's list (§7), that of docs/tier-attacks.md a
case for each of its own, and the tests that they name are there.
"""

from __future__ import annotations

import re

import pytest

from tests.pitfall_table import NAMED, ROOT, THREATS, missing, rows

ROWS = 38
WORDS = ("prevented", "found", "told", "borne", "accepted")
TABLE = rows(THREATS, "Threats")
TIERS = (ROOT / "docs" / "tier-attacks.md").read_text()
CASE = re.compile(r"`([\w.]+\.(?:py|mjs)): ([^`]+)`")
CASES_MIN = 60


def test_every_threat_has_its_row() -> None:
    assert [row[0] for row in TABLE] == [str(number) for number in range(1, ROWS + 1)]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"row {row[0]}")
def test_each_threat_has_a_result_and_tests_that_are_there(row: list[str]) -> None:
    _, _, _, today, cell = row
    named = NAMED.findall(cell)
    assert today.startswith(WORDS)
    assert named or today.startswith("accepted")
    assert [wrong for file, name in named for wrong in missing(file, name)] == []


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

"""The table of threats in docs/security.md has every row of the protocol's list (§7), and names tests that are there."""

from __future__ import annotations

import pytest

from tests.pitfall_table import NAMED, THREATS, missing, rows

ROWS = 38
WORDS = ("prevented", "found", "told", "borne", "accepted")
TABLE = rows(THREATS, "Threats")


def test_every_threat_has_its_row() -> None:
    assert [row[0] for row in TABLE] == [str(number) for number in range(1, ROWS + 1)]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"row {row[0]}")
def test_each_threat_has_a_result_and_tests_that_are_there(row: list[str]) -> None:
    _, _, _, today, cell = row
    named = NAMED.findall(cell)
    assert today.startswith(WORDS)
    assert named or today.startswith("accepted")
    assert [wrong for file, name in named for wrong in missing(file, name)] == []

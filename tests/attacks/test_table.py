"""The table of attacks in docs/auditor.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "auditor.md"
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

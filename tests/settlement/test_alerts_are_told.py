"""Every alert that can be raised has its row in the operations page: what a person is to do."""

import re
from pathlib import Path

from settlement.watch.alerts import CODES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def test_each_alert_says_what_to_do() -> None:
    rows = re.findall(r"^\| (`[^|]*`[^|]*) \|(.*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    told = {code for names, words in rows if len(words) > 40 for code in re.findall(r"`([a-z-]+)`", names)}
    assert set(CODES) - told == set()

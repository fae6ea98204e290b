"""The comparison can fail: each fault of `faults` is found by the machine, within what every test run plays.

The same machine with the same settings, but for chance and for shrinking: a fixed sequence of examples, and the first
that fails is enough.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties import cases
from tests.properties.choices import Choices
from tests.properties.faults import FAULTS
from tests.properties.pair import Pair
from tests.properties.test_ledger_machine import BUDGET, PLAYED, LedgerMachine
from tests.properties.worlds import Plain, opening

COMMANDS_MAX = 2_000
FIXED = settings(BUDGET, phases=[Phase.generate], derandomize=True, database=None, report_multiple_bugs=False)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_machine_finds(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(LedgerMachine, settings=FIXED)


def play(played: list[Plain]) -> None:
    """Until a difference, far enough to find one."""
    pair = Pair.opened()
    choices = Choices(Random(1), pair.oracle)
    while len(played) < COMMANDS_MAX:
        played.append(choices.command(PLAYED))
        pair.apply(played[-1])
        pair.compare()


def test_a_difference_is_kept_as_a_short_case(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A few commands instead of hundreds, played again from the file: with the fault a difference, without it none."""
    with monkeypatch.context() as faulty:
        faulty.setattr(*FAULTS["lots are drawn as they were made"])
        played = opening()
        with pytest.raises(AssertionError) as found:
            play(played)
        path = cases.keep("drawn", found.value, played, tmp_path)
        assert len(json.loads(path.read_text())["commands"]) < 15 < len(played)
        cases.main([str(path)])
    assert "no difference" not in capsys.readouterr().out
    cases.main([str(path)])
    assert "no difference" in capsys.readouterr().out

"""The closing line is honest: it counts what ran, and silence is a failure."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Barrier

import pytest

from tests.everything import (
    PARTS,
    Count,
    Say,
    all_named_passed,
    counted_by_junit,
    counted_in_words,
    gate,
    main,
    passed_by_junit,
    passed_in_words,
    with_bytecode,
)

JUNIT = """<testsuites><testsuite tests="9" failures="2" errors="1" skipped="1"/></testsuites>"""


@pytest.mark.parametrize(
    ("said", "exit_code", "told"),
    [
        (Count(5, 0), 0, Count(5, 0)),
        (Count(5, 2), 1, Count(5, 2)),
        (Count(5, 0), 1, Count(5, 1)),
        (Count(0, 0), 0, Count(0, 1)),
        (Count(0, 0), 5, Count(0, 1)),
    ],
)
def test_silence_is_a_failure(said: Count, exit_code: int, told: Count) -> None:
    assert said.honest(exit_code) == told


def test_junit_errors_fail_and_skipped_tests_do_not_pass(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert counted_by_junit(report) == Count(0, 0)
    report.write_text(JUNIT)
    assert counted_by_junit(report) == Count(5, 3)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("  12 passing (3s)\n  1 failing\n", Count(12, 1)),
        ("\x1b[32m  7 passing\x1b[0m (4 tests)\n", Count(7, 0)),
        ("# pass 3\n# fail 1\n", Count(3, 1)),
        ("ℹ pass 3\nℹ fail 0\n  4 passing\n", Count(7, 0)),
        ("nothing was said of passing\n", Count(0, 0)),
    ],
)
def test_words_of_hardhat_and_node_are_summed(words: str, count: Count) -> None:
    assert counted_in_words(words) == count


def test_only_what_passed_is_told_of(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    assert passed_by_junit(report) == []
    cases = ['<testcase classname="tests.a" name="good"/>'] + [
        f'<testcase classname="tests.a" name="bad"><{how}/></testcase>' for how in ("failure", "error", "skipped")
    ]
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert passed_by_junit(report) == ["tests.a good"]
    words = "\x1b[32m  ✔ good (5ms)\x1b[0m\n  ✖ bad (1ms)\nok 3 - fair\nnot ok 4 - foul\n▶ a suite\n"
    assert passed_in_words(words) == ["✔ good (5ms)", "ok 3 - fair"]


def test_a_named_test_that_did_not_pass_is_a_failure() -> None:
    said: list[str] = []
    assert all_named_passed(said.append, [], python=True) == Count(0, 1)
    assert any("test_tree: a node is no leaf at any level" in line for line in said)


def test_gate_is_one_count() -> None:
    said: list[str] = []
    assert gate(said.append, "true") == Count(1, 0)
    assert gate(said.append, "false") == Count(0, 1)
    assert said == ["\n--- true\n", "\n--- false\n"]


def test_two_parts_at_once_are_both_counted_and_do_not_talk_over_each_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the other, so that one after the other would wait for ever; the second's words come last."""
    met = Barrier(2, timeout=20)

    def part(word: str, count: Count) -> Callable[[Say], list[Count]]:
        def run(say: Say) -> list[Count]:
            say(f"{word} begins\n")
            met.wait()
            say(f"{word} ends\n")
            return [count]

        return run

    monkeypatch.setitem(PARTS, "check", part("check", Count(1, 0)))
    monkeypatch.setitem(PARTS, "contracts", part("contracts", Count(2, 1)))
    assert main(["contracts", "check"]) == 1
    assert capsys.readouterr().out.split("\n") == [
        *("check begins", "check ends", "contracts begins", "contracts ends", "", "3 passed, 1 failed", ""),
    ]


def test_bytecode_is_kept_in_a_folder_of_the_run_where_none_may_lie_beside_the_sources(tmp_path: Path) -> None:
    assert with_bytecode({"HOME": "/h"}, tmp_path) == {"HOME": "/h"}
    asked = with_bytecode({"HOME": "/h", "PYTHONDONTWRITEBYTECODE": "1"}, tmp_path)
    assert asked == {"HOME": "/h", "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}
    source = tmp_path / "source"
    source.mkdir()
    (source / "one.py").write_text("")
    subprocess.run([sys.executable, "-c", "import one"], cwd=source, env=asked, check=True)
    assert [path.name for path in source.iterdir()] == ["one.py"]
    assert list((tmp_path / "bytecode").rglob("one.*.pyc"))


def test_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc"]) == 2
    assert "chekc" in capsys.readouterr().err

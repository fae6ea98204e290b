"""Runs every gate and every test there is, shows their words as they come, and ends in one line that sums what ran.

    python -m tests.everything [check|python|contracts]...     # all three when none is named

The gates and the contracts keep one processor busy each, the Python tests as many as there are workers: so the first
two run side by side, and the words of the contracts come after those of the gates.

Invariants: a part that fails without saying how many failed counts as one failure, so does a part of tests in which
nothing ran; the exit code is 0 only when nothing failed. Called by the Makefile.
"""

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.pitfall_table import never_passed
from tests.settlement.chain.anvil import ANVIL

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
WORKERS = os.environ.get("WORKERS") or str((os.cpu_count() or 1) + 1)
"""One more than there are processors: tests wait for processes, leases and queues."""


Say = Callable[[str], None]
"""Where the words of a part go, line by line."""


@dataclass(frozen=True, slots=True)
class Count:
    """What a part says of itself; `failed` also counts errors."""

    passed: int
    failed: int

    def honest(self, exit_code: int) -> "Count":
        """The same with what the words concealed: an exit code without a failure, or a part in which nothing ran."""
        silent = self.failed == 0 and (exit_code != 0 or self.passed == 0)
        return Count(self.passed, 1 if silent else self.failed)


def one_gate(exit_code: int) -> Count:
    return Count(1, 0) if exit_code == 0 else Count(0, 1)


def counted_by_junit(report: Path) -> Count:
    """Pytest's own report. A test that did not run (skipped) is neither passed nor failed."""
    if not report.exists() or not report.stat().st_size:
        return Count(0, 0)
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - written by pytest a moment ago
    total, failed, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return Count(total - failed - skipped, failed)


def counted_in_words(words: str) -> Count:
    """The lines of Hardhat ("12 passing", "1 failing") and of node:test ("# pass 3", "ℹ fail 1")."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", words)
    passed, failed = (
        sum(
            int(number)
            for pair in re.findall(rf"^\s*(?:(\d+) {verb}ing|[#ℹ] {verb} (\d+))\b", plain, re.MULTILINE)
            for number in pair
            if number
        )
        for verb in ("pass", "fail")
    )
    return Count(passed, failed)


def passed_by_junit(report: Path) -> list[str]:
    """Module and name of each test that ran and passed."""
    if not report.exists() or not report.stat().st_size:
        return []
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - written by pytest a moment ago
    spoilt = {"failure", "error", "skipped"}
    good = (case for case in cases if not any(part.tag in spoilt for part in case))
    return [f"{case.get('classname')} {case.get('name')}" for case in good]


def passed_in_words(words: str) -> list[str]:
    """The lines with which Hardhat and node:test tell of a test that passed."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", words)
    return [line.strip() for line in plain.splitlines() if re.match(r"\s*(?:✔|ok \d+ -) ", line)]


def all_named_passed(say: Say, passed: list[str], *, python: bool) -> Count:
    """Whether every test that docs/pitfalls.md names was among those that ran. What plays on anvil needs anvil."""
    unseen = [each for each in never_passed(passed, python=python) if ANVIL.exists() or "anvil" not in each]
    for each in unseen:
        say(f"docs/pitfalls.md names a test that did not pass here: {each}\n")
    return one_gate(len(unseen))


def aloud(words: str) -> None:
    print(words, end="", flush=True)


def shown(say: Say, command: list[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command, pass its words on line by line, and keep them."""
    say(f"\n--- {' '.join(command)}\n")
    kept: list[str] = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            say(line)
            kept.append(line)
    return process.returncode, "".join(kept)


def gate(say: Say, *command: str) -> Count:
    return one_gate(shown(say, list(command))[0])


def check(say: Say) -> list[Count]:
    return [
        gate(say, str(PROGRAMS / "ruff"), "check", "."),
        gate(say, str(PROGRAMS / "mypy")),
        gate(say, str(PROGRAMS / "lint-imports"), "--no-logo"),
        tests(say, "tests/test_tidy.py")[0],
    ]


def with_bytecode(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Tests start hundreds of processes that load the same modules. Where none may write what it compiled beside the
    sources, it is kept in `folder`.
    """
    kept = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept if len(kept) == len(environment) else kept | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def tests(say: Say, *arguments: str) -> tuple[Count, list[str]]:
    """What pytest counts, and which tests passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        code, _ = shown(say, command, with_bytecode(os.environ, Path(folder)))
        return counted_by_junit(report).honest(code), passed_by_junit(report)


def python(say: Say) -> list[Count]:
    """File by file, in the order of `tests/conftest.py`: the long ones are not left for one worker at the end."""
    spread = ("-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder")
    count, passed = tests(say, *spread, "--ignore=tests/test_tidy.py")
    return [count, all_named_passed(say, passed, python=True)]


def contracts(say: Say) -> list[Count]:
    """Run npm with the virtual environment's node first on the path, whatever the system has."""
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}",
        "NO_COLOR": "1",
        "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true",
    }
    npm = str(PROGRAMS / "npm")
    code, words = shown(say, [npm, "test"], environment)
    abi, _ = shown(say, [npm, "run", "abi:check"], environment)
    named = all_named_passed(say, passed_in_words(words), python=False)
    return [counted_in_words(words).honest(code), named, one_gate(abi)]


PARTS: dict[str, Callable[[Say], list[Count]]] = {"check": check, "python": python, "contracts": contracts}
BESIDE = ("check", "contracts")


def beside(first: str, second: str) -> list[Count]:
    """Two parts at once; what the second says is kept until the first has said everything."""
    kept: list[str] = []
    with ThreadPoolExecutor(1) as thread:
        other = thread.submit(PARTS[second], kept.append)
        counts = PARTS[first](aloud)
        counts += other.result()
    aloud("".join(kept))
    return counts


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in PARTS]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    wanted, counts = list(names or PARTS), list[Count]()
    if set(BESIDE) <= set(wanted):
        counts += beside(*BESIDE)
        wanted = [name for name in wanted if name not in BESIDE]
    for name in wanted:
        counts += PARTS[name](aloud)
    passed, failed = sum(count.passed for count in counts), sum(count.failed for count in counts)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

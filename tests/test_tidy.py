"""The house rules as tests: every file keeps every rule, and every rule is seen to fire on what it forbids."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.house_rules import FUNCTION_LINES_MEDIAN_MAX, ROOMS, RULES, Source, median_length

ROOT = Path(__file__).resolve().parent.parent
TEXT = {".py", ".sol", ".ts", ".mjs", ".js", ".json", ".md", ".toml", ".ini", ".lock", ".mako", ".html", ".css", ""}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def sources() -> tuple[Source, ...]:
    """Every text file of the repository that is or would be committed; the licence's own words are not ours."""
    return tuple(source for source in texts(ROOT) if source.path != "LICENSE")


def texts(root: Path) -> list[Source]:
    """The text files under `root` that git tracks or would track. Whatever is tracked under a text's name has to be
    UTF-8; what lies about untracked and is not, a database's files for instance, is none of ours.
    """
    tracked = [Source(path, (root / path).read_text("utf-8")) for path in named(root, "-c")]
    return sorted([*tracked, *filter(None, (readable(root, path) for path in named(root, "-o")))], key=by_path)


def by_path(source: Source) -> str:
    return source.path


def named(root: Path, which: str) -> list[str]:
    listed = subprocess.check_output(["git", "ls-files", which, "--exclude-standard", "-z"], cwd=root, text=True)
    return [path for path in listed.split("\0") if path and Path(path).suffix in TEXT and (root / path).is_file()]


def readable(root: Path, path: str) -> Source | None:
    try:
        return Source(path, (root / path).read_text("utf-8"))
    except UnicodeDecodeError:
        return None


def room(name: str) -> list[Source]:
    return [source for source in sources() if source.room == name]


@pytest.mark.parametrize("rule", RULES)
def test_house_keeps(rule: str) -> None:
    found = [f"{source.path}: {finding}" for source in sources() for finding in RULES[rule](source)]
    assert not found, "\n" + "\n".join(found)


def test_a_database_inside_the_clone_is_not_read(tmp_path: Path) -> None:
    """Whether it keeps itself out of git, as the demonstration's folder does, or not."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for path, content in {
        "kept.md": b"words",
        "new.md": b"words",
        "elsewhere/pg_filenode": b"\xff\x00",
        "alliance/.gitignore": b"*\n",
        "alliance/PG_VERSION": b"15\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    subprocess.run(["git", "add", "kept.md"], cwd=tmp_path, check=True)
    assert [source.path for source in texts(tmp_path)] == ["kept.md", "new.md"]
    (tmp_path / "kept.md").write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        texts(tmp_path)


def opened(code: str) -> str:
    return f'"""Says what lives here and why."""\n{code}\n'


LONG = "\n".join(f"    x{number} = 1" for number in range(70))
BROKEN = [
    ("short_files", "api/x.py", opened("x = 1\n" * 400)),
    ("short_files", "contracts/X.sol", "//\n" * 401),
    ("short_functions", "api/x.py", opened(f"def f():\n{LONG}")),
    ("opening_words", "ledger/x.py", "import os\n"),
    ("opening_words", "ledger/x.py", '"""Short."""\n'),
    ("clear_names", "api/utils.py", ""),
    ("clear_names", "api/core/earn.py", ""),
    ("clear_names", "api/earn_helpers.py", ""),
    ("clear_names", "api/x.py", "class EarnManager: pass"),
    ("time_comes_in", "ledger/x.py", "import datetime\nx = datetime.datetime.now(datetime.UTC)"),
    ("time_comes_in", "auditor/x.py", "import time\nx = time.time()"),
    ("integers_only", "ledger/x.py", "x = 1.5"),
    ("integers_only", "settlement/x.py", "x: float"),
    ("integers_only", "settlement/x.py", "rate_bps = 2.5"),
    ("integers_only", "proofs/x.py", "x = round(y)"),
    ("integers_only", "proofs/x.py", "x = y / 2"),
    ("every_test_runs", "tests/x.py", "import pytest\n@pytest.mark.skip\ndef test_x(): pass"),
    ("every_test_runs", "tests/x.py", "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_x(): pass"),
    ("every_test_runs", "tests/x.py", "import pytest\npytest.importorskip('x')"),
    ("every_test_runs", "hardhat/test/x.ts", "it" + ".skip('x', () => {})"),
    ("every_test_runs", "hardhat/test/x.mjs", "it('x', { sk" + "ip: true }, () => {})"),
    ("nothing_left_to_do", "contracts/X.sol", "// TO" + "DO later"),
    ("nothing_left_to_do", "api/x.py", "# FIX" + "ME"),
    ("at_home_anywhere", "docs/x.md", "see /ro" + "ot/x"),
    ("at_home_anywhere", "docs/x.md", "from py" + "pi.org"),
    ("at_home_anywhere", "docs/x.md", "as iss" + "ue 2 says"),
    ("locks_without_addresses", "requirements.lock", "x==1 # from https" + "://x"),
    ("locks_without_addresses", "package-lock.json", '{"reso' + 'lved": "x"}'),
    ("whole_decisions", "docs/decisions/0001-x.md", "# X\n## Context\n## Decision\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_rule_fires(rule: str, path: str, text: str) -> None:
    assert list(RULES[rule](Source(path, text)))


def test_every_rule_is_seen_to_fire() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        ("short_files", "api/x.py", opened("x = 1\n" * 398)),
        ("clear_names", "api/database.py", "class Basement: pass"),
        ("time_comes_in", "api/x.py", "import time\nx = time.time()"),
        ("time_comes_in", "ledger/x.py", "import time\nx = time.monotonic()"),
        ("integers_only", "ledger/x.py", "from pathlib import Path\nx = Path('a') / 'b'\ny = 7 // 2"),
        ("integers_only", "settlement/x.py", "RETRY_SECONDS = 0.2\nPOLL_S = 0.5\nANSWER_S_MAX = 20.0"),
        ("nothing_left_to_do", "hardhat/lint.mjs", "matching(lines, /TODO|FIXME|XXX/)"),
        ("every_test_runs", "tests/x.py", "lines.skip(1)"),
        ("at_home_anywhere", "docs/x.md", "the points an issuer issues: 100; `/v1/homes`"),
        ("whole_decisions", "docs/decisions/0001-x.md", "# X\n## Context\n## Decision\n## Consequences\n## Test\n"),
    ],
)
def test_rule_is_content(rule: str, path: str, text: str) -> None:
    assert not list(RULES[rule](Source(path, text)))


@pytest.mark.parametrize("name", [*ROOMS, "tests"])
def test_functions_are_short_in_the_median(name: str) -> None:
    assert median_length(room(name)) < FUNCTION_LINES_MEDIAN_MAX


def test_median_counts_code_without_docstrings() -> None:
    assert median_length([Source("api/x.py", 'def f():\n    """Words\n    and words."""\n    return 1\n')]) == 2


def test_ruff_keeps_refusing_what_the_rules_leave_to_it() -> None:
    lint = PROJECT["tool"]["ruff"]["lint"]
    given_up = {code for codes in (lint["ignore"], *lint["per-file-ignores"].values()) for code in codes}
    left_to_ruff = ("PLC0415", "TID", "FIX", "TD", "DTZ", "ERA", "F401")
    assert lint["select"] == ["ALL"]
    assert not [code for code in given_up if code.startswith(left_to_ruff)]


def test_every_ignored_rule_says_why() -> None:
    config = (ROOT / "pyproject.toml").read_text().split("[tool.ruff.lint]")[1].split("[tool.ruff.lint.isort]")[0]
    codes = [line for line in config.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert codes
    assert not [line for line in codes if not re.search(r"# \w+", line)]


def pinned() -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))


def wanted() -> list[Requirement]:
    project = PROJECT["project"]
    return [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])]


def test_lock_is_current_with_the_project() -> None:
    versions = {need: pinned().get(need.name, "0") for need in wanted()}
    assert not [need for need, version in versions.items() if not need.specifier.contains(version, prereleases=True)]


def test_lock_carries_a_hash_for_everything() -> None:
    blocks = re.split(r"^(?=[a-z0-9-]+==)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned())
    assert not [block.split("\n")[0] for block in blocks if "--hash=sha256:" not in block]


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")]
    assert sorted(set(numbers)) == sorted(numbers)


def test_links_between_documents_lead_somewhere() -> None:
    links = [
        (source.path, link)
        for source in sources()
        if source.parts.suffix == ".md"
        for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", source.text)
    ]
    assert not [(path, link) for path, link in links if not (ROOT / path).parent.joinpath(link).exists()]


def test_files_that_documents_name_are_there() -> None:
    named = [
        (source.path, name)
        for source in sources()
        if source.parts.suffix == ".md"
        for name in re.findall(r"`((?:[a-z_]+/)+[\w.-]+\.(?:py|sol|mjs|ts|json|md))(?:::\w+)?`", source.text)
    ]
    assert named
    assert not [(path, name) for path, name in named if not (ROOT / name).exists() and not name.startswith("var/")]


def test_make_help_lists_every_target() -> None:
    declared = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    told = subprocess.check_output(["make", "help"], cwd=ROOT, text=True)
    assert declared
    assert re.findall(r"^  make (\S+)", told, re.MULTILINE) == declared[1].split()


def test_changelog_knows_the_version() -> None:
    assert f"## [{PROJECT['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_wheel_holds_every_room() -> None:
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(ROOMS)


def test_bootstrap_is_plain_shell() -> None:
    assert subprocess.run(["sh", "-n", "bootstrap"], cwd=ROOT, check=False).returncode == 0


def test_migrations_have_one_head() -> None:
    """Two branches of work, each with a migration on what was the newest, would stop every database."""
    found = [path.read_text() for path in (ROOT / "migrations" / "versions").glob("*.py")]
    made = {re.search(r'^revision = "(\w+)"', text, re.MULTILINE)[1] for text in found}  # type: ignore[index] # each has one
    below = {name for text in found for name in re.findall(r'^down_revision = "(\w+)"', text, re.MULTILINE)}
    assert len(made - below) == 1

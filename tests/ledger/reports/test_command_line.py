"""`python -m ledger`: every question answers, and says clearly why when it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.__main__ import HELD, NOT_ASKED, main
from ledger.commands import ChargeFees, Enrol
from ledger.postgres.embedded import running, start
from ledger.reports import forms
from tests.ledger.random_commands import history
from tests.ledger.reports.journals import posted
from tests.ledger.scene import DAY


@pytest.fixture(name="books")
def books_(database: str) -> str:
    """A random history, a cycle charged, and an entry in the next."""
    ends = [ChargeFees(key="march", at_ms=10 * DAY, cycle="march"), Enrol(key="after", at_ms=10 * DAY, member="after")]
    posted(database, [*history(seed=7, length=300), *ends])
    return database


# arguments, words of the answer
ANSWERED = [
    (["cycles"], "march"),
    (["positions"], "operator"),
    (["positions", "--seq", "60"], "at entry 60, in AU"),
    (["positions", "--cycle", "march"], "gross interchange"),
    (["positions", "--cycle", ""], "peak debit"),
    (["liability"], "entries 1 to "),
    (["liability", "--after", "50", "--seq", "90"], "entries 51 to 90"),
    (["statement", "--merchant", "3"], '"digest":'),
    (["statement", "--merchant", "3", "--open"], '"name":null'),
    (["statement", "--merchant", "3", "--cycle", "march", "--csv"], "receivable from members"),
    (["ifrs15", "--issuer", "1", "--expected-bps", "9500"], "liability"),
    (["balance-as-of", "cash:1"], "\n"),
    (["balance-as-of", "points:1:member:@m1", "--seq", "0"], "0\n"),
    (["balance-as-of", "points:1:member:@m1", "--at", "1970-01-03T00:00:00+08:00"], "\n"),
    (["balance-as-of", "points:1:outstanding", "--at-ms", "1"], "\n"),
    (["project"], "days are up to entry"),
    (["project", "--afresh"], "days are up to entry"),
    (["rebuild"], "rebuild-equals-store"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), ANSWERED, ids=lambda each: " ".join(each) if isinstance(each, list) else ""
)
def test_answered(books: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main([*arguments, "--dsn", books]) == HELD
    assert words in capsys.readouterr().out


REFUSED = [
    (["positions", "--seq", "99999"], "there is no entry 99999: the journal ends with"),
    (["positions", "--cycle", "none"], "no cycle is named 'none'"),
    (["statement", "--merchant", "9"], "merchant 9 is not among those of that cycle"),
    (["statement", "--merchant", "1", "--cycle", "none"], "no cycle is named 'none'"),
    (["ifrs15", "--issuer", "9", "--expected-bps", "1"], "no merchant has the number 9"),
    (["balance-as-of", "purse:1"], "'purse:1' names no account"),
    (["balance-as-of", "points:1:member:@nobody"], "no member is named 'nobody'"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), REFUSED, ids=lambda each: " ".join(each) if isinstance(each, list) else ""
)
def test_not_asked(books: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main([*arguments, "--dsn", books]) == NOT_ASKED
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["positions", "--seq", "-1"], "is no whole number from 0 on"),
        (["ifrs15", "--issuer", "1", "--expected-bps", "10001"], "is not a share in basis points, 0 to 10000"),
        (["ifrs15", "--issuer", "1", "--expected-bps", "1", "--expected", "2026-07"], "is not a share in basis points"),
        (["balance-as-of", "cash:1", "--at", "yesterday"], "is no time such as"),
        (["balance-as-of", "cash:1", "--at", "2026-07-25T00:00"], "does not say its offset from UTC"),
        (["balance-as-of", "cash:1", "--at-ms", "1", "--seq", "1"], "not allowed with argument"),
        (["audit"], "invalid choice"),
        ([], "required: command"),
    ],
)
def test_misspelt(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == NOT_ASKED
    assert words in capsys.readouterr().err


def test_lines_of_json_carry_their_digests(books: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["liability", "--json"], ["ifrs15", "--issuer", "1", "--expected-bps", "9500", "--json"]):
        assert main([*arguments, "--dsn", books]) == HELD
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert all(forms.holds(line.encode()) for line in lines)


def test_estimates_of_a_month_stand_before_those_of_all(books: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["ifrs15", "--issuer", "1", "--expected-bps", "9500", "--json", "--dsn", books]
    assert main([*asked, "--at-issue-bps", "9000"]) == HELD
    of_all = json.loads(capsys.readouterr().out)
    assert main([*asked, "--expected", "1970-01=8000", "--at-issue", "1970-01=9000"]) == HELD
    of_month = json.loads(capsys.readouterr().out)
    assert of_month["deferred"] == of_all["deferred"]
    assert of_month["recognised"] > of_all["recognised"]


def test_the_server_that_runs_is_asked_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TONGDUI_VAR", str(tmp_path))
    assert main(["cycles"]) == NOT_ASKED
    assert f"no database: nothing runs in {tmp_path / 'postgres'}" in capsys.readouterr().err
    with start(tmp_path / "postgres", durable=False) as server:
        server.ensure_database("tongdui")
        assert running(tmp_path / "postgres") == server.dsn("tongdui")
        assert main(["cycles"]) == NOT_ASKED
        assert "cannot ask: relation" in capsys.readouterr().err
    assert running(tmp_path / "postgres") is None

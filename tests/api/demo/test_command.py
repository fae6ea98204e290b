"""What the demonstration says to a user whose files or folders are not as they must be: one line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from api.demo.command import CANNOT_RUN, interrupted, main


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **environment: Path) -> str:
    """Run it with these variables; what it printed, on one line."""
    for name, path in environment.items():
        monkeypatch.setenv(name, str(path))
    assert main() == CANNOT_RUN
    return " ".join(capsys.readouterr().out.split())


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    shown = said(monkeypatch, capsys, TONGDUI_VAR=tmp_path / "file" / "var")
    assert "cannot be written to (Not a directory): choose another with TONGDUI_VAR" in shown


@pytest.mark.parametrize("name", ["empty.csv", "[bold].csv"])
def test_an_empty_file_is_told_what_it_must_begin_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).touch()
    shown = said(monkeypatch, capsys, TONGDUI_VAR=tmp_path / "var", EVENTS=tmp_path / name)
    assert name in "".join(shown.split())
    assert "it must begin with the line event_id," in shown


def tidied_up_after(error: type[BaseException], conn: psycopg.Connection[tuple[object, ...]]) -> None:
    """Ends with what the tidying up says, as a cut connection would."""
    try:
        raise error
    finally:
        conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_stays_one_whatever_tidying_up_says(database: str, error: type[BaseException]) -> None:
    with psycopg.connect(database, autocommit=True) as conn, pytest.raises(psycopg.OperationalError) as said:
        tidied_up_after(error, conn)
    assert interrupted(said.value) is (error is KeyboardInterrupt)

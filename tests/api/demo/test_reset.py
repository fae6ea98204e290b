"""Resetting ends what runs, removes what the demonstration made, and leaves strangers' folders alone."""

from pathlib import Path

import pytest

from api.demo.reset import NotADemonstration, reset
from ledger.postgres.embedded import start
from settlement.embedded_chain import process


def test_ends_both_servers_and_removes_the_folder(tmp_path: Path) -> None:
    var = tmp_path / "var"
    server = start(var / "postgres", durable=False)
    node = process.start(var / "chain")
    reset(var)
    assert not var.exists()
    assert process.attach(node.folder) is None
    assert not server.is_ready()


def test_nothing_to_reset_is_no_error(tmp_path: Path) -> None:
    reset(tmp_path / "var")
    (tmp_path / "var").mkdir()
    reset(tmp_path / "var")
    assert not (tmp_path / "var").exists()


def test_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(NotADemonstration, match="left as it is"):
        reset(tmp_path)
    assert (tmp_path / "letters").read_text() == "dear"

"""Every command that asks a database finds it by the same rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ledger.__main__ import main as ledger
from settlement.networks import main as networks
from settlement.readers.__main__ import main as readers
from settlement.reconcile import main as reconcile

NODE = ["--rpc", "http://127.0.0.1:9"]
COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], list[str], int]] = {
    "ledger": (ledger, ["cycles"], 2),
    "readers": (readers, ["list"], 2),
    "reconcile": (reconcile, NODE, 3),
    "networks": (networks, ["write", *NODE, "addresses.json"], 1),
}


@pytest.fixture(params=COMMANDS)
def command(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Callable[[Sequence[str]], int], list[str], int]:
    monkeypatch.delenv("TONGDUI_DATABASE_URL", raising=False)
    monkeypatch.setenv("TONGDUI_VAR", str(tmp_path))
    return COMMANDS[request.param]


def test_none_is_named_and_none_runs(
    command: tuple[Callable[[Sequence[str]], int], list[str], int], capsys: pytest.CaptureFixture[str]
) -> None:
    run, words, code = command
    assert run(words) == code
    said = capsys.readouterr().err
    assert "no database: nothing runs in" in said
    assert "TONGDUI_DATABASE_URL" in said


def test_what_the_environment_names_is_asked(
    command: tuple[Callable[[Sequence[str]], int], list[str], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, words, code = command
    monkeypatch.setenv("TONGDUI_DATABASE_URL", "host=nowhere.invalid connect_timeout=2")
    assert run(words) == code
    assert "no database" not in capsys.readouterr().err

"""The connection is cut in commit: the outcome is unknown to the store, and posting again finds it out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import psycopg
import pytest

from ledger import rebuild, verify
from ledger.store import Store
from tests.ledger.crash.wire import Wire
from tests.ledger.random_commands import history
from tests.ledger.scene import Scene


@pytest.mark.parametrize(("cut", "replayed"), [("before", False), ("after", True)])
def test_an_unknown_outcome_is_resolved_by_replay(
    database: str, tmp_path: Path, cut: Literal["before", "after"], *, replayed: bool
) -> None:
    commands = history(seed=29, length=60)
    expected = [answer.body for answer in Scene().play(*commands)]
    with Wire(database, tmp_path, cut=cut) as wire:
        with Store(wire.dsn) as store:
            first = store.post(commands[:40])
            wire.arm()
            second = store.post(commands[40:])
        assert wire.cuts == 1
    assert [answer.body for answer in first + second] == expected
    fresh = {command.key for command in commands[40:]} - {command.key for command in commands[:40]}
    told = {
        answer.replayed
        for command, answer in zip(commands[40:], second, strict=True)
        if command.key in fresh and getattr(answer.outcome, "code", "") != "key-reused"
    }
    assert (told == {True}) is replayed, "what was committed is answered from its keys, what was not is done"
    with psycopg.connect(database, autocommit=True) as conn:
        assert [each for each in verify.check(conn) if not each.held] == []
        assert rebuild.differences(conn) == []

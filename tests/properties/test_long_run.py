"""The long run in small: every way in which it plays a world, and the record of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.postgres.embedded import EmbeddedServer
from tests.properties import cases, long_run
from tests.properties.faults import FAULTS

FIRST_WAYS = 3
"""Worlds until a plain one, a crowded one that goes through the store, and one of concurrent callers were played."""


def test_every_way_of_playing_a_world(postgres: EmbeddedServer, migrated: str) -> None:
    run, said = long_run.Run(seed=1, world_commands=300), list[str]()
    long_run.play(run, 1_000, postgres, migrated, said.append)
    record = run.record(seconds=1)
    assert record["worlds"] == record["worldsRebuilt"] == FIRST_WAYS
    assert record["commands"] == run.commands >= sum(record["done"].values())
    assert record["concurrentCallers"]["batchesOfSeveralCallers"]
    assert record["throughTheStore"]["worlds"] == 1
    assert len(record["throughTheStore"]["lastRoot"]) == 64


def test_a_difference_ends_the_run_and_leaves_a_case(
    postgres: EmbeddedServer, migrated: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(*FAULTS["fees are rounded up"])
    monkeypatch.setattr(cases, "FOLDER", tmp_path)
    said = list[str]()
    with pytest.raises(AssertionError):
        long_run.play(long_run.Run(seed=1), 5_000, postgres, migrated, said.append)
    (case,) = tmp_path.iterdir()
    assert any(str(case) in line for line in said)

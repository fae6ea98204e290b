"""The folder in memory: there, gone afterwards, and what a killed session left goes with the next."""

from pathlib import Path

import pytest

from ledger.postgres.embedded import running, start
from tests import scratch as rooms
from tests.scratch import PREFIX, SERVER, scratch


def test_what_a_killed_session_left_ends_with_the_next(tmp_path: Path) -> None:
    left, other = tmp_path / f"{PREFIX}left", tmp_path / "other"
    (left / "deep").mkdir(parents=True)
    server = start(left / SERVER, durable=False)
    try:
        with scratch(tmp_path, other) as first, scratch(tmp_path, other) as second:
            assert running(left / SERVER) is None
            assert not left.exists()
            assert {first, second} == set(tmp_path.glob(f"{PREFIX}*")), "what is in use stays"
    finally:
        if running(left / SERVER):
            server.stop()
    assert list(tmp_path.iterdir()) == []


def test_without_room_it_is_the_other_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "FREE_BYTES_MIN", 2**62)
    for memory in (tmp_path, tmp_path / "missing"):
        with scratch(memory, tmp_path / "other") as folder:
            assert folder == tmp_path / "other"

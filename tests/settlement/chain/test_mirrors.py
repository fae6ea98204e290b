"""Publication on real parts: a mirror that is down delays its batch and nothing else; what is published is looked after
for years.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from settlement.batches import Settlement, seal_next
from settlement.mirrors import Mirror
from settlement.mirrors.__main__ import FAULTY, NOT_ASKED, WHOLE, main
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.keeping import RETENTION_YEARS_MIN, Fault, erase, expired, published, verify
from settlement.mirrors.web import WebMirror
from settlement.publish import published_header
from settlement.settings import SettlementSettings
from settlement.steps import State
from settlement.submitter import drive
from settlement.tasks import turn
from settlement.tasks.ticks import BY_NAME
from settlement.tasks.works import Works
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import Field, attest, day
from tests.settlement.mirrors.servers import Shelf, web_server


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with web_server() as shelf:
        yield shelf


def on_both(s: Settlement, field: Field, shelf: Shelf) -> Settlement:
    """The same settlement with a folder and an HTTP mirror; genesis is already on the folders alone."""
    mirrors: list[Mirror] = [FolderMirror(field.mirrors[0]), WebMirror(shelf.address)]
    return replace(s, publication=replace(s.publication, mirrors=mirrors))


def test_a_mirror_that_is_down_delays_publication_and_says_so(field: Field, shelf: Shelf) -> None:
    field.post(day(1))
    with field.settlement() as founded:
        s = on_both(founded, field, shelf)
        shelf.down = True
        sealed = seal_next(s)
        assert sealed is not None
        assert sealed.state is State.SEALED
        (standing,) = drive(s)
        assert (standing.state, standing.until) == (State.SEALED, None)
        assert shelf.address in standing.reason
        assert "503" in standing.reason
        assert [(each.code, each.place) for each in alerts(s.conn)] == [("mirror-behind", "batch 1")]
        assert published_header(FolderMirror(field.mirrors[0]), 1) is None
        shelf.down = False
        drive(s)
        assert published_header(WebMirror(shelf.address), 1) == sealed.done.header
        attest(s, field.folder, [(1, sealed.header_hash)], [bytes([9]) * 32, bytes([8]) * 32])
        assert [standing.state for standing in drive(s)] == [State.CONFIRMED]
        assert s.alliance.hub.read("headerHash", 1) == sealed.header_hash
        assert alerts(s.conn) == []


def open_alerts(field: Field) -> set[tuple[str, str]]:
    with psycopg.connect(field.dsn) as conn:
        return {(each.code, each.place) for each in alerts(conn)}


def folder_of(mirror: Path, at: int = 0) -> Path:
    return sorted((mirror / "blobs").iterdir())[at]


@pytest.fixture
def told(field: Field, monkeypatch: pytest.MonkeyPatch) -> Field:
    """Two published batches, and an environment that names their mirrors."""
    field.post(day(1))
    with field.settlement() as s:
        assert seal_next(s) is not None
    listed = ",".join(f'{{"kind": "folder", "path": "{mirror}"}}' for mirror in field.mirrors)
    monkeypatch.setenv("TONGDUI_MIRRORS", f"[{listed}]")
    monkeypatch.setenv("TONGDUI_DATABASE_URL", field.dsn)
    return field


def test_once_a_day_everything_is_read_back_and_faults_stay_told_until_a_whole_walk(told: Field) -> None:
    day_ms, now = 86_400_000, [1_800_000_000_000]
    works = Works(settings=SettlementSettings(var=told.folder), dsn=told.dsn, now_ms=lambda: now[0])

    def walk() -> set[tuple[str, str]]:
        for _ in range(3):  # genesis and batch 1, then the end, then nothing more today
            assert turn.take(BY_NAME["mirrors"], works) is turn.Outcome.DONE
        return open_alerts(told)

    assert walk() == set()
    one, lost = told.mirrors[0], folder_of(told.mirrors[0])
    data = lost.read_bytes()
    lost.unlink()
    assert walk() == set(), "today it was read"
    now[0] += day_ms
    assert walk() == {("mirror-behind", str(one))}
    lost.write_bytes(data)
    assert walk() == {("mirror-behind", str(one))}
    now[0] += day_ms
    assert walk() == set()


def test_what_is_missing_or_wrong_is_taken_from_another_mirror(told: Field, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = told.mirrors
    assert main(["verify"]) == WHOLE
    lost, spoilt, header = folder_of(one), folder_of(two, 1), two / "headers" / "1.json"
    right = {path: path.read_bytes() for path in (lost, spoilt, header)}
    lost.unlink()
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"\x00")
    header.write_text("{}")
    assert main(["verify"]) == FAULTY
    assert not lost.exists(), "looking changes nothing"
    assert open_alerts(told) == {("mirror-behind", str(one)), ("mirror-behind", str(two))}
    assert main(["verify", "--repair"]) == WHOLE
    said = capsys.readouterr().out
    assert f"{one}: blobs/{lost.name} is missing, repaired from {two}" in said
    assert f"{two}: blobs/{spoilt.name} holds other bytes, repaired from {one}" in said
    assert "2 batches on 2 mirrors: 3 faults, 3 repaired" in said
    assert {path: path.read_bytes() for path in right} == right
    assert open_alerts(told) == set()
    assert main(["verify"]) == WHOLE


def test_what_no_mirror_has_is_lost_and_not_made_up(told: Field, capsys: pytest.CaptureFixture[str]) -> None:
    name = folder_of(told.mirrors[0]).name
    for mirror in told.mirrors:
        (mirror / "blobs" / name).write_bytes(b"something else")
    assert main(["verify", "--repair"]) == FAULTY
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.endswith("is on no mirror")] == [
        f"{mirror}: blobs/{name} is on no mirror" for mirror in told.mirrors
    ]
    assert [(mirror / "blobs" / name).read_bytes() for mirror in told.mirrors] == [b"something else"] * 2


def test_a_mirror_that_does_not_answer_is_no_fault_of_the_others(told: Field, shelf: Shelf) -> None:
    with told.settlement() as s:
        mirrors: list[Mirror] = [FolderMirror(told.mirrors[0]), WebMirror(shelf.address)]
        shelf.down = True
        assert {(found.mirror, found.fault) for found in verify(published(s.conn), mirrors, repair=True)} == {
            (shelf.address, Fault.DOWN)
        }
        shelf.down, shelf.forgets = False, True
        found = list(verify(published(s.conn), mirrors, repair=True))
        assert {(each.fault, each.repaired_from) for each in found} == {(Fault.MISSING, None)}


def test_a_question_that_cannot_be_asked(told: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["list"]) == WHOLE
    assert main(["expire", "--years", str(RETENTION_YEARS_MIN - 1)]) == NOT_ASKED
    monkeypatch.setenv("TONGDUI_ENVIRONMENT", "production")
    assert main(["list"]) == NOT_ASKED, "two folders of one machine are not independent"
    assert main(["list", "--dsn", "host=nowhere.invalid"]) == NOT_ASKED
    assert told.mirrors[0].exists()


def test_nothing_younger_than_the_policy_is_erased(told: Field, capsys: pytest.CaptureFixture[str]) -> None:
    before = [sorted(path.name for path in (mirror / "blobs").iterdir()) for mirror in told.mirrors]
    with told.settlement() as s:
        (genesis, first) = published(s.conn)
    assert (genesis.state, first.state) == (State.FINALISED, State.PUBLISHED)
    sealed = datetime.fromtimestamp(genesis.header.sealed_at, UTC)
    last_day = sealed + timedelta(days=365 * RETENTION_YEARS_MIN)
    for moment in (sealed, last_day - timedelta(days=1), last_day):
        assert main(["expire", "--yes"], now=partial(datetime.fromtimestamp, moment.timestamp(), UTC)) == WHOLE
    assert [sorted(path.name for path in (mirror / "blobs").iterdir()) for mirror in told.mirrors] == before
    late = last_day + timedelta(days=4)
    assert expired([first], late, years=7) == [], "a batch that is not finished is never erased"
    done = replace(first, state=State.FINALISED)
    assert expired([genesis, done], last_day - timedelta(days=2), years=7) == []
    assert expired([done], late, years=7) == [done]
    assert expired([done], late, years=8) == []
    capsys.readouterr()
    mirrors = [FolderMirror(mirror) for mirror in told.mirrors]
    assert (erase(done, mirrors), erase(done, mirrors)) == (3, 1), "manifest, chunk and tariff; then only the manifest"
    left = [{path.name for path in (mirror / "blobs").iterdir()} for mirror in told.mirrors]
    assert all(names < set(had) and len(had) - len(names) == 3 for names, had in zip(left, before, strict=True))

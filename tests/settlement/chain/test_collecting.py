"""Attesters' files among others: whatever else lies in the folder, theirs are found."""

from __future__ import annotations

import os
from pathlib import Path

from settlement.batches import Settlement, seal_next
from settlement.tasks.collecting import FILES_PER_TURN_MAX, gather, to_look_at
from tests.settlement.chain.field import ATTESTERS, Field, address, day, write_attestations

JUNK = FILES_PER_TURN_MAX + 50
LATER_S = 3_600


def flooded(folder: Path, *, newer: bool) -> Path:
    """A folder with more files than are looked at, whose names come before all others."""
    folder.mkdir()
    for number in range(JUNK):
        path = folder / f"!{number:04}.json"
        path.write_text("{}")
        when = path.stat().st_mtime + (LATER_S if newer else -LATER_S)
        os.utime(path, (when, when))
    return folder


def left_by_all(s: Settlement, folder: Path, *, named: bool) -> None:
    batch = seal_next(s)
    assert batch is not None
    for number, key in enumerate(ATTESTERS):
        made = write_attestations(s.alliance, folder.parent, [(1, batch.header_hash)], key)
        name = f"0x{address(key).hex()}" if named else f"from-{number}"
        made.rename(folder / f"{name}.json")


def test_a_file_named_after_its_attester_is_found_among_any_number_of_newer_ones(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        folder = flooded(field.folder / "attesters", newer=True)
        left_by_all(s, folder, named=True)
        assert gather(s, folder) == len(ATTESTERS)
        assert gather(s, folder) == 0, "taken already"


def test_a_file_of_any_name_is_found_while_it_is_among_the_newest(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        folder = flooded(field.folder / "attesters", newer=False)
        (folder / "deep.json").write_text("[" * 100_000)
        left_by_all(s, folder, named=False)
        assert gather(s, folder) == len(ATTESTERS)


def test_so_many_are_looked_at_and_no_more(tmp_path: Path) -> None:
    folder = flooded(tmp_path / "attesters", newer=False)
    (folder / "notes.txt").write_text("")
    (folder / "more.json").mkdir()
    named = [folder / "0xaa.json", folder / "0xbb.json"]
    named[1].write_text("{}")
    found = to_look_at(folder, named)
    assert found[0] == named[1]
    assert (len(found), len(set(found))) == (1 + FILES_PER_TURN_MAX, 1 + FILES_PER_TURN_MAX)
    assert to_look_at(tmp_path / "nowhere", named) == []

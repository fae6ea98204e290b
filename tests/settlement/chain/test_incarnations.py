"""A batch sealed three times: everybody finds each incarnation by its header, and takes the one that the chain has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from settlement import tables
from settlement.alliance import UNIT
from settlement.batches import Settlement, seal_next
from settlement.chain.outbox import Intent
from settlement.keys import data_key
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.keeping import published, verify
from settlement.publish import fetch, header_with, incarnation_path, published_header
from settlement.signoff import seal_again
from settlement.status import status
from settlement.submitter import drive
from settlement.tables import Batch
from tests.conftest import ROOT
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.test_courts import COURT, call, throw_out
from tests.settlement.chain.test_resealing import HOUR, READER, Attesters


def live(s: Settlement) -> Batch:
    found = tables.batch(s.conn, 1)
    assert found is not None
    return found


def state(s: Settlement) -> tuple[int, str]:
    return live(s).incarnation, live(s).state.name


def down(mirror: Path) -> None:
    mirror.rename(mirror.with_name("away"))
    mirror.write_text("no folder")


def up(mirror: Path) -> None:
    mirror.unlink()
    mirror.with_name("away").rename(mirror)


def audit(field: Field, s: Settlement, out: Path, *more: object) -> dict[str, object]:
    """A real auditor's report on what the chain holds, from one mirror."""
    reader = field.folder / "reader.json"
    reader.write_text(json.dumps({"kid": "auditor", "x25519": READER}))
    given = {"--rpc": field.url, "--hub": f"0x{s.alliance.anchor.hub.hex()}", "--data": field.mirrors[1]}
    given |= {"--keys": reader, "--out": out}
    words = [sys.executable, "-m", "auditor", "audit", "--quiet", *(str(w) for pair in given.items() for w in pair)]
    run = subprocess.run([*words, *map(str, more)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stderr
    told: dict[str, object] = json.loads(out.read_text())
    return told


def readable(s: Settlement, field: Field, batch: Batch) -> bool:
    """Whether every mirror gives header and file of this incarnation, by the header's hash alone."""
    vault = s.publication.vault
    for mirror in (FolderMirror(each) for each in field.mirrors):
        if header_with(mirror, batch.batch_no, batch.header_hash) != batch.done.header:
            return False
        fetch([mirror], batch.done.header, data_key=data_key(vault, batch))
    return True


def test_a_mirror_that_missed_an_incarnation_takes_the_next(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        first = seal_next(s)
        assert first is not None
        down(field.mirrors[1])
        s.alliance.chain.advance_time(7 * HOUR)
        drive(s)
        assert state(s) == (1, "SEALED")
        s.alliance.chain.advance_time(7 * HOUR)
        drive(s)
        assert state(s) == (2, "SEALED")
        up(field.mirrors[1])
        drive(s)
        third = live(s)
        assert state(s) == (2, "PUBLISHED")
        assert [published_header(FolderMirror(each), 1) for each in field.mirrors] == [third.done.header] * 2
        assert readable(s, field, first)
        assert readable(s, field, third)
        attest(s, field.folder, [(1, third.header_hash)], list(ATTESTERS))
        drive(s)
        assert state(s) == (2, "CONFIRMED")
        assert audit(field, s, field.folder / "report.json")["verdict"] == "clean"


def test_lapsed_then_thrown_out_then_final_and_everybody_finds_the_right_one(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        attesters = Attesters(field, s.alliance.anchor.hub)
        call(s, "court", "grantRole", COURT, s.outbox.sender)
        first = seal_next(s)
        assert first is not None
        attesters.run(s)
        s.alliance.chain.advance_time(25 * HOUR)
        drive(s)
        second = live(s)
        attesters.run(s)
        drive(s)
        assert state(s) == (1, "CONFIRMED")
        audit(field, s, field.folder / "second.json")
        throw_out(s, 1)
        drive(s)
        assert state(s) == (1, "FAILED_FRAUD")
        mint = s.alliance.token.data("mint", s.outbox.sender, 20_000 * UNIT)
        s.outbox.complete(Intent("mint:bond", s.alliance.anchor.token, mint, 100_000))
        call(s, "bond again", "postBond", 20_000 * UNIT)
        seal_again(s, 1, by="a person")
        s.alliance.chain.advance_time(60)
        drive(s)
        third = live(s)
        assert (third.incarnation, len({each.header_hash for each in (first, second, third)})) == (2, 3)
        assert attesters.run(s) == [(0, [1], [])] * 3, "the first lapsed, the second was thrown out"
        drive(s)
        assert state(s) == (2, "CONFIRMED")
        assert all(readable(s, field, each) for each in (first, second, third))
        plain = audit(field, s, field.folder / "third.json")
        for known in (field.folder / "second.json", field.folder / "attester-0.state"):
            told = audit(field, s, field.folder / "checked.json", "--checkpoint", known)
            assert (told["verdict"], told["findings"], told["checks"]) == ("clean", [], plain["checks"])
        mirrors = [FolderMirror(each) for each in field.mirrors]
        assert list(verify(published(s.conn), mirrors, repair=False)) == []
        lost = incarnation_path(1, first.header_hash)
        mirrors[0].erase(lost)
        assert [each.path for each in verify(published(s.conn), mirrors, repair=True)] == [lost]
        assert readable(s, field, first)
        assert [each.state for each in status(s.conn, first=1)] == ["CONFIRMED"]

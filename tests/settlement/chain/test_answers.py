"""Answers to demands: the data of any leaf or row of any incarnation, as a court would have to see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from proofs.accounts import cash_account
from proofs.exhibits import check_leaf, check_row
from proofs.json_form import from_json
from proofs.messages import BatchHeader
from settlement import answers
from settlement.batches import put_aside, seal_next, seal_planned
from settlement.publish import blob_path
from tests.settlement.chain.field import Field, day

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(field: Field, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The command, with the settings of this field's settling processes."""
    keys = field.folder / "keys"
    keys.mkdir()
    (keys / "vault.key").write_text((b"\x06" * 32).hex())
    monkeypatch.setenv("TONGDUI_KEYS", str(keys))
    places = [{"kind": "folder", "path": str(mirror)} for mirror in field.mirrors]
    monkeypatch.setenv("TONGDUI_MIRRORS", json.dumps(places))

    def asked(*words: object) -> tuple[int, dict[str, Any]]:
        code = answers.main(["--dsn", field.dsn, *map(str, words)])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else {}

    return asked


def test_every_leaf_and_row_of_a_batch_is_at_hand(field: Field, ask: Ask) -> None:
    field.post(day(1))
    with field.settlement() as s:
        batch = seal_next(s)
        assert batch is not None
        header = batch.done.header
    for leaf_no in range(header.first_leaf_no, header.first_leaf_no + header.leaf_count):
        code, told = ask("--batch", 1, "--leaf", leaf_no)
        assert (code, from_json(BatchHeader, told["header"])) == (0, header)
        assert check_leaf(told["leaf"], header).leaf.leaf_no == leaf_no
    for row in batch.done.rows:
        code, told = ask("--batch", 1, "--row", "0x" + row.account.hex())
        assert code == 0
        assert check_row(told["row"], header)[1].balance == row.balance


def test_what_is_not_there_is_said(field: Field, ask: Ask) -> None:
    field.post(day(1))
    with field.settlement() as s:
        batch = seal_next(s)
        assert batch is not None
    last = batch.done.header.leaf_count
    assert ask("--batch", 1, "--leaf", last + 1)[0] == 1
    assert ask("--batch", 1, "--row", cash_account(77).hex())[0] == 1
    assert ask("--batch", 2, "--leaf", 1)[0] == 1
    for mirror in field.mirrors:
        (mirror / blob_path(batch.done.header.data_hash.hex())).unlink()
    assert ask("--batch", 1, "--leaf", 1)[0] == 2


def test_an_incarnation_that_lost_its_number_is_found_by_its_header(field: Field, ask: Ask) -> None:
    field.post(day(1))
    with field.settlement() as s:
        first = seal_next(s)
        assert first is not None
        s.alliance.chain.advance_time(60)
        put_aside(s, first)
        assert seal_planned(s) == [1]
    code, told = ask("--header", first.header_hash.hex(), "--leaf", 1)
    assert (code, told["headerHash"]) == (0, "0x" + first.header_hash.hex())
    check_leaf(told["leaf"], first.done.header)
    assert ask("--batch", 1, "--leaf", 1)[1]["headerHash"] != told["headerHash"]

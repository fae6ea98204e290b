"""A merchant by itself: asks the API for its extract of a batch, keeps the pages, and checks them against the chain
with the stand-alone program.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api import keys
from api.app import create_app
from api.door import open_door
from auditor.__main__ import CLEAN, FINDINGS, WRONG_USE, main
from proofs.accounts import cash_account
from settlement.batches import Settlement, seal_next
from settlement.mirrors.folder import FolderMirror
from settlement.sealing.inclusions import Inclusions
from settlement.submitter import drive
from tests.api.conftest import START, Caller
from tests.settlement.chain.field import ATTESTERS, Field, attest, cycle, day

PAGE_LEAVES = 4


@pytest.fixture
def settled(field: Field) -> Field:
    """Three merchants; a log batch and a settling batch on the chain."""
    field.post(day(1))
    with field.settlement() as s:
        commit(s, field, 1, settling=False)
        field.post([*day(2), cycle(1)])
        commit(s, field, 2, settling=True)
    return field


def commit(s: Settlement, field: Field, number: int, *, settling: bool) -> None:
    batch = seal_next(s, settling=settling)
    assert batch is not None
    assert batch.batch_no == number
    attest(s, field.folder, [(number, batch.header_hash)], list(ATTESTERS))
    drive(s)
    assert s.alliance.hub.read("headerHash", number) == batch.header_hash


@pytest.fixture
def http(settled: Field) -> Iterator[TestClient]:
    mirrors = [FolderMirror(each) for each in settled.mirrors]
    inclusions = Inclusions(vault=settled.publication().vault, mirrors=mirrors)
    with (
        open_door(settled.dsn, production=False, readers_max=2, now=lambda: START, inclusions=inclusions) as door,
        TestClient(create_app(door)) as http,
    ):
        yield http


def fetched(http: TestClient, field: Field, merchant_id: int, batch_no: int) -> list[Path]:
    """The pages as files, answers as they come."""
    with psycopg.connect(field.dsn) as connection:
        caller = Caller(http, keys.issue(connection, merchant_id=merchant_id, environment="test"))
    paths: list[Path] = []
    following = f"/v1/batches/{batch_no}/mine?limit={PAGE_LEAVES}"
    while following:
        answer = caller.get(following)
        assert answer.status_code == 200, answer.text
        path = field.folder / f"mine-{merchant_id}-{batch_no}-{len(paths)}.json"
        path.write_text(answer.text)
        paths.append(path)
        cursor = answer.json()["next_cursor"]
        following = f"/v1/batches/{batch_no}/mine?limit={PAGE_LEAVES}&cursor={cursor}" if cursor else ""
    return paths


def hub_of(field: Field) -> str:
    with field.settlement() as s:
        return f"0x{s.alliance.anchor.hub.hex()}"


def ask(field: Field, paths: list[Path], *more: str) -> int:
    where = ["--rpc", field.url, "--hub", hub_of(field), "--to", "latest"]
    return main(["extract", *map(str, paths), *where, *more])


def test_a_merchant_proves_its_batches_to_itself(
    field: Field, http: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for batch_no in (0, 1, 2):
        for merchant_id in (1, 2, 3):
            paths = fetched(http, field, merchant_id, batch_no)
            out = field.folder / "verdict.json"
            assert ask(field, paths, "--out", str(out)) == CLEAN, capsys.readouterr().err
            told: dict[str, Any] = json.loads(out.read_text())
            assert (told["proven"], told["merchantId"], told["batchNo"]) == (True, str(merchant_id), str(batch_no))
            if batch_no == 2:
                with field.settlement() as s:
                    (event,) = s.alliance.hub.events("NetsCommitted", first=0, topics=[(2).to_bytes(32, "big")])
                nets = {net["merchantId"]: net["amount"] for net in event.fields["nets"]}
                assert int(told["net"]) == nets.get(merchant_id, 0)
                cash = f"0x{cash_account(merchant_id).hex()}"
                assert any(each["account"] == cash for each in told["accounts"])
    assert "no gap in 5 accounts, net " in capsys.readouterr().err
    assert len(fetched(http, field, 1, 2)) > 1, "the pages were joined"


def test_what_the_chain_does_not_bear_out_is_said(
    field: Field, http: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = fetched(http, field, 2, 2)
    pages = [json.loads(path.read_text())["extract"] for path in paths]
    one = field.folder / "all.json"

    def verdict(change: Any) -> tuple[int, str]:
        changed = json.loads(json.dumps(pages))
        for page in changed:
            change(page)
        one.write_text(json.dumps(changed))
        return ask(field, [one]), capsys.readouterr().err

    assert verdict(dict)[0] == CLEAN
    code, said = verdict(lambda page: page["header"].update(dataHash="0x" + "11" * 32))
    assert (code, "the hub holds" in said) == (FINDINGS, True)
    code, said = verdict(lambda page: page.update(hub="0x" + "11" * 20))
    assert (code, "not registered" in said, "it is of chain" in said) == (FINDINGS, True, True)
    lane = "0x0100000002"
    unused = next(row for row in pages[0]["rows"] if row["account"].startswith(lane) and _idle(row))
    code, said = verdict(lambda page: page["rows"].remove(unused))
    assert (code, "is registered, and its row is missing" in said) == (FINDINGS, True)
    code, said = verdict(lambda page: page.update(leaves=page["leaves"][1:]))
    assert (code, "gap" in said or "form" in said) == (FINDINGS, True)
    one.write_text("{")
    assert ask(field, [one]) == WRONG_USE


def _idle(row: dict[str, Any]) -> bool:
    return bool(row["closing"]["row"]["seq"] == "0")


def test_the_door_guards_extracts(field: Field, http: TestClient) -> None:
    assert http.get("/v1/batches/1/mine").status_code == 401
    with psycopg.connect(field.dsn) as connection:
        caller = Caller(http, keys.issue(connection, merchant_id=1, environment="test"))
        narrow = Caller(http, keys.issue(connection, merchant_id=1, environment="test", scopes=["members:read"]))
    assert narrow.get("/v1/batches/1/mine").json()["code"] == "scope-missing"
    assert caller.get("/v1/batches/9/mine").json()["code"] == "batch-unknown"
    assert caller.get("/v1/batches/one/mine").json()["code"] == "field-invalid"
    assert caller.get("/v1/batches/1/mine?limit=201").json()["code"] == "field-invalid"
    assert caller.get("/v1/batches/1/mine?cursor=x").json()["code"] == "field-invalid"
    for mirror in field.mirrors:
        for blob in (mirror / "blobs").iterdir():
            blob.unlink()
    assert caller.get("/v1/batches/1/mine").json()["code"] == "batch-unopened"

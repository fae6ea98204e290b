"""Events in, collateral moved: beat and workers alone, attesters and auditor as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from settlement.chain.client import Chain
from settlement.status import BatchStatus, status
from settlement.tasks.asking import Turn
from settlement.tasks.settling import drive_all
from settlement.watch.alerts import Alert, alerts, report
from tests.conftest import ROOT, one
from tests.settlement.chain.field import ATTESTERS, MERCHANTS, Field, day
from tests.settlement.chain.tiny import SENDER
from tests.settlement.tasks.stage import Stage, keep_keys, stage
from tests.waiting import eventually

DAY_S, WINDOW_S = 86_400, 6 * 3_600
CHECK_S_MAX = 100
QUORUM_ATTESTERS_MIN = 2  # the commit does not wait for the third


@pytest.fixture
def settling(field: Field) -> Iterator[Stage]:
    """A founded alliance with a day of trade, its keys in files, a day later by the chain's clock."""
    field.post(day(1))
    with field.settlement() as s:
        recipients = {each.kid: each.public_key for each in s.publication.recipients}
    keep_keys(field.folder, operator=bytes(SENDER.key), vault=b"\x06" * 32, recipients=recipients)
    Chain(field.url).advance_time(DAY_S)
    with stage(field.dsn, field.folder) as made:
        made.more = {
            "TONGDUI_RPC_URL": field.url,
            "TONGDUI_KEYS": str(field.folder),
            "TONGDUI_ATTESTATIONS": str(field.folder / "attesters"),
            "TONGDUI_MIRRORS": json.dumps([{"kind": "folder", "path": str(path)} for path in field.mirrors]),
        }
        yield made


def test_an_alert_is_over_when_there_is_nothing_to_drive_and_nothing_forced(settling: Stage) -> None:
    where = {"rpc_url": settling.more["TONGDUI_RPC_URL"], "keys": settling.folder}
    works = replace(settling.works, settings=settling.settings.model_copy(update=where))
    with works.connection() as conn:
        left = Alert(code="forced-due", place="forced event 1", expected="a batch that holds it", actual="in no batch")
        report(conn, "forced", left)
        assert drive_all(Turn(works, conn)) == {}
        assert alerts(conn) == []


def batches(played: Stage) -> list[BatchStatus]:
    """All but genesis."""
    with psycopg.connect(played.dsn, autocommit=True) as conn:
        return status(conn, first=1)


def states(played: Stage) -> dict[int, str]:
    return {batch.batch_no: batch.state for batch in batches(played)}


def keep(path: Path, secret: str) -> None:
    path.touch(mode=0o600)
    path.write_text(secret)


def auditor(field: Field, verb: str, *more: str) -> list[str]:
    hub = "0x" + str(one(field.dsn, "SELECT encode(hub, 'hex') FROM settlement.chain_anchor"))
    reader = field.folder / "reader.json"
    keep(reader, json.dumps({"kid": "auditor", "x25519": (b"\x05" * 32).hex(), "note": "a test's"}))
    where = ["--rpc", field.url, "--hub", hub, "--data", str(field.mirrors[0]), "--keys", str(reader)]
    return [sys.executable, "-m", "auditor", verb, *where, "--jobs", "1", "--quiet", *more]


def attest(field: Field) -> None:
    """Every attester, each in a process of its own, leaves its file where it is collected."""
    folder = field.folder / "attesters"
    folder.mkdir(exist_ok=True)
    for number, key in enumerate(ATTESTERS):
        signer = field.folder / f"attester-{number}.key"
        keep(signer, key.hex() + "\n")
        own = ["--signer", str(signer), "--state", str(signer) + ".state", "--out", str(folder / f"{number}.json")]
        subprocess.run(auditor(field, "attest", *own), cwd=ROOT, check=True, timeout=CHECK_S_MAX)


def positions(played: Stage) -> dict[str, Any]:
    with psycopg.connect(played.dsn) as conn:
        return dict(conn.execute("SELECT verb, count(*) FROM ledger.journal GROUP BY verb").fetchall())


@pytest.mark.slow
def test_a_day_is_settled_by_beat_and_workers_alone(field: Field, settling: Stage) -> None:
    keep(inspector := field.folder / "inspector.json", json.dumps({"kid": "auditor", "x25519": (b"\x05" * 32).hex()}))
    patient = {"TONGDUI_TASK_SECONDS_MAX": "100", "TONGDUI_REDELIVERY_SECONDS": "101"}
    settling.more |= patient | {"TONGDUI_INSPECTOR_KEYS": str(inspector)}
    settling.begin("run")
    settling.begin("run")  # two workers, and two beats that ask everything twice
    (settling.folder / "attesters").mkdir()
    (settling.folder / "attesters" / "noise.json").write_text("{}")
    eventually(lambda: states(settling).get(1) == "PUBLISHED")
    attest(field)
    eventually(lambda: states(settling).get(1) == "CONFIRMED")
    Chain(field.url).advance_time(WINDOW_S)
    eventually(lambda: states(settling).get(1) == "FINALISED")
    first = batches(settling)[0]
    assert first.settling
    assert json.loads((settling.folder / "inspected" / "examined-1.json").read_text())["findings"] == []
    assert len(first.attesters) >= QUORUM_ATTESTERS_MIN
    assert [tx.purpose for tx in first.transactions] == ["commit:1.0", "finalise:1.0"]
    assert positions(settling)["settle_nets"] == 1
    assert set(dict(first.nets)) & set(MERCHANTS)
    with field.settlement() as s:
        committed = [event.fields["batchNo"] for event in s.alliance.hub.events("BatchCommitted", first=0)]
        assert committed.count(1) == 1
    verdict = subprocess.run(
        [*auditor(field, "audit", "--out", str(settling.folder / "audit.json")), "--to", "1"],
        cwd=ROOT,
        check=False,
        timeout=CHECK_S_MAX,
    )
    assert verdict.returncode == 0, (settling.folder / "audit.json").read_text()[:2_000]


@pytest.mark.slow
@pytest.mark.parametrize("point", ["sealed", "published"])
def test_a_worker_killed_while_sealing_leaves_one_batch(field: Field, settling: Stage, point: str) -> None:
    first = settling.begin("worker", HOLD_AT=point)
    settling.ask("seal")
    eventually((field.folder / "held").exists)
    before = batches(settling)[0]
    settling.kill(first)
    settling.let_leases_run_out()
    settling.begin("worker")
    settling.ask("seal", "drive", "seal", "drive")
    eventually(lambda: states(settling).get(1) == "PUBLISHED")
    eventually(lambda: (work := settling.works_of("seal")) is not None and work.attempts == 0)
    after = batches(settling)
    assert [batch.header_hash for batch in after] == [before.header_hash]

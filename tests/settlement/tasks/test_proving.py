"""Assisted proving over real queues and workers: what the member gave away is found in no queue, table or log."""

from __future__ import annotations

import psycopg

from settlement.tasks import proving as task
from settlement.tasks.__main__ import now_ms
from settlement.tasks.app import publisher
from settlement.tiers.proving import Answer, Asked, Asker, answer, ask
from tests.attacks.test_tier_privacy import every_cell, spellings
from tests.ledger.tier_scene import traffic
from tests.settlement.tasks.stage import Stage, keep_keys
from tests.settlement.tiers.ground import VAULT, Ground, secret
from tests.settlement.tiers.paper import Paper
from tests.settlement.tiers.test_proving import GOLD, request
from tests.waiting import eventually

M1 = Asker(7, "m1")


def test_a_worker_proves_and_keeps_nothing(played: Stage) -> None:
    ground = Ground(played.dsn, played.folder, Paper(played.folder / "registry.json"))
    ground.post(*traffic())
    ground.enrol("m1", "m2", "m3")
    ground.drive()
    (played.folder / "keys").mkdir()
    keep_keys(played.folder / "keys", operator=b"\x01" * 32, vault=VAULT.key, recipients={})
    played.more["TONGDUI_TIER_ASSISTED"] = "true"
    now = played.works.now_s()
    app = publisher(played.dsn, played.broker_url)
    with psycopg.connect(played.dsn, autocommit=True) as conn:
        played.begin(TONGDUI_TASK_SECONDS_MAX="110", TONGDUI_REDELIVERY_SECONDS="120")
        played.ask("epochs")
        eventually(lambda: conn.execute("SELECT 1 FROM settlement.tier_prover").fetchone())
        asked, sealed = ask(conn, M1, secret("m1"), request(GOLD), use_index=0, now=now)
        task.send(app, sealed)
        made: list[Answer] = []
        cells = [every_cell(conn)]
        eventually(lambda: fetched(conn, asked, made))
        cells.append(every_cell(conn))
    assert made[0].response is not None, made[0].refused
    assert "assisted proof" in played.said()
    told = "\n".join([*cells, played.said()]).lower()
    assert [word for word in spellings(secret("m1")) if word in told] == []


def fetched(conn: psycopg.Connection[tuple[object, ...]], asked: Asked, made: list[Answer]) -> bool:
    found = answer(conn, asked, member_no=M1.number, now=now_ms() // 1_000)
    made.extend([] if found is None else [found])
    return bool(made)

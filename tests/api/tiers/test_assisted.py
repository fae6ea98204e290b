"""Assisted proving from the member's device to the partner's: the serving process, the queue in the database, real
workers and the real prover between them; the worker that dies in the middle; how many jobs there may be.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.door import Door, open_door
from proofs.tier.policy import Policy
from settlement.tiers import proving
from settlement.tiers.proving import JOBS_EACH_MAX, Prover, ProverAway, Sealed
from settlement.tiers.trees import Trees
from tests.api.conftest import Caller, Clock
from tests.api.test_serve import serving
from tests.api.tiers import alliance
from tests.api.tiers.alliance import GOLD, MEMBERS, VAULT, Partner, let_in, own_nullifier, secret
from tests.settlement.tasks.stage import Stage, keep_keys, stage
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(400)
GOLD_OR_HIGHER = Policy(tier_mask=GOLD)
WORKER = {"TONGDUI_TIER_ASSISTED": "true", "TONGDUI_TASK_SECONDS_MAX": "40", "TONGDUI_REDELIVERY_SECONDS": "41"}
"""A worker has thirty seconds for a proof; one that died is missed after forty-one."""
JOBS, FETCH = "/v1/me/assisted-proofs", "/v1/me/assisted-proofs/fetch"


@pytest.fixture
def clock() -> Clock:
    """Processes of their own live in the present."""
    return Clock(datetime.now(UTC))


@dataclass
class Served:
    """The alliance behind a serving process: a partner, a member's device, and where workers find what they need."""

    partner: Partner
    mine: Caller
    played: Stage
    epoch: int
    database: str
    folder: Path

    def work(self) -> None:
        """One more worker, whose prover begins when the test says go."""
        path = f"{self.folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
        self.played.begin(**WORKER, PATH=path)

    def asked(self, **changes: Any) -> dict[str, Any]:
        """A request that the member wants help with."""
        asked = self.partner.asked(GOLD_OR_HIGHER, epoch=self.epoch, **changes)
        agreed = {"request_id": asked["id"], "given": True, "assisted": True}
        assert self.mine.post("/v1/me/proof-consents", agreed).status_code == 201
        return asked

    def job(self, asked: dict[str, Any]) -> Any:
        answer = self.mine.post(JOBS, {"request_id": asked["id"], "secret": str(secret(MEMBERS[0]))})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def fetched(self, job: Any) -> Any:
        """What came of a job, once it came."""
        made: list[Any] = []

        def come() -> bool:
            told = self.mine.post(FETCH, job).json()
            made.extend([told] if told["state"] != "waiting" else [])
            return bool(made)

        eventually(come, seconds=150)
        return made[0]

    def rows(self) -> int:
        with psycopg.connect(self.database) as conn:
            (count,) = conn.execute("SELECT count(*) FROM settlement.tier_proving").fetchone() or (0,)
        return int(count)

    def begun(self) -> int:
        """How often a prover was started."""
        path = self.folder / "begun"
        return path.read_text().count("\n") if path.exists() else 0


@pytest.fixture
def served(
    *, first: Partner, epoch: int, tea: Caller, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    (tmp_path / "keys").mkdir()
    keep_keys(tmp_path / "keys", operator=b"\x01" * 32, vault=VAULT.key, recipients={})
    held_prover(tmp_path)
    monkeypatch.setenv("TONGDUI_VAR", str(tmp_path))
    monkeypatch.setenv("TONGDUI_TIER_ASSISTED", "true")
    with ExitStack() as opened:
        _, address = opened.enter_context(serving(database, monkeypatch))
        http: Any = opened.enter_context(httpx2.Client(base_url=address, timeout=60))
        played = opened.enter_context(stage(database, tmp_path))
        partner = replace(first, caller=Caller(http, first.caller.token))
        mine = let_in(Caller(http, tea.token), MEMBERS[0])
        with psycopg.connect(database, autocommit=True) as conn:
            proving.ready(conn, VAULT, now=int(time.time()))
        yield Served(partner, mine, played, epoch, database, tmp_path)


def held_prover(folder: Path) -> None:
    """The node that workers find: it notes that it began, and goes on as node once a file named `go` is there."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "node"
    script.write_text(
        f"#!/bin/sh\necho begun >> {folder}/begun\n"
        f'while [ ! -e {folder}/go ]; do sleep 0.05; done\nexec {alliance.NODE} "$@"\n'
    )
    script.chmod(0o700)


def test_a_device_that_cannot_prove_is_helped_end_to_end(served: Served) -> None:
    """Asked, sealed, queued, proven, fetched once, erased; and the partner takes it like any other proof."""
    (served.folder / "go").touch()
    served.work()
    asked = served.asked()
    job = served.job(asked)
    told = served.fetched(job)
    assert (told["state"], told["refused"]) == ("proven", None)
    again = served.mine.post(FETCH, job)
    assert (again.status_code, again.json()["code"]) == (404, "proof-request-unknown")
    assert served.rows() == 0
    taken = served.partner.show(asked["id"], told["response"])
    assert taken.status_code == 200, taken.text
    assert taken.json()["nullifier"] == str(own_nullifier(MEMBERS[0], asked))
    late = served.mine.post(JOBS, {"request_id": asked["id"], "secret": str(secret(MEMBERS[0]))})
    assert (late.status_code, late.json()["code"]) == (404, "proof-request-unknown"), (
        "what was shown is not proven again"
    )


def test_what_a_killed_worker_had_in_hand_is_proven_by_another(served: Served) -> None:
    """A power cut in the middle of the proof: the job is tried again, one answer comes, and it counts once."""
    served.work()
    asked = served.asked()
    job = served.job(asked)
    eventually(lambda: served.begun() == 1)
    served.played.kill(served.played.processes[-1])
    (served.folder / "go").touch()
    served.work()
    told = served.fetched(job)
    assert (told["state"], served.begun()) == ("proven", 2)
    assert served.rows() == 0
    assert served.partner.show(asked["id"], told["response"]).status_code == 200
    assert served.partner.show(asked["id"], told["response"]).status_code == 422


@dataclass
class Queue:
    """Takes what is sent to the workers, or says that it cannot."""

    waiting: list[Sealed]
    away: bool = False

    def take(self, sealed: Sealed) -> None:
        if self.away:
            raise ProverAway("the test's queue takes nothing")
        self.waiting.append(sealed)


def test_a_member_has_so_many_jobs_and_a_queue_that_is_away_takes_none(
    *, door: Door, first: Partner, tea: Caller, epoch: int, database: str, clock: Clock
) -> None:
    queue = Queue([])
    now = int(clock.at.timestamp())
    desk = replace(door.tiers, send=queue.take)
    with (
        open_door(database, production=False, readers_max=2, now=clock, tiers=desk) as helping,
        TestClient(create_app(helping)) as http,
        psycopg.connect(database, autocommit=True) as conn,
    ):
        proving.ready(conn, VAULT, now=now)
        one, other = (let_in(Caller(http, tea.token), member) for member in MEMBERS[:2])
        asked = first.asked(GOLD_OR_HIGHER, epoch=epoch)["id"]
        for each in (one, other):
            agreed = {"request_id": asked, "given": True, "assisted": True}
            assert each.post("/v1/me/proof-consents", agreed).status_code == 201
        body = {"request_id": asked, "secret": str(secret(MEMBERS[0]))}
        queue.away = True
        assert [code(one.post(JOBS, body)) for _ in range(JOBS_EACH_MAX + 1)] == [(409, "assisted-off")] * (
            JOBS_EACH_MAX + 1
        ), "what the queue did not take holds no place"
        queue.away = False
        jobs = [one.post(JOBS, body).json() for _ in range(JOBS_EACH_MAX)]
        assert code(one.post(JOBS, body)) == (429, "assisted-busy")
        assert other.post(JOBS, body).status_code == 202, "nobody is kept out by another member"
        assert code(other.post(FETCH, jobs[0])) == (404, "proof-request-unknown")
        prover = Prover(vault=VAULT, trees=trees_of(door), circuit=alliance.KEYS, node="no-such-program")
        assert proving.prove(conn, prover, queue.waiting[0], now=now) == "failed"
        assert code(one.post(JOBS, body)) == (429, "assisted-busy"), "an answer that nobody fetched holds its place"
        assert one.post(FETCH, jobs[0]).json() == {"state": "refused", "response": None, "refused": "failed"}
        assert one.post(JOBS, body).status_code == 202
        clock.pass_by(seconds=proving.JOB_S_MAX + 1)
        assert code(one.post(FETCH, jobs[1])) == (404, "proof-request-unknown")


def test_nothing_is_proven_for_a_partner_that_has_ended(
    *, first: Partner, tea: Caller, operator: Caller, epoch: int, database: str, clock: Clock
) -> None:
    """A secret is not given away for what nobody can show any more."""
    with psycopg.connect(database, autocommit=True) as conn:
        proving.ready(conn, VAULT, now=int(clock.at.timestamp()))
    asked = first.asked(GOLD_OR_HIGHER, epoch=epoch)["id"]
    mine = let_in(tea, MEMBERS[0])
    agreed = {"request_id": asked, "given": True, "assisted": True}
    assert mine.post("/v1/me/proof-consents", agreed).status_code == 201
    body = {"request_id": asked, "secret": "15"}
    assert code(mine.post(JOBS, body)) == (409, "assisted-off"), "this door has no queue, and asks before the end"
    assert operator.post(f"/v1/partners/{first.number}/end", None).status_code == 200
    assert code(mine.post(JOBS, body)) == (404, "proof-request-unknown")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "none")


def trees_of(door: Door) -> Trees:
    assert door.tiers.trees is not None
    return door.tiers.trees

"""Ways to provoke the refusals of the doors of tier proofs.

Those that need an epoch play on an alliance of their own, with sixty members, behind a second door.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from fastapi.testclient import TestClient

from api.app import create_app
from api.door import PROOFS_AT_ONCE_MAX, PROOFS_WAITING_MAX, Door, open_door
from api.tiers.desk import Send
from api.tiers.verifying import EXAMPLE
from proofs.accounts import OPERATOR_ID
from proofs.tier.policy import Policy
from proofs.words import uint_word
from settlement.tiers import commitments, proving
from settlement.tiers.proving import Sealed
from tests.api.conftest import START, TEA, Caller
from tests.api.tiers import alliance
from tests.api.tiers.alliance import CLOCK, GOLD, MEMBERS, Partner, let_in, own_commitment, put, registered
from tests.api.ways.door import PATIENCE_SECONDS
from tests.api.ways.stage import Stage, Way
from tests.waiting import eventually

NOBODY = "0x" + "00" * 32
GOLD_OR_HIGHER = Policy(tier_mask=GOLD)
DAY_SECONDS = 86_400


def device(stage: Stage, member: str = "m") -> Caller:
    """A device of tea's customer."""
    return let_in(stage.of(TEA, scopes=["sessions:write"]), member)


def a_partner(stage: Stage) -> Partner:
    return alliance.partner(stage.operator, stage.door, 3)


def in_force(stage: Stage, send: Send | None = None, **changes: Any) -> Partner:
    """A partner of an alliance with an epoch, behind a door that can check proofs, and `send` jobs to nobody."""
    folder = Path(stage.opened.enter_context(tempfile.TemporaryDirectory()))
    desk = replace(alliance.desk_of(folder), send=send)
    opened = open_door(stage.database, production=False, readers_max=2, now=stage.clock, tiers=desk)
    door: Door = stage.opened.enter_context(opened)
    http = stage.opened.enter_context(TestClient(create_app(door), raise_server_exceptions=False))
    tea, operator = Caller(http, stage.tea.token), Caller(http, stage.new_key(OPERATOR_ID))
    alliance.settle_in(tea, operator)
    now = int(START.timestamp())
    with psycopg.connect(stage.database, autocommit=True) as conn:
        alliance.stand_by(conn)
        for member in MEMBERS:
            commitments.enrol(conn, CLOCK, member, uint_word(own_commitment(member)), now=now - DAY_SECONDS)
    alliance.seal(door, stage.database, folder, at=now)
    return alliance.partner(operator, door, 3, **changes)


def partner_ended(stage: Stage) -> Any:
    operator = stage.operator
    assert registered(operator, 3).status_code == 201
    assert operator.post("/v1/partners/3/end", None).status_code == 200
    return operator.post("/v1/partners/3/passes", {"days": 1})


def closing_in(stage: Stage) -> Any:
    asker = in_force(stage, narrowings_max=0)
    asker.asked(GOLD_OR_HIGHER)
    return asker.ask(Policy())


def asked_too_often(stage: Stage) -> Any:
    asker = in_force(stage, asks_per_day_max=1)
    asker.asked(GOLD_OR_HIGHER)
    return asker.ask(GOLD_OR_HIGHER)


def proof_refused(stage: Stage) -> Any:
    with psycopg.connect(stage.database, autocommit=True) as conn:
        alliance.stand_by(conn)
    return a_partner(stage).show(NOBODY, {})


def verifying_busy(stage: Stage) -> Any:
    """One proof cannot go on, and as many wait as may; no partner takes all places."""
    with psycopg.connect(stage.database, autocommit=True) as conn:
        alliance.stand_by(conn)
    partners = [alliance.partner(stage.operator, stage.door, number) for number in range(3, 12)]
    places, each_max = PROOFS_AT_ONCE_MAX + PROOFS_WAITING_MAX, 3

    def taken(count: int) -> bool:
        return stage.door.proofs.taken == count

    with ThreadPoolExecutor(places) as pool:
        with stage.locked("api.proof_request"):
            asked, count = [], 0
            for one in partners:
                for _ in range(min(each_max, places - count)):
                    asked.append(pool.submit(one.show, NOBODY, EXAMPLE["response"]))
                    count += 1
                    eventually(partial(taken, count), seconds=PATIENCE_SECONDS)
            told = partners[-1].show(NOBODY, EXAMPLE["response"])
        assert {each.result(PATIENCE_SECONDS).status_code for each in asked} == {422}
    return told


def taken_by_another(stage: Stage) -> Any:
    stage.customers("li")
    body = {"commitment": str(own_commitment("li"))}
    assert put(device(stage, "li"), "/v1/me/tier-commitment", body).status_code == 200
    return put(device(stage), "/v1/me/tier-commitment", body)


def too_many_keys(stage: Stage) -> Any:
    mine = device(stage)
    answers = [
        put(mine, "/v1/me/tier-commitment", {"commitment": str(own_commitment(f"m {key}"))})
        for key in range(commitments.KEYS_PER_EPOCH_MAX + 1)
    ]
    assert {each.status_code for each in answers[:-1]} == {200}
    return answers[-1]


def no_witness(stage: Stage) -> Any:
    asker = in_force(stage)
    return let_in(Caller(asker.caller.http, stage.new_key(TEA, scopes=["sessions:write"])), "m").get(
        "/v1/me/tier-witness"
    )


def decided_otherwise(stage: Stage) -> Any:
    asker = in_force(stage)
    mine = let_in(Caller(asker.caller.http, stage.new_key(TEA, scopes=["sessions:write"])), "m")
    asked = asker.asked(GOLD_OR_HIGHER)["id"]
    assert mine.post("/v1/me/proof-consents", {"request_id": asked, "given": False}).status_code == 201
    return mine.post("/v1/me/proof-consents", {"request_id": asked, "given": True})


def nowhere(_job: Sealed) -> None:
    """A queue that nobody takes from."""


def helped(stage: Stage, *, agreed: bool, send: Send | None = None, jobs: int = 1) -> Any:
    """The server asked to prove, with and without the member's word that it may; the last of so many times."""
    asker = in_force(stage, send)
    with psycopg.connect(stage.database, autocommit=True) as conn:
        proving.ready(conn, alliance.VAULT, now=int(START.timestamp()))
    mine = let_in(Caller(asker.caller.http, stage.new_key(TEA, scopes=["sessions:write"])), "m")
    asked = asker.asked(GOLD_OR_HIGHER)["id"]
    decision = {"request_id": asked, "given": True, "assisted": agreed}
    assert mine.post("/v1/me/proof-consents", decision).status_code == 201
    answers = [mine.post("/v1/me/assisted-proofs", {"request_id": asked, "secret": "15"}) for _ in range(jobs)]
    assert {each.status_code for each in answers[:-1]} <= {202}
    return answers[-1]


WAYS: dict[str, Way] = {
    "tiers-off": lambda s: s.tea.http.get("/v1/verification-key"),
    "partner-unknown": lambda s: s.operator.post("/v1/partners/3/passes", {"days": 1}),
    "partner-exists": lambda s: [registered(s.operator, 3), registered(s.operator, 3, narrowings_max=1)][1],
    "partner-ended": partner_ended,
    "proof-request-unfit": lambda s: in_force(s).ask(GOLD_OR_HIGHER, epoch=1),
    "cohort-too-small": lambda s: in_force(s).ask(Policy(tier_mask=alliance.ONLY_SILVER)),
    "ask-budget-spent": asked_too_often,
    "narrowing-budget-spent": closing_in,
    "proof-request-unknown": lambda s: s.tea.http.get(f"/v1/proof-requests/{NOBODY}"),
    "proof-refused": proof_refused,
    "verifying-busy": verifying_busy,
    "epoch-unknown": lambda s: s.tea.http.get("/v1/epochs/1"),
    "commitment-taken": taken_by_another,
    "too-many-keys": too_many_keys,
    "witness-unknown": no_witness,
    "consent-decided": decided_otherwise,
    "consent-missing": lambda s: helped(s, agreed=False),
    "assisted-off": lambda s: helped(s, agreed=True),
    "assisted-busy": lambda s: helped(s, agreed=True, send=nowhere, jobs=proving.JOBS_EACH_MAX + 1),
}

"""The same proof from everywhere at once: several servers over one database, many connections, one use.

A server checks one proof at a time and lets a partner wait with three; so the race is run between servers, whose
transactions meet in PostgreSQL. What decides is the row, whoever comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.door import Door, open_door
from api.slow import EACH_MAX
from tests.api.conftest import Caller, Clock
from tests.attacks.tiers.scene import Scene

SERVERS = 6
AT_ONCE = SERVERS * EACH_MAX
WAIT_SECONDS = 60

Show = tuple[dict[str, Any], Any]


@pytest.fixture
def servers(scene: Scene, door: Door, database: str, clock: Clock) -> Iterator[list[Caller]]:
    """The first partner's program at each of several servers."""
    with ExitStack() as opened:
        callers = []
        for _ in range(SERVERS):
            other = open_door(database, production=False, readers_max=3, now=clock, tiers=door.tiers)
            http = opened.enter_context(TestClient(create_app(opened.enter_context(other))))
            callers.append(Caller(http, scene.first.caller.token))
            assert callers[-1].get("/v1/tier-proofs/verify").status_code == 405, "routes are put together once, by one"
        yield callers


def all_at_once(servers: list[Caller], pick: Callable[[int], Show]) -> list[Any]:
    """As many answers as connections; nobody sends before everybody is there."""
    gate = Barrier(AT_ONCE)

    def show(number: int) -> Any:
        asked, response = pick(number)
        body = {"request_id": asked["id"], "response": response}
        gate.wait(WAIT_SECONDS)
        return servers[number % SERVERS].post("/v1/tier-proofs/verify", body)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(show, range(AT_ONCE)))


def uses(database: str) -> int:
    with psycopg.connect(database) as connection:
        (count,) = connection.execute("SELECT count(*) FROM api.tier_use").fetchone() or (0,)
    return int(count)


def test_one_proof_from_everywhere_counts_once(scene: Scene, servers: list[Caller], database: str) -> None:
    shown = scene.answered()
    answers = all_at_once(servers, lambda _: shown)
    assert Counter(each.status_code for each in answers) == {200: 1, 422: AT_ONCE - 1}
    assert len({each.content for each in answers if each.status_code == 422}) == 1, "and the others are told the same"
    assert uses(database) == 1
    assert scene.operator.get("/v1/tier-refusals").json()["by_reason"] == {"request-used": AT_ONCE - 1}


def test_other_proofs_of_the_same_request_count_once(scene: Scene, servers: list[Caller], database: str) -> None:
    """Two proofs of one statement, malleable or made anew, are one use."""
    asked, response = scene.answered()
    proofs = [response, scene.proof(asked)]
    assert proofs[0]["proof"] != proofs[1]["proof"]
    answers = all_at_once(servers, lambda number: (asked, proofs[number % 2]))
    assert Counter(each.status_code for each in answers) == {200: 1, 422: AT_ONCE - 1}
    assert uses(database) == 1


def test_one_nullifier_for_several_requests_counts_once(scene: Scene, servers: list[Caller], database: str) -> None:
    """Requests of one scope, each with its own proof of the same use: the request that loses is not used up."""
    every = [scene.answered() for _ in range(3)]
    assert len({response["nullifier"] for _, response in every}) == 1
    answers = all_at_once(servers, lambda number: every[number // SERVERS])
    assert Counter(each.status_code for each in answers) == {200: 1, 422: AT_ONCE - 1}
    assert uses(database) == 1
    states = [scene.first.caller.get(f"/v1/proof-requests/{asked['id']}/outcome").json()["state"] for asked, _ in every]
    assert Counter(states) == {"shown": 1, "open": 2}

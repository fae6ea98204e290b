"""A sandbox's clock ends epochs of tiers: the next one is sealed as of its first second, and the former runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api import serve
from api.app import create_app
from api.door import Door, open_door
from api.settings import Settings
from settlement.cycles import CycleSettings
from settlement.tasks.works import Works
from settlement.tiers import rows
from settlement.tiers.rows import State
from tests.api.conftest import LATER, TEA, Caller, Clock, KeyMaker
from tests.api.tiers import alliance
from tests.api.tiers.alliance import CLOCK, MEMBERS, TODAY, let_in, own_commitment, put
from tests.settlement.tiers.anchored import LENGTH_S, Anchored
from tests.settlement.tiers.anchored import MEMBERS as OF_GROUND
from tests.settlement.tiers.conftest import bare, ground  # noqa: F401
from tests.settlement.tiers.ground import VAULT
from tests.settlement.tiers.test_on_chain import anchored, works  # noqa: F401

TOMORROW = TODAY + 1


@pytest.fixture
def moving(
    *, door: Door, database: str, clock: Clock, tmp_path: Path, epoch: int, new_key: KeyMaker
) -> Iterator[Caller]:
    """A sandbox over the alliance, which seals by its clock on a registry of paper; a merchant's program in it."""
    assert epoch == TODAY

    def seal(at: int) -> Mapping[str, int]:
        before = states(database)
        alliance.seal(door, database, tmp_path, at=at)
        came = [number for number, state in states(database).items() if before.get(number) != state == "ANCHORED"]
        return {"seal_epoch": len(came)} if came else {}

    desk = replace(door.tiers, seal=seal)
    months = CycleSettings(utc_offset_minutes=0).over
    sandbox = open_door(
        database,
        production=False,
        readers_max=2,
        now=clock,
        move_clock=clock.move_to,
        tiers=desk,
        months_over=months,
    )
    with sandbox as opened, TestClient(create_app(opened)) as http:
        yield Caller(http, new_key(TEA, scopes=["clock:write", "sessions:write", "events:write", "members:read"]))


def states(database: str) -> dict[int, str]:
    with psycopg.connect(database) as conn:
        return {each.epoch: each.state.name for each in rows.epochs(conn)}


def move(caller: Caller, to: datetime) -> dict[str, int]:
    """What fell due on the way, but for tiers that were looked at."""
    answer = caller.post("/v1/test/clock", {"to": to.isoformat()})
    assert answer.status_code == 200, answer.text
    return {verb: count for verb, count in answer.json()["done"].items() if verb != "evaluate_tier"}


def begins(number: int) -> datetime:
    return datetime.fromtimestamp(CLOCK.begins(number), UTC)


def standing(caller: Caller) -> dict[int, str]:
    return {each["epoch"]: each["state"] for each in caller.http.get("/v1/epochs").json()["data"]}


def test_an_epoch_ends_by_the_clock_and_the_next_is_sealed(moving: Caller) -> None:
    """One second before its end nothing is; then a new secret counts, and is in the witness that its owner fetches."""
    mine = let_in(moving, MEMBERS[0])
    new = {"commitment": str(own_commitment("another key"))}
    assert put(mine, "/v1/me/tier-commitment", new).json()["from_epoch"] == TOMORROW
    assert move(moving, begins(TOMORROW) - timedelta(seconds=1)) == {}
    assert standing(moving) == {TODAY: "in-force"}
    assert move(moving, begins(TOMORROW)) == {"seal_epoch": 1}
    assert standing(moving) == {TODAY: "in-force", TOMORROW: "in-force"}, "the former one in its day of grace"
    told = let_in(moving, MEMBERS[0]).get("/v1/me/tier-witness").json()
    assert (told["epoch"], told["witness"]["attributes"]["key_epoch"]) == (TOMORROW, TOMORROW)
    assert move(moving, begins(TOMORROW) + timedelta(hours=5)) == {}, "sealed once"


def test_of_many_epochs_passed_at_once_the_newest_is_sealed(moving: Caller, database: str) -> None:
    """Beside the month's fees, at its own second; those in between were missed, as where nobody works."""
    done = move(moving, begins(TODAY + 30) + timedelta(hours=1))
    assert done["seal_epoch"] == 1
    assert standing(moving) == {TODAY: "over", TODAY + 30: "in-force"}
    assert states(database) == {TODAY: "RETIRED", TODAY + 30: "ANCHORED"}


def test_an_epoch_shows_its_first_second_and_not_the_clocks(moving: Caller, new_key: KeyMaker) -> None:
    """A hold that ends at noon is in force at the midnight before, however far the clock was moved in one go."""
    later = Caller(moving.http, new_key(LATER))
    later.taken("order.paid", member=MEMBERS[59], order="late", amount_minor=10_000)
    fortnight = TODAY + 14
    done = move(moving, begins(fortnight) + timedelta(hours=20))
    assert (done["confirm"], done["seal_epoch"]) == (1, 1)
    assert points(moving) == 5
    assert move(moving, begins(fortnight + 1))["seal_epoch"] == 1
    assert points(moving) == 105


def points(opener: Caller) -> int:
    told = let_in(opener, MEMBERS[59]).get("/v1/me/tier-witness").json()
    return int(told["witness"]["attributes"]["points"])


def test_the_serving_process_of_a_sandbox_seals_on_the_chain(
    anchored: Anchored,  # noqa: F811
    works: Works,  # noqa: F811
) -> None:
    """By the keys in its folder and the node of its settings, as the tasks do; an alliance without a registry has
    nothing to seal, and without the vault's key, as in production, no sandbox seals.
    """
    assert works.settings.var == anchored.ground.folder
    desk = serve.tier_desk(anchored.ground.dsn, Settings(), VAULT.key)
    assert desk.seal is not None
    now = anchored.chain.now()
    assert desk.seal(now) == {}
    anchored.found()
    assert len(OF_GROUND) == 3
    assert desk.seal(now) == {"seal_epoch": 1}
    assert desk.seal(now) == {}
    assert desk.seal(now + LENGTH_S) == {"seal_epoch": 1}
    with anchored.ground.conn() as conn:
        found: list[Any] = [(each.epoch, each.state) for each in rows.epochs(conn)]
    assert found == [(10, State.ANCHORED), (11, State.ANCHORED)]
    assert serve.tier_desk(anchored.ground.dsn, Settings(), None).seal is None

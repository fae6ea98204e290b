"""The alliance behind a door, its partners and its members."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient

from api.door import Door, open_door
from ledger.answers import Receipt
from proofs.words import uint_word
from settlement.tiers import commitments
from tests.api.conftest import TEA, Caller, Clock, KeyMaker, founding
from tests.api.tiers import alliance
from tests.api.tiers.alliance import CLOCK, MEMBERS, Partner, Wallets, own_commitment

DAY_SECONDS = 86_400


@pytest.fixture
def door(database: str, clock: Clock, tmp_path: Path) -> Iterator[Door]:
    desk = alliance.desk_of(tmp_path)
    with open_door(database, production=False, readers_max=3, now=clock, move_clock=clock.move_to, tiers=desk) as door:
        assert all(isinstance(answer.outcome, Receipt) for answer in door.poster.post(founding()))
        yield door


@pytest.fixture
def tea(http: TestClient, new_key: KeyMaker) -> Caller:
    """Tea's program may also let its customers in."""
    return Caller(http, new_key(TEA, scopes=["events:write", "sessions:write", "members:read"]))


@pytest.fixture
def epoch(*, door: Door, database: str, tmp_path: Path, tea: Caller, operator: Caller, clock: Clock) -> int:
    """Sixty members whose commitments are in the epoch of today, which is in force."""
    alliance.settle_in(tea, operator, clock.at)
    now = int(clock.at.timestamp())
    with psycopg.connect(database, autocommit=True) as conn:
        alliance.stand_by(conn)
        for member in MEMBERS:
            word = uint_word(own_commitment(member))
            commitments.enrol(conn, CLOCK, member, word, now=now - DAY_SECONDS)
    alliance.seal(door, database, tmp_path, at=now)
    return CLOCK.epoch_at(now)


@pytest.fixture
def first(operator: Caller, door: Door, epoch: int) -> Partner:
    assert epoch
    return alliance.partner(operator, door, 3)


@pytest.fixture
def second(operator: Caller, door: Door, epoch: int) -> Partner:
    assert epoch
    return alliance.partner(operator, door, 4)


@pytest.fixture(scope="session")
def wallets() -> Iterator[Wallets]:
    with alliance.wallets() as process:
        yield process

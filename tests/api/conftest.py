"""A small alliance behind a real door: PostgreSQL by the real migrations, merchants opened through the poster.

`tea` (7) and `books` (8) confirm at once and are worth 1 and 3/2 AU a point; `later` (9) holds for 14 days; `mute` (10)
has published no terms. Each test has its own database; the clock stands still unless a test moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psycopg
import pytest
from fastapi.testclient import TestClient

from api import keys
from api.app import create_app
from api.door import Door, open_door
from ledger.answers import Receipt
from ledger.commands import EarnRate, ForDays, OpenMerchant, PublishTerms
from proofs.accounts import OPERATOR_ID

TEA, BOOKS, LATER, MUTE = 7, 8, 9, 10
NOON = "2026-07-10T12:00:00Z"
START = datetime(2026, 7, 10, 12, 0, tzinfo=UTC)
FOUNDED_MS = 1_767_225_600_000  # 2026-01-01
DAY_MS = 86_400_000


@dataclass
class Clock:
    """A clock that a test sets."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, **span: int) -> None:
        self.at += timedelta(**span)

    def move_to(self, at: datetime) -> None:
        self.at = at


@dataclass
class Caller:
    """A merchant's program: its key goes with every request."""

    http: TestClient
    token: str
    _serial: int = field(default=0)

    def post(self, path: str, body: object, *, key: str | None = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.token}", **headers, **({"Idempotency-Key": key} if key else {})}
        return self.http.post(path, json=body, headers=sent)

    def ask(self, path: str, **fields: object) -> Any:
        """Send one write under a new key, at noon of the day the clock starts with unless told otherwise."""
        self._serial += 1
        return self.post(path, {"occurred_at": NOON} | fields, key=f"w-{self._serial}")

    def done(self, path: str, **fields: object) -> Any:
        """The same, when it has to succeed; answers the receipt."""
        response = self.ask(path, **fields)
        assert response.status_code == 201, response.text
        return response.json()

    def refused(self, path: str, **fields: object) -> tuple[int, str]:
        """The same, when it has to be refused; answers status and code."""
        response = self.ask(path, **fields)
        return response.status_code, response.json().get("code", "none")

    def get(self, path: str) -> Any:
        return self.http.get(path, headers={"Authorization": f"Bearer {self.token}"})

    def event(self, kind: str, **fields: object) -> Any:
        """Send one event under a new id, at noon of the day the clock shows."""
        self._serial += 1
        common = {"type": kind, "id": f"n-{self._serial}", "occurred_at": "2026-07-10T12:00:00Z"}
        return self.post("/v1/events", common | fields)

    def paid(self, order: str, amount_minor: int) -> dict[str, object]:
        """The body of an order.paid of member m whose id is the order's name."""
        return {
            "type": "order.paid",
            "id": order,
            "occurred_at": "2026-07-10T12:00:00Z",
            "member": "m",
            "order": order,
            "amount_minor": amount_minor,
        }

    def taken(self, kind: str, **fields: object) -> Any:
        """The same, when it has to succeed; answers the receipt."""
        response = self.event(kind, **fields)
        assert response.status_code == 201, response.text
        return response.json()


def founding() -> list[OpenMerchant | PublishTerms]:
    def merchant(merchant_id: int, code: str, rate: EarnRate, hold_days: int) -> OpenMerchant:
        return OpenMerchant(
            key=f"open:{code}",
            at_ms=FOUNDED_MS,
            merchant_id=merchant_id,
            code=code,
            name=code.title(),
            earn=rate,
            hold_ms=hold_days * DAY_MS,
            validity=ForDays(days=365),
            redemption_fee_bps=200,
            issuance_fee_bps=100,
            refund_policy="debt",
        )

    def terms(terms_id: int, issuer_id: int, num: int, den: int) -> PublishTerms:
        return PublishTerms(
            key=f"terms:{terms_id}", at_ms=FOUNDED_MS, terms_id=terms_id, issuer_id=issuer_id, au_num=num, au_den=den
        )

    one_per_hundred = EarnRate(points=1, per_minor=100)
    return [
        merchant(TEA, "tea", one_per_hundred, 0),
        merchant(BOOKS, "books", EarnRate(points=1_000_000, per_minor=1), 0),
        merchant(LATER, "later", one_per_hundred, 14),
        merchant(MUTE, "mute", one_per_hundred, 0),
        terms(1, TEA, 1, 1),
        terms(2, BOOKS, 3, 2),
        terms(3, LATER, 1, 1),
    ]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(database: str, clock: Clock) -> Iterator[Door]:
    with open_door(database, production=False, readers_max=2, now=clock, move_clock=clock.move_to) as door:
        assert all(isinstance(answer.outcome, Receipt) for answer in door.poster.post(founding()))
        yield door


@pytest.fixture
def http(door: Door) -> Iterator[TestClient]:
    with TestClient(create_app(door), raise_server_exceptions=False) as client:
        yield client


KeyMaker = Callable[..., str]


@pytest.fixture
def new_key(database: str) -> KeyMaker:
    """Issue a key: `new_key(TEA, scopes=[...])`. Left out: the usual ones, and those of a program that members use."""

    def make(merchant_id: int, *, environment: Literal["test", "live"] = "test", scopes: Any = None) -> str:
        if scopes is None and merchant_id != OPERATOR_ID:
            scopes = [*keys.SCOPES, "pools:write", "bonds:write"]
        with psycopg.connect(database) as connection:
            return keys.issue(connection, merchant_id=merchant_id, environment=environment, scopes=scopes)

    return make


@pytest.fixture
def tea(http: TestClient, new_key: KeyMaker) -> Caller:
    return Caller(http, new_key(TEA))


@pytest.fixture
def operator(http: TestClient, new_key: KeyMaker) -> Caller:
    return Caller(http, new_key(OPERATOR_ID))


@pytest.fixture
def books(http: TestClient, new_key: KeyMaker) -> Caller:
    return Caller(http, new_key(BOOKS))

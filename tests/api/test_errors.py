"""Every error of the catalogue, provoked through the API: a code that nobody can provoke here fails the test.

Each way below makes the mistake that its row of the catalogue describes; the answer must be that row, as problem+json,
and the operation's own documentation must have announced it. `docs/errors.md` is checked in test_openapi.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api import published
from api.app import create_app
from api.door import Door, open_door
from api.problems import CATALOGUE, LEDGER
from ledger import refusals
from ledger.commands import CloseMerchant, Command, FreezeMerchant
from tests.api.conftest import BOOKS, MUTE, TEA, Caller, Clock, KeyMaker

AT = "2026-07-10T12:00:00Z"
PATIENCE_SECONDS = 10.0


@dataclass
class Stage:
    """What a way to provoke an error may use. `tea` has one member, m, who paid order o-1 of 100.00 (100 points)."""

    tea: Caller
    door: Door
    database: str
    clock: Clock
    new_key: KeyMaker
    opened: ExitStack

    def of(self, merchant_id: int, **options: Any) -> Caller:
        """The program of another merchant, or with another key."""
        return Caller(self.tea.http, self.new_key(merchant_id, **options))

    def redeem(self, au: int, *, name: str = "r-1", key: str = "k-1", **fields: object) -> Any:
        body = {"occurred_at": AT, "member": "m", "redemption": name, "au": au} | fields
        return self.tea.post("/v1/redemptions", body, key=key)

    def refund(self, amount_minor: int, *, name: str = "f-1", order: str | None = "o-1", **fields: object) -> Any:
        return self.tea.event(
            "order.refunded", **{"member": "m", "refund": name, "order": order} | fields, amount_minor=amount_minor
        )

    @contextmanager
    def stuck_ledger(self) -> Iterator[None]:
        """While inside, the writer waits for its lock."""
        with psycopg.connect(self.database) as connection:
            connection.execute("SELECT FROM ledger.head FOR UPDATE")
            yield


@pytest.fixture
def stage(tea: Caller, door: Door, database: str, clock: Clock, new_key: KeyMaker) -> Iterator[Stage]:
    tea.taken("member.joined", member="m")
    tea.taken("order.paid", member="m", order="o-1", amount_minor=10_000)
    with ExitStack() as opened:
        yield Stage(tea, door, database, clock, new_key, opened)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def expired(stage: Stage) -> Any:
    with psycopg.connect(stage.database) as connection:
        connection.execute("UPDATE api.key SET expires_at = %s", (stage.clock.at,))
    stage.clock.pass_by(seconds=10)
    return stage.tea.event("member.joined", member="x")


def no_test_keys(stage: Stage) -> Any:
    door = open_door(stage.database, production=True, readers_max=1, now=stage.clock)
    http = stage.opened.enter_context(TestClient(create_app(stage.opened.enter_context(door))))
    return http.get("/v1/receipts/x", headers=bearer(stage.tea.token))


def in_flight(stage: Stage) -> Any:
    """The same key twice while the ledger cannot answer the first."""
    with ThreadPoolExecutor(1) as pool:
        with stage.stuck_ledger():
            first = pool.submit(stage.redeem, 1)
            until(lambda: stage.door.flights.held)
            second = stage.redeem(1)
        assert first.result(PATIENCE_SECONDS).status_code == 201
    return second


def busy(stage: Stage) -> Any:
    """A queue that holds one: with one command at work and one waiting, the third comes too much."""
    door = open_door(stage.database, production=False, readers_max=1, now=stage.clock, queue_commands_max=1)
    http = stage.opened.enter_context(TestClient(create_app(stage.opened.enter_context(door))))

    def join(no: int) -> Any:
        body = {"type": "member.joined", "id": f"busy-{no}", "occurred_at": AT, "member": f"busy-{no}"}
        return http.post("/v1/events", json=body, headers=bearer(stage.tea.token))

    with ThreadPoolExecutor(3) as pool:
        with stage.stuck_ledger():
            asked = [pool.submit(join, no) for no in range(3)]
            until(lambda: any(each.done() for each in asked))
        answers = [each.result(PATIENCE_SECONDS) for each in asked]
    assert sorted(each.status_code for each in answers) == [201, 201, 429]
    return next(each for each in answers if each.status_code == 429)


def until(true: Callable[[], object]) -> None:
    """Wait for it, not for ever."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def unavailable(stage: Stage) -> Any:
    """The database is gone for everybody but its owner."""
    name = psycopg.conninfo.conninfo_to_dict(stage.database)["dbname"]
    server = psycopg.conninfo.make_conninfo(stage.database, dbname="postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            return stage.tea.event("member.joined", member="x")
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def internal(stage: Stage) -> Any:
    """A table is gone that only a fault can remove."""
    with psycopg.connect(stage.database) as connection:
        connection.execute("DROP TABLE ledger.member CASCADE")
    return stage.tea.get("/v1/members/m/balances")


def overflow(stage: Stage) -> Any:
    """An account is filled to the brim by orders as large as one may be, a thousand a request."""
    books = stage.of(BOOKS)
    for page in range(5):
        orders = [books.paid(f"{page}-{no}", 10**9) for no in range(1_000)]
        assert books.post("/v1/events/batch", {"events": orders}).status_code == 200
    return books.event("order.paid", member="m", order="last", amount_minor=10**9)


def leaving(stage: Stage, *, closed: bool) -> Any:
    """The merchant leaves the alliance under its program's hands."""
    commands: list[Command] = [FreezeMerchant(key="freeze", at_ms=0, merchant_id=TEA, reason="leaves")]
    if closed:
        commands.append(CloseMerchant(key="close", at_ms=0, merchant_id=TEA))
    stage.door.poster.post(commands)
    return stage.redeem(1) if closed else stage.tea.event("order.paid", member="m", order="o-2", amount_minor=1)


def twice(first: Any, second: Callable[[], Any]) -> Any:
    assert first.status_code == 201, first.text
    return second()


WAYS: dict[str, Callable[[Stage], Any]] = {
    "path-unknown": lambda s: s.tea.get("/v1/nowhere"),
    "method-not-allowed": lambda s: s.tea.get("/v1/events"),
    "credentials-missing": lambda s: s.tea.http.get("/v1/receipts/x"),
    "credentials-unknown": lambda s: s.tea.http.get("/v1/receipts/x", headers=bearer("tdk_live_no")),
    "credentials-expired": expired,
    "test-key-refused": no_test_keys,
    "scope-missing": lambda s: s.of(TEA, scopes=["refunds:write"]).get("/v1/receipts/x"),
    "idempotency-key-missing": lambda s: s.tea.post("/v1/redemptions", {}),
    "idempotency-key-invalid": lambda s: s.redeem(1, key="two words"),
    "media-type-unsupported": lambda s: s.tea.http.post("/v1/events", content=b"x", headers=bearer(s.tea.token)),
    "body-too-large": lambda s: s.tea.post("/v1/events", {"x": "x" * 20_000}),
    "body-malformed": lambda s: s.tea.http.post(
        "/v1/events", content=b"{", headers=bearer(s.tea.token) | {"content-type": "application/json"}
    ),
    "field-invalid": lambda s: s.redeem(0),
    "event-type-unsupported": lambda s: s.tea.event("checkin", member="m"),
    "occurred-in-future": lambda s: s.redeem(1, occurred_at="2026-07-10T12:05:01Z"),
    "occurred-too-long-ago": lambda s: s.redeem(1, occurred_at="2026-07-09T11:59:59Z"),
    "request-in-flight": in_flight,
    "busy": busy,
    "receipt-unknown": lambda s: s.tea.get("/v1/receipts/never"),
    "batch-unknown": lambda s: s.tea.get("/v1/batches/7"),
    "unavailable": unavailable,
    "internal": internal,
    "key-reused": lambda s: twice(s.redeem(1), lambda: s.redeem(2)),
    "merchant-unknown": lambda s: s.of(77).event("order.paid", member="m", order="o", amount_minor=1),
    "merchant-frozen": lambda s: leaving(s, closed=False),
    "merchant-closed": lambda s: leaving(s, closed=True),
    "terms-missing": lambda s: s.of(MUTE).event("order.paid", member="m", order="o", amount_minor=1),
    "member-exists": lambda s: s.tea.event("member.joined", member="m"),
    "member-unknown": lambda s: s.tea.get("/v1/members/nobody/balances"),
    "order-exists": lambda s: s.tea.event("order.paid", member="m", order="o-1", amount_minor=10_000),
    "order-unknown": lambda s: s.refund(1, order="o-9"),
    "order-of-another-member": lambda s: twice(
        s.tea.event("member.joined", member="n"), lambda: s.refund(1, member="n")
    ),
    "points-too-many": lambda s: s.of(BOOKS).event("order.paid", member="m", order="o", amount_minor=10**15),
    "redemption-exists": lambda s: twice(s.redeem(1), lambda: s.redeem(1, key="k-2")),
    "nothing-to-redeem": lambda s: twice(s.redeem(100), lambda: s.redeem(1, name="r-2", key="k-2", at_most=True)),
    "balance-too-low": lambda s: s.redeem(101),
    "refund-exists": lambda s: twice(s.refund(1), lambda: s.refund(1)),
    "refund-exceeds-order": lambda s: s.refund(10_001),
    "balance-out-of-range": overflow,
}

OUT_OF_REACH = {
    "malformed": "the door's shapes are narrower than the ledger's",
    "issuer-over-limit": "the API skips an issuer over its limit instead of declining",
    "already-confirmed": "confirm has no endpoint",
    "hold-not-over": "confirm has no endpoint",
    "redemption-unknown": "holds, cancellations and disputes have no endpoint",
    "hold-too-short": "authorising has no endpoint",
    "hold-too-long": "authorising has no endpoint",
    "already-resolved": "capturing and voiding have no endpoint",
    "hold-over": "capturing has no endpoint",
    "capture-exceeds-hold": "capturing has no endpoint",
    "not-captured": "cancelling and disputing have no endpoint",
    "cancellation-exists": "cancelling has no endpoint",
    "cancel-exceeds-redemption": "cancelling has no endpoint",
    "cancel-below-a-point": "cancelling has no endpoint",
    "not-drawn-on": "disputing has no endpoint",
    "not-disputed": "disputing has no endpoint",
    "merchant-exists": "opening a merchant has no endpoint",
    "code-taken": "opening a merchant has no endpoint",
    "terms-exist": "publishing terms has no endpoint",
    "notice-too-short": "publishing terms has no endpoint",
    **dict.fromkeys(
        (
            "rule-unknown",
            "rule-unsound",
            "rule-of-another-merchant",
            "rule-withdrawn",
            "rule-version",
            "rule-steps-changed",
            "rules-too-many",
        ),
        "rules have no endpoint",
    ),
    "event-exists": "events that are no orders have no endpoint",
    "cycle-charged": "charging fees has no endpoint",
    "batch-settled": "settling has no endpoint",
    "nets-unordered": "settling has no endpoint",
    "nets-unbalanced": "settling has no endpoint",
    "order-cancelled": "confirm has no endpoint",
    "merchant-not-frozen": "closing a merchant has no endpoint",
    "member-merged": "a pool has no endpoint",
    "self-transfer": "a transfer has no endpoint",
    "transfer-exists": "a transfer has no endpoint",
    "transfers-off": "a transfer has no endpoint",
    "not-in-one-pool": "a transfer has no endpoint",
    "pool-cap": "a transfer has no endpoint",
    "pool-exists": "a pool has no endpoint",
    "pool-unknown": "a pool has no endpoint",
    "pool-full": "a pool has no endpoint",
    "in-a-pool": "a pool has no endpoint",
    "not-in-pool": "a pool has no endpoint",
    "same-issuer": "an exchange has no endpoint",
    "rate-missing": "an exchange has no endpoint",
    "exchange-exists": "an exchange has no endpoint",
    "exchange-too-small": "an exchange has no endpoint",
    "nothing-to-expire": "expiry has no endpoint",
    "adjustment-exists": "an adjustment has no endpoint",
    "adjustment-unknown": "an adjustment has no endpoint",
    "adjustment-zero": "an adjustment has no endpoint",
    "adjustment-decided": "an adjustment has no endpoint",
    "same-person": "an adjustment has no endpoint",
    "already-expired": "an opening balance has no endpoint",
}
"""Refusals of verbs that no endpoint reaches, and why. An endpoint that reaches one has to move it above."""


def test_every_refusal_of_the_ledger_has_a_row_or_a_reason() -> None:
    assert set(LEDGER) | set(OUT_OF_REACH) == set(refusals.CATALOGUE)
    assert not set(LEDGER) & set(OUT_OF_REACH)


def documented_codes(response: Any) -> set[str]:
    """What the document says the called operation may answer with this status."""
    method, path = response.request.method.lower(), response.request.url.path
    for template, methods in json.loads(published.openapi_json())["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method in methods:
            return set(methods[method]["responses"][str(response.status_code)]["description"].split(", "))
    return {"path-unknown", "method-not-allowed"}


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_error_is_provoked_through_the_api(stage: Stage, code: str) -> None:
    response = WAYS[code](stage)
    problem = response.json()
    row = CATALOGUE[code]
    assert (problem["code"], response.status_code, problem["status"]) == (code, row.status, row.status), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["title"], problem["type"]) == (row.title, f"/errors#{code}")
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    assert problem.get("request_id", response.headers["x-request-id"]) == response.headers["x-request-id"]
    assert code in documented_codes(response)
    if code in {"request-in-flight", "busy", "unavailable"}:
        assert int(response.headers["retry-after"]) >= 1

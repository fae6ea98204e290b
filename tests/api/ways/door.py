"""Ways to provoke what the door itself refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import httpx2
import psycopg
import pytest
from fastapi.testclient import TestClient

from api import parse, slow
from api.app import create_app
from api.door import open_door
from api.signing import EXAMPLE
from settlement.sealing.desk import LocalReceiptKey
from tests.api.conftest import BOOKS, LATER, TEA
from tests.api.ways.stage import AT, Stage, Way
from tests.waiting import eventually

PATIENCE_SECONDS = 10.0


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
            eventually(lambda: stage.door.flights.held, seconds=PATIENCE_SECONDS)
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
        with stage.stuck_ledger() as waits:
            asked = [pool.submit(join, 0)]
            eventually(waits, seconds=PATIENCE_SECONDS)
            asked += [pool.submit(join, no) for no in (1, 2)]
            eventually(lambda: any(each.done() for each in asked), seconds=PATIENCE_SECONDS)
        answers = [each.result(PATIENCE_SECONDS) for each in asked]
    assert sorted(each.status_code for each in answers) == [201, 201, 429]
    return next(each for each in answers if each.status_code == 429)


def body_too_slow(stage: Stage) -> Any:
    """The beginning of a body, and then nothing. Nobody waits here as long as the door does."""
    begun, said = [{"type": "http.request", "body": b"{", "more_body": True}], []

    async def receive() -> Any:
        if not begun:
            await anyio.sleep_forever()
        return begun.pop()

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"authorization", f"Bearer {stage.tea.token}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "query_string": b"", "headers": headers}
    portal = stage.tea.http.portal
    assert portal is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parse, "BODY_SECONDS_MAX", 0.05)
        portal.call(stage.tea.http.app, scope, receive, send)
    start, body = said
    request = httpx2.Request("POST", "http://testserver/v1/events")
    return httpx2.Response(start["status"], headers=start["headers"], content=body["body"], request=request)


def reading_busy(stage: Stage) -> Any:
    """One statement cannot go on, and as many wait as may: the next one is told to come again. One merchant alone does
    not take all places, and the last one is the operator's.
    """
    path, places = "/v1/clearing/cycles/open/statement", slow.AT_ONCE_MAX + slow.WAITING_MAX
    callers = [stage.tea, stage.of(BOOKS), stage.of(LATER)]

    def taken(count: int) -> bool:
        return stage.door.slow.taken == count

    with ThreadPoolExecutor(places) as pool:
        with stage.locked("ledger.journal"):
            asked = []
            for no, caller in enumerate(callers, start=1):
                asked += [pool.submit(caller.get, path) for _ in range(slow.EACH_MAX)]
                eventually(partial(taken, no * slow.EACH_MAX), seconds=PATIENCE_SECONDS)
                assert caller.get(path).status_code == 503
            assert stage.door.slow.taken == places
            told = stage.operator.get(f"{path}?merchant={TEA}")
            assert stage.of(TEA).get("/v1/clearing/positions").status_code == 200, "a new key is looked up meanwhile"
        assert {each.result(PATIENCE_SECONDS).status_code for each in asked} == {200}
    return told


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


def test_only(stage: Stage) -> Any:
    """A live key, where test keys may move the clock."""
    return stage.of(TEA, environment="live").post("/v1/test/clock", {"to": AT})


def signature_refused(stage: Stage) -> Any:
    """An alliance with contracts and a receipt key, and a merchant without a key of its own."""
    with psycopg.connect(stage.database) as connection:
        word, address = bytes(32), bytes(20)
        fields = (31_337, word, address, address, address, address, word, 0, address, 0)
        connection.execute(
            "INSERT INTO settlement.chain_anchor (chain_id, genesis_hash, token, registry, policy, hub, code_hash,"
            " deploy_block, deployer, founded_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            fields,
        )
    key = LocalReceiptKey(b"\x01" * 32)
    door = open_door(stage.database, production=False, readers_max=1, now=stage.clock, receipt_key=key)
    http = stage.opened.enter_context(TestClient(create_app(stage.opened.enter_context(door))))
    return http.post("/v1/signatures", json=own_event(), headers=bearer(stage.tea.token))


def own_event() -> dict[str, Any]:
    """The documented example, of the merchant that calls here."""
    return {**EXAMPLE, "message": {**EXAMPLE["message"], "merchantId": str(TEA)}}


WAYS: dict[str, Way] = {
    "path-unknown": lambda s: s.tea.get("/v1/nowhere"),
    "method-not-allowed": lambda s: s.tea.get("/v1/events"),
    "credentials-missing": lambda s: s.tea.http.get("/v1/receipts/x"),
    "credentials-unknown": lambda s: s.tea.http.get("/v1/receipts/x", headers=bearer("tdk_live_no")),
    "credentials-expired": expired,
    "test-key-refused": no_test_keys,
    "scope-missing": lambda s: s.of(TEA, scopes=["refunds:write"]).get("/v1/receipts/x"),
    "test-mode-only": test_only,
    "idempotency-key-missing": lambda s: s.tea.post("/v1/redemptions", {}),
    "idempotency-key-invalid": lambda s: s.redeem(1, key="two words"),
    "media-type-unsupported": lambda s: s.tea.http.post("/v1/events", content=b"x", headers=bearer(s.tea.token)),
    "body-too-large": lambda s: s.tea.post("/v1/events", {"x": "x" * 20_000}),
    "body-too-slow": body_too_slow,
    "body-malformed": lambda s: s.tea.http.post(
        "/v1/events", content=b"{", headers=bearer(s.tea.token) | {"content-type": "application/json"}
    ),
    "field-invalid": lambda s: s.redeem(0),
    "event-type-unsupported": lambda s: s.tea.event("weather.changed", member="m"),
    "occurred-in-future": lambda s: s.redeem(1, occurred_at="2026-07-10T12:05:01Z"),
    "occurred-too-long-ago": lambda s: s.redeem(1, occurred_at="2026-07-09T11:59:59Z"),
    "request-in-flight": in_flight,
    "busy": busy,
    "reading-busy": reading_busy,
    "receipt-unknown": lambda s: s.tea.get("/v1/receipts/never"),
    "signing-off": lambda s: s.tea.post("/v1/signatures", own_event()),
    "signature-refused": signature_refused,
    "alert-unknown": lambda s: s.operator.post("/v1/alerts/7/acknowledge", {"by": "lin"}),
    "batch-unknown": lambda s: s.tea.get("/v1/batches/7"),
    "batch-unopened": lambda s: s.tea.get("/v1/batches/0/mine"),
    "cycle-unknown": lambda s: s.tea.get("/v1/clearing/cycles/never/statement"),
    "unavailable": unavailable,
    "internal": internal,
}

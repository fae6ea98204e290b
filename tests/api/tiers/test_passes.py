"""Passes of members and partners: what they look like, what is stored, what they open, how they end."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.door import Door, open_door
from api.tiers import passes
from tests.api.conftest import BOOKS, TEA, Caller, Clock, KeyMaker
from tests.api.tiers.alliance import let_in, partner

MINE = "/v1/me/proof-consents"


@pytest.fixture
def wang(tea: Caller) -> Caller:
    """The device of a customer of tea."""
    tea.taken("member.joined", member="wang")
    tea.taken("order.paid", member="wang", order="o-1", amount_minor=1_000)
    return let_in(tea, "wang")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "none")


def test_a_pass_is_256_random_bits_of_which_a_digest_is_kept(wang: Caller, database: str) -> None:
    offered = passes.read(wang.token)
    assert offered is not None
    assert len(wang.token) == len("tdm_test_") + 12 + 43
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT digest, pass::text FROM api.pass").fetchone()
    assert row is not None
    assert row[0] == hashlib.sha256(wang.token[-43:].encode()).digest()
    assert wang.token[-43:] not in row[1]


def test_a_pass_opens_the_members_doors_and_no_others(wang: Caller, tea: Caller) -> None:
    assert wang.get(MINE).status_code == 200
    assert code(wang.get("/v1/members/wang")) == (401, "credentials-unknown")
    assert code(wang.get("/v1/proof-requests/0x" + "00" * 32 + "/outcome")) == (401, "credentials-unknown")
    assert code(tea.get(MINE)) == (401, "credentials-unknown")


def test_a_wrong_secret_and_an_unknown_name_answer_alike(wang: Caller) -> None:
    wrong = wang.token[:-1] + ("A" if wang.token[-1] != "A" else "B")
    unknown = wang.token[:9] + "a" * 12 + wang.token[-43:]
    other_kind = wang.token.replace("tdm_test_", "tdm_live_")
    of_a_partner = wang.token.replace("tdm_", "tdp_")
    answers = [Caller(wang.http, token).get(MINE).json() for token in (wrong, unknown, other_kind, of_a_partner, "x")]
    told = {(each["status"], each["code"], each["detail"]) for each in answers}
    assert told == {(401, "credentials-unknown", answers[0]["detail"])}


def test_a_pass_ends_by_itself_by_its_holder_and_by_whoever_opened_it(
    wang: Caller, tea: Caller, operator: Caller, clock: Clock
) -> None:
    second, third = let_in(tea, "wang"), let_in(operator, "wang")
    assert second.post("/v1/me/session/end", None).json() == {"ended": 1}
    assert code(second.get(MINE)) == (401, "credentials-expired")
    assert tea.post("/v1/members/wang/sessions/end", None).json() == {"ended": 1}
    assert code(wang.get(MINE)) == (401, "credentials-expired")
    assert third.get(MINE).status_code == 200, "the operator opened it"
    clock.pass_by(seconds=3_599)
    assert third.get(MINE).status_code == 200
    clock.pass_by(seconds=1)
    assert code(third.get(MINE)) == (401, "credentials-expired")


def test_so_many_sessions_are_open_at_a_time(wang: Caller, tea: Caller, clock: Clock) -> None:
    for _ in range(passes.AT_ONCE_MAX["member"] - 1):
        clock.pass_by(seconds=1)
        assert let_in(tea, "wang").get(MINE).status_code == 200
    assert wang.get(MINE).status_code == 200
    let_in(tea, "wang")
    assert code(wang.get(MINE)) == (401, "credentials-expired")


def test_many_at_once_are_no_more(wang: Caller, tea: Caller, database: str, clock: Clock) -> None:
    """Twenty sessions opened in one moment leave five, whichever came first."""
    assert wang.get(MINE).status_code == 200
    with psycopg.connect(database) as connection:
        (number,) = connection.execute("SELECT holder_id FROM api.pass").fetchone() or (0,)

    def come_in(_: int) -> str:
        with psycopg.connect(database) as own:
            token, _name = passes.issue(
                own,
                holder="member",
                holder_id=number,
                environment="test",
                issued_by=TEA,
                now=clock.at,
                lasts=timedelta(hours=1),
            )
        return token

    with ThreadPoolExecutor(20) as pool:
        tokens = list(pool.map(come_in, range(20)))
    opened = [token for token in tokens if Caller(tea.http, token).get(MINE).status_code == 200]
    assert len(opened) <= passes.AT_ONCE_MAX["member"]
    with psycopg.connect(database) as connection:
        counted = connection.execute("SELECT count(*) FROM api.pass WHERE expires_at > %s", (clock.at,)).fetchone()
    assert counted == (passes.AT_ONCE_MAX["member"],)


def test_an_end_only_comes_earlier(wang: Caller, database: str) -> None:
    assert wang.token
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("UPDATE api.pass SET expires_at = expires_at + interval '1 second'")
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("UPDATE api.pass SET holder_id = holder_id + 1")


def test_a_merchant_lets_in_its_own_customers_with_a_key_for_it(wang: Caller, tea: Caller, new_key: KeyMaker) -> None:
    books = Caller(tea.http, new_key(BOOKS, scopes=["sessions:write"]))
    usual = Caller(tea.http, new_key(TEA))
    asked = ("/v1/members/wang/sessions", {"seconds": 900})
    assert code(books.post(*asked)) == (403, "member-not-yours")
    assert code(usual.post(*asked)) == (403, "scope-missing")
    assert code(tea.post("/v1/members/nobody/sessions", {"seconds": 900})) == (404, "member-unknown")
    assert code(tea.post("/v1/members/wang/sessions", {"seconds": 3_601})) == (422, "field-invalid")
    assert wang.get(MINE).status_code == 200


def test_a_test_pass_opens_nothing_in_production(wang: Caller, database: str, clock: Clock) -> None:
    with (
        open_door(database, production=True, readers_max=1, now=clock) as door,
        TestClient(create_app(door)) as http,
    ):
        assert code(Caller(http, wang.token).get(MINE)) == (403, "test-key-refused")


def test_a_partners_passes_overlap_and_end_with_it(operator: Caller, door: Door, clock: Clock) -> None:
    old = partner(operator, door, 3).caller
    outcome = "/v1/proof-requests/0x" + "00" * 32 + "/outcome"
    assert code(old.get(outcome)) == (404, "proof-request-unknown")
    clock.pass_by(seconds=1)
    new = Caller(operator.http, operator.post("/v1/partners/3/passes", {"days": 1}).json()["token"])
    assert {code(each.get(outcome)) for each in (old, new)} == {(404, "proof-request-unknown")}
    clock.pass_by(seconds=1)
    newest = Caller(operator.http, operator.post("/v1/partners/3/passes", {"days": 1}).json()["token"])
    assert code(old.get(outcome)) == (401, "credentials-expired")
    clock.at += timedelta(days=1)
    assert code(newest.get(outcome)) == (401, "credentials-expired")
    last = Caller(operator.http, operator.post("/v1/partners/3/passes", {"days": 1}).json()["token"])
    assert operator.post("/v1/partners/3/end", None).json() == {"ended": 1}
    assert code(last.get(outcome)) == (401, "credentials-expired")
    assert code(operator.post("/v1/partners/3/passes", {"days": 1})) == (409, "partner-ended")

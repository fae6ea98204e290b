"""Transfers, exchanges, adjustments, opening balances, and pools: what moves, what waits, who sees whose balance."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import BOOKS, NOON, Caller, Clock, KeyMaker
from tests.api.ways.stage import NOODLES, noodles_that

TWO_DAYS_AGO = "2026-07-08T12:00:00Z"


@pytest.fixture
def noodles(operator: Caller, http: TestClient, new_key: KeyMaker, tea: Caller) -> Caller:
    """A merchant whose points may be given away; m has 100 of them, and there is n."""
    operator.done("/v1/merchants", **noodles_that(transfers="all", adjust_alone_max=10))
    caller = Caller(http, new_key(NOODLES))
    caller.done("/v1/rates", terms_id=NOODLES, au_num=1, au_den=1)
    for member in ("m", "n"):
        tea.taken("member.joined", member=member)
    caller.taken("order.paid", member="m", order="o", amount_minor=10_000)
    return caller


def points(caller: Caller, member: str) -> int:
    found: int = caller.get(f"/v1/members/{member}/balances").json()["points"]
    return found


def test_a_transfer_keeps_the_lots_end_and_tells_both_balances(noodles: Caller) -> None:
    before = noodles.get("/v1/members/m/lots").json()["data"][0]
    given = noodles.done("/v1/transfers", transfer="t", from_member="m", to_member="n", points=40)
    assert (given["balances"]["points"], given["balances"]["others"]) == (60, {"n": 40})
    [lot] = noodles.get("/v1/members/n/lots").json()["data"]
    assert (lot["remaining"], lot["expires_at"], lot["au_num"]) == (40, before["expires_at"], 1)


def test_a_family_gives_within_its_cap(operator: Caller, http: TestClient, new_key: KeyMaker, tea: Caller) -> None:
    operator.done("/v1/merchants", **noodles_that(transfers="pool"))
    noodles = Caller(http, new_key(NOODLES))
    noodles.done("/v1/rates", terms_id=NOODLES, au_num=1, au_den=1)
    for member in ("m", "n"):
        tea.taken("member.joined", member=member)
        tea.taken("order.paid", member=member, order=member, amount_minor=100)
    noodles.taken("order.paid", member="m", order="o", amount_minor=10_000)
    tea.done("/v1/pools", pool="p", owner="m", day_points_max=30)
    tea.done("/v1/pools/p/join", member="n")
    gift = {"from_member": "m", "to_member": "n"}
    noodles.done("/v1/transfers", transfer="t-1", points=30, **gift)
    assert noodles.refused("/v1/transfers", transfer="t-2", points=1, **gift) == (409, "pool-cap")
    tea.done("/v1/pools/p/leave", member="n")
    assert noodles.refused("/v1/transfers", transfer="t-3", points=1, **gift) == (409, "not-in-one-pool")
    assert points(noodles, "n") == 30


def test_an_exchange_takes_the_fewest_points_that_give_as_many(noodles: Caller, books: Caller, tea: Caller) -> None:
    books.done("/v1/exchange-rates", from_issuer=NOODLES, num=2, den=3)
    asked = {"exchange": "x", "member": "m", "from_issuer": NOODLES, "to_issuer": BOOKS, "points": 11}
    done = books.done("/v1/exchanges", **asked)
    assert (points(noodles, "m"), points(books, "m")) == (100 - 11 + 0, 7)
    assert {leg["kind"] for leg in done["legs"]} == {"exchange_out", "exchange_in"}
    [rate] = noodles.get("/v1/rates").json()["exchanges"]
    assert (rate["from_issuer"], rate["to_issuer"], rate["num"], rate["den"]) == (NOODLES, BOOKS, 2, 3)
    refused = tea.ask("/v1/exchanges", **asked)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/to_issuer")


def test_who_gives_for_points_does_not_learn_how_many_there_are(noodles: Caller, books: Caller) -> None:
    books.done("/v1/exchange-rates", from_issuer=NOODLES, num=1, den=1)
    asked = {"exchange": "x", "member": "m", "from_issuer": NOODLES, "to_issuer": BOOKS, "points": 101}
    told = [who.ask("/v1/exchanges", **asked).json() for who in (books, noodles)]
    assert [each["code"] for each in told] == ["balance-too-low"] * 2
    assert told[0]["data"] == {"issuer": NOODLES}
    assert told[1]["data"]["available"] == 100


def test_an_exchange_is_tried_with_ones_own_points_alone(noodles: Caller, books: Caller) -> None:
    """Otherwise bisection tells to the point what a member has with somebody else, and leaves no trace."""
    books.done("/v1/exchange-rates", from_issuer=NOODLES, num=1, den=1)
    asked = {"exchange": "x", "member": "m", "from_issuer": NOODLES, "to_issuer": BOOKS, "points": 100}
    told = books.ask("/v1/exchanges?dry_run=true", **asked)
    assert (told.status_code, told.json()["errors"][0]["pointer"]) == (422, "#query/dry_run")
    assert noodles.ask("/v1/exchanges?dry_run=true", **asked).status_code == 200
    assert points(noodles, "m") == 100


def test_a_rate_that_was_replaced_is_not_used_again(noodles: Caller, books: Caller, clock: Clock) -> None:
    """Otherwise whoever issues the points could go on at a rate that the giver took back."""
    books.done("/v1/exchange-rates", from_issuer=NOODLES, num=1_000, den=1)
    clock.pass_by(hours=1)
    books.done("/v1/exchange-rates", from_issuer=NOODLES, num=1, den=1, occurred_at="2026-07-10T13:00:00Z")
    asked = {"exchange": "x", "member": "m", "from_issuer": NOODLES, "to_issuer": BOOKS, "points": 10}
    assert noodles.refused("/v1/exchanges", **asked) == (422, "occurred-too-long-ago")
    noodles.done("/v1/exchanges", occurred_at="2026-07-10T13:00:00Z", **asked)
    assert points(books, "m") == 10


def test_a_large_adjustment_waits_for_a_second_person(noodles: Caller, http: TestClient, new_key: KeyMaker) -> None:
    correction = {"member": "m", "reason": "goodwill", "by": "li"}
    noodles.done("/v1/adjustments", adjustment="small", points=10, **correction)
    assert points(noodles, "m") == 110
    noodles.done("/v1/adjustments", adjustment="large", points=-50, **correction)
    assert points(noodles, "m") == 110, "nothing has moved yet"
    assert noodles.refused("/v1/adjustments/large/approve", by="zhao") == (403, "scope-missing")
    second = Caller(http, new_key(NOODLES, scopes=["adjustments:approve"]))
    older = second.post("/v1/adjustments/large/approve", {"occurred_at": TWO_DAYS_AGO, "by": "zhao"}, key="second-0")
    assert older.json()["code"] == "occurred-too-long-ago", "nor is it approved at a rate of long ago"
    assert (
        second.post("/v1/adjustments/large/approve", {"occurred_at": NOON, "by": "li"}, key="second-1").json()["code"]
        == "same-person"
    )
    done = second.post("/v1/adjustments/large/approve", {"occurred_at": NOON, "by": "zhao"}, key="second-2")
    assert done.json()["balances"]["points"] == 60


def test_a_waiting_adjustment_can_be_dropped(noodles: Caller) -> None:
    noodles.done("/v1/adjustments", adjustment="a", points=50, member="m", reason="mistake", by="li")
    noodles.done("/v1/adjustments/a/reject", by="li")
    assert noodles.refused("/v1/adjustments/a/reject", by="li") == (409, "adjustment-decided")
    assert points(noodles, "m") == 100


def test_a_large_adjustment_in_small_parts_waits_too(noodles: Caller) -> None:
    correction = {"member": "m", "reason": "goodwill", "by": "li"}
    noodles.done("/v1/adjustments", adjustment="a", points=6, **correction)
    noodles.done("/v1/adjustments", adjustment="b", points=5, **correction)
    assert points(noodles, "m") == 106
    yesterday = noodles.refused("/v1/adjustments", adjustment="c", points=5, occurred_at=TWO_DAYS_AGO, **correction)
    assert yesterday == (422, "occurred-too-long-ago"), "no day of long ago has room for it"


def test_points_of_an_old_system_end_when_they_are_said_to(
    noodles: Caller, http: TestClient, new_key: KeyMaker
) -> None:
    brought = {"source": "till", "member": "n", "points": 80, "expires_at": "2026-12-31T00:00:00+08:00"}
    assert noodles.refused("/v1/opening-balances", **brought) == (403, "scope-missing")
    bringing = Caller(http, new_key(NOODLES, scopes=["openings:write"]), 100)
    bringing.done("/v1/opening-balances", **brought)
    assert bringing.refused("/v1/opening-balances", **brought) == (409, "opening-exists")
    older = brought | {"source": "older", "occurred_at": TWO_DAYS_AGO}
    assert bringing.refused("/v1/opening-balances", **older) == (422, "occurred-too-long-ago"), "at no rate of long ago"
    [lot] = noodles.get("/v1/members/n/lots").json()["data"]
    assert (lot["remaining"], lot["order"], lot["expires_at"]) == (80, None, "2026-12-30T16:00:00.000Z")


def test_nobody_gives_another_issuers_points(noodles: Caller, tea: Caller) -> None:
    """A transfer is of the caller's own points, whatever anybody says."""
    refused = tea.refused("/v1/transfers", transfer="t", from_member="m", to_member="n", points=1)
    assert refused == (403, "transfers-off")
    assert points(noodles, "m") == 100
    assert points(tea, "m") == 0

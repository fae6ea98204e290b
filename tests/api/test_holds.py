"""Redemptions beyond paying at once: trying, holding, capturing, voiding, lapsing, cancelling, disputing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import BOOKS, TEA, Caller

REDEMPTIONS = "/v1/redemptions"


@pytest.fixture(autouse=True)
def member(tea: Caller) -> None:
    """M has 100 points of tea, worth 100 AU anywhere."""
    tea.taken("member.joined", member="m")
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)


def have(caller: Caller) -> tuple[int, int, int]:
    """points, held, available AU."""
    found = caller.get("/v1/members/m/balances").json()
    return found["points"], found["held"], found["available_au"]


def hold(caller: Caller, au: int, name: str = "h", **fields: object) -> Any:
    return caller.done(REDEMPTIONS, member="m", redemption=name, au=au, mode="authorize", **fields)


def test_the_mode_dry_run_answers_and_records_nothing(tea: Caller) -> None:
    body = {"occurred_at": "2026-07-10T12:00:00Z", "member": "m", "redemption": "r", "au": 60, "mode": "dry_run"}
    tried = tea.post(REDEMPTIONS, body, key="k")
    assert (tried.status_code, tried.json()["balances"]["points"]) == (200, 40)
    assert have(tea) == (100, 0, 100)
    done = tea.post(REDEMPTIONS, body | {"mode": "capture"}, key="k")
    assert (done.status_code, done.json()) == (201, tried.json())


@pytest.mark.parametrize("way", ["mode", "query"])
def test_trying_tells_what_could_be_paid_and_not_with_whose_points(books: Caller, way: str) -> None:
    asked = {"occurred_at": "2026-07-10T12:00:00Z", "member": "m", "redemption": "r", "au": 10**9, "at_most": True}
    if way == "mode":
        tried = books.post(REDEMPTIONS, asked | {"mode": "dry_run"}, key="k").json()
    else:
        tried = books.post(f"{REDEMPTIONS}?dry_run=true", asked, key="k").json()
    assert (tried["why"]["au"], tried["legs"]) == (100, [])
    paid = books.post(REDEMPTIONS, asked, key="k").json()
    assert [(leg["issuer"], leg["points"]) for leg in paid["legs"]] == [(TEA, 100)], "who signs must see it"
    again = books.post(f"{REDEMPTIONS}?dry_run=true", asked, key="k").json()
    assert again == paid, "what was done is told as it was"


def test_a_hold_is_captured_in_part_once(tea: Caller, books: Caller) -> None:
    held = hold(books, 80)
    assert (held["verb"], held["legs"]) == ("authorize", [])
    assert have(tea) == (100, 80, 20)
    captured = books.done(f"{REDEMPTIONS}/h/capture", au=50)
    assert [(leg["issuer"], leg["points"], leg["au"], leg["fee_au"]) for leg in captured["legs"]] == [(TEA, 50, 50, 1)]
    assert have(tea) == (50, 0, 50)
    assert books.refused(f"{REDEMPTIONS}/h/capture") == (409, "already-resolved")
    assert books.refused(f"{REDEMPTIONS}/h/void") == (409, "already-resolved")


def test_a_hold_that_is_voided_is_free_again(tea: Caller, books: Caller) -> None:
    hold(books, 80)
    books.done(f"{REDEMPTIONS}/h/void")
    assert have(tea) == (100, 0, 100)


def test_another_merchants_hold_is_not_known(tea: Caller, books: Caller) -> None:
    hold(books, 80)
    assert tea.refused(f"{REDEMPTIONS}/h/capture") == (404, "redemption-unknown")


def test_a_hold_lapses_by_the_clock(tea: Caller, books: Caller) -> None:
    hold(books, 80, hold_until="2026-07-10T13:00:00Z")
    moved = books.post("/v1/test/clock", {"to": "2026-07-10T12:59:59Z"}).json()
    assert moved["done"] == {}
    moved = books.post("/v1/test/clock", {"to": "2026-07-10T13:00:00Z"}).json()
    assert (moved["now"], moved["done"]) == ("2026-07-10T13:00:00.000Z", {"lapse_hold": 1})
    assert have(tea) == (100, 0, 100)


def test_a_hold_ends_after_a_quarter_of_an_hour_unless_told_otherwise(tea: Caller, books: Caller) -> None:
    hold(books, 80)
    assert books.post("/v1/test/clock", {"to": "2026-07-10T12:15:00Z"}).json()["done"] == {"lapse_hold": 1}
    assert have(tea) == (100, 0, 100)


@pytest.mark.parametrize("mode", ["capture", "dry_run"])
def test_an_end_goes_with_a_hold_alone(tea: Caller, mode: str) -> None:
    asked = tea.ask(REDEMPTIONS, member="m", redemption="r", au=1, mode=mode, hold_until="2026-07-10T13:00:00Z")
    assert (asked.status_code, asked.json()["errors"][0]["pointer"]) == (422, "/hold_until")


def test_what_is_given_back_is_the_same_lot_and_the_fee_too(tea: Caller, books: Caller) -> None:
    books.done(REDEMPTIONS, member="m", redemption="r", au=100)
    back = books.done(f"{REDEMPTIONS}/r/cancel", cancellation="c", au=40)
    assert [(leg["kind"], leg["points"], leg["au"]) for leg in back["legs"]] == [("refund_redeem", 40, 40)]
    assert have(tea) == (40, 0, 40)
    books.done(f"{REDEMPTIONS}/r/cancel", cancellation="c-2")
    assert have(tea) == (100, 0, 100)
    assert books.get("/v1/receipts/w-3").json()["balances"] == {"cash_au": 0, "fees_au": 0}


def test_a_dispute_holds_the_leg_out_until_the_operator_resolves_it(
    tea: Caller, books: Caller, operator: Caller
) -> None:
    books.done(REDEMPTIONS, member="m", redemption="r", au=100)
    assert books.refused(f"{REDEMPTIONS}/r/dispute", acceptor=BOOKS) == (403, "not-drawn-on")
    disputed = tea.done(f"{REDEMPTIONS}/r/dispute", acceptor=BOOKS)
    assert disputed["balances"]["cash_au"] == 0
    assert tea.refused(f"{REDEMPTIONS}/r/resolve", acceptor=BOOKS, stands=True) == (403, "scope-missing")
    operator.done(f"{REDEMPTIONS}/r/resolve", acceptor=BOOKS, stands=True)
    assert have(tea) == (0, 0, 0)
    assert operator.refused(f"{REDEMPTIONS}/r/resolve", acceptor=BOOKS, stands=True) == (409, "not-disputed")


def test_a_dispute_that_is_lost_gives_the_points_back(tea: Caller, books: Caller, operator: Caller) -> None:
    books.done(REDEMPTIONS, member="m", redemption="r", au=100)
    tea.done(f"{REDEMPTIONS}/r/dispute", acceptor=BOOKS)
    operator.done(f"{REDEMPTIONS}/r/resolve", acceptor=BOOKS, stands=False)
    assert have(tea) == (100, 0, 100)


def test_a_field_of_the_address_is_pointed_at(tea: Caller) -> None:
    problem = tea.ask(f"{REDEMPTIONS}/never/void").json()
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        ("#path/redemption", "redemption-unknown")
    ]


def test_another_verb_under_the_same_key_is_told_by_the_key(tea: Caller) -> None:
    body = {"occurred_at": "2026-07-10T12:00:00Z", "member": "m", "redemption": "r", "au": 10}
    assert tea.post(REDEMPTIONS, body, key="k").status_code == 201
    again = tea.post(REDEMPTIONS, body | {"mode": "authorize"}, key="k").json()
    assert (again["code"], again["errors"][0]["pointer"]) == ("key-reused", "#header/Idempotency-Key")

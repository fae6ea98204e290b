"""What merchants and the operator promise: rates with notice, merchants, cycles; each sees its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import BOOKS, LATER, MUTE, TEA, Caller, KeyMaker
from tests.api.ways.stage import NOODLES, noodles_that


def test_a_merchant_joins_publishes_and_earns(operator: Caller, http: Any, new_key: KeyMaker, tea: Caller) -> None:
    opened = operator.done("/v1/merchants", **noodles_that())
    assert opened["verb"] == "open_merchant"
    noodles = Caller(http, new_key(NOODLES))
    tea.taken("member.joined", member="m")
    assert noodles.event("order.paid", member="m", order="o", amount_minor=100).json()["code"] == "terms-missing"
    noodles.done("/v1/rates", terms_id=12, au_num=3, au_den=2)
    assert noodles.taken("order.paid", member="m", order="p", amount_minor=10_000)["balances"]["points"] == 100
    assert tea.refused("/v1/merchants", **noodles_that()) == (403, "scope-missing")


@pytest.mark.parametrize("fields", [{"valid_days": None}, {"valid_until": "2027-01-01T00:00:00Z"}])
def test_points_end_in_one_of_two_ways(operator: Caller, fields: dict[str, object]) -> None:
    refused = operator.ask("/v1/merchants", **noodles_that(**fields))
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/valid_days")


def test_a_worse_rate_needs_its_notice_and_no_old_date_evades_it(
    operator: Caller, http: Any, new_key: KeyMaker
) -> None:
    operator.done("/v1/merchants", **noodles_that(notice_seconds=86_400))
    noodles = Caller(http, new_key(NOODLES))
    noodles.done("/v1/rates", terms_id=12, au_num=1, au_den=1)
    worse: dict[str, object] = {"terms_id": 13, "au_num": 1, "au_den": 2, "starts_at": "2026-07-10T12:00:00Z"}
    assert noodles.refused("/v1/rates", **worse) == (422, "notice-too-short")
    old = noodles.refused("/v1/rates", **worse, occurred_at="2026-07-09T12:00:00Z")
    assert old == (422, "occurred-too-long-ago")
    noodles.done("/v1/rates", **worse | {"starts_at": "2026-07-11T12:00:00Z"})
    rates = noodles.get("/v1/rates").json()
    assert [(rate["terms_id"], rate["au_den"], rate["starts_at"][:10]) for rate in rates["rates"]] == [
        (12, 1, "2026-07-10"),
        (13, 2, "2026-07-11"),
    ]
    assert rates["next_terms_id"] == 14


def test_a_merchant_sees_its_own_rates(tea: Caller, books: Caller) -> None:
    for caller, terms_id in ((tea, 1), (books, 2)):
        assert [rate["terms_id"] for rate in caller.get("/v1/rates").json()["rates"]] == [terms_id]


def test_an_issuer_that_leaves_stops_issuing_and_stays_usable(tea: Caller, books: Caller, operator: Caller) -> None:
    tea.taken("member.joined", member="m")
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    operator.done(f"/v1/merchants/{TEA}/freeze", reason="leaving")
    assert tea.event("order.paid", member="m", order="p", amount_minor=1).json()["code"] == "merchant-frozen"
    books.done("/v1/redemptions", member="m", redemption="r", au=60)
    closed = operator.done(f"/v1/merchants/{TEA}/close")
    assert closed["verb"] == "close_merchant"
    assert books.refused("/v1/redemptions", member="m", redemption="r-2", au=1)[0] == 409


def test_a_merchant_of_no_such_number_is_pointed_at(operator: Caller) -> None:
    for number, status in (("99", 403), ("0", 422), ("x", 422), ("9999999999", 422)):
        refused = operator.ask(f"/v1/merchants/{number}/freeze", reason="x")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (status, "#path/merchant_id")


def test_the_end_of_a_cycle_charges_what_accrued(tea: Caller, operator: Caller) -> None:
    tea.taken("member.joined", member="m")
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    before = operator.get("/v1/clearing/positions").json()["positions"]
    ended = operator.done("/v1/clearing/cycles", cycle="2026-07")
    assert [leg["kind"] for leg in ended["legs"]] == ["fee"]
    after = operator.get("/v1/clearing/positions").json()["positions"]
    assert [each["position_au"] for each in before] == [each["position_au"] for each in after]
    assert {each["fees_au"] for each in after} == {0}
    assert sum(each["position_au"] for each in after) == 0


def test_a_position_is_shown_to_whose_it_is(tea: Caller, books: Caller, operator: Caller) -> None:
    tea.taken("member.joined", member="m")
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    books.done("/v1/redemptions", member="m", redemption="r", au=50)
    parties = {}
    for name, caller in (("tea", tea), ("books", books), ("operator", operator)):
        parties[name] = {each["party"] for each in caller.get("/v1/clearing/positions").json()["positions"]}
    assert (parties["tea"], parties["books"]) == ({TEA}, {BOOKS})
    assert {TEA, BOOKS} < parties["operator"]
    assert not {LATER, MUTE} & parties["operator"]

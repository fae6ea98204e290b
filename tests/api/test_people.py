"""Members as a whole: joining, merging, freezing, closing, referrals; and that nobody learns too much by it."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from api import keys
from api.answers import problem_of
from ledger.answers import Refusal
from proofs.accounts import OPERATOR_ID
from tests.api.conftest import BOOKS, NOON, TEA, Caller, KeyMaker

MEMBERS = "/v1/members"


@pytest.fixture(autouse=True)
def two(tea: Caller, books: Caller) -> None:
    """M and n, both with points of tea and of books."""
    for member, tea_minor, books_minor in (("m", 10_000, 1), ("n", 5_000, 2)):
        tea.done(MEMBERS, member=member)
        tea.taken("order.paid", member=member, order=f"t-{member}", amount_minor=tea_minor)
        books.taken("order.paid", member=member, order=f"b-{member}", amount_minor=books_minor)


def points(caller: Caller, member: str) -> int:
    found: int = caller.get(f"{MEMBERS}/{member}/balances").json()["points"]
    return found


def test_joining_is_the_same_by_event_and_by_request(tea: Caller) -> None:
    receipt = tea.done(MEMBERS, member="x")
    assert receipt["verb"] == "enrol"
    assert tea.event("member.joined", member="x").json()["code"] == "member-exists"


def test_two_names_become_one_person_and_two_again(tea: Caller, books: Caller, operator: Caller) -> None:
    operator.done(f"{MEMBERS}/m/merge", into="n")
    assert (points(tea, "n"), points(tea, "m"), points(books, "n")) == (150, 150, 3_000_000)
    merged = tea.get(f"{MEMBERS}/m").json()
    assert (merged["state"], merged["merged_into"]) == ("merged", "n")
    operator.done(f"{MEMBERS}/m/unmerge")
    assert (points(tea, "n"), points(tea, "m"), points(books, "m")) == (50, 100, 1_000_000)


def test_a_merchant_that_may_merge_sees_its_own_legs_alone(http: TestClient, new_key: KeyMaker) -> None:
    governing = Caller(http, new_key(TEA, scopes=[*keys.SCOPES, "members:govern"]), 1_000)
    receipt = governing.done(f"{MEMBERS}/m/merge", into="n")
    assert receipt["legs"]
    assert {leg["issuer"] for leg in receipt["legs"]} == {TEA}
    assert "3000000" not in str(receipt)
    assert "1000000" not in str(receipt)
    assert receipt["why"] == {}, "its sums are over every issuer's points"


def test_a_refusal_names_another_issuer_and_none_of_its_figures(
    http: TestClient, new_key: KeyMaker, books: Caller, operator: Caller
) -> None:
    governing = Caller(http, new_key(TEA, scopes=[*keys.SCOPES, "members:govern"]), 1_000)
    governing.done(MEMBERS, member="x")
    books.taken("order.paid", member="x", order="b-x", amount_minor=3)
    refused = governing.ask(f"{MEMBERS}/x/close").json()
    assert (refused["code"], refused["data"]) == ("member-not-empty", {"issuer": BOOKS})
    assert operator.ask(f"{MEMBERS}/x/close").json()["data"]["confirmed"] == 3_000_000


def test_a_full_account_is_told_to_the_operator_alone() -> None:
    """It may be anybody's: the reserve's, another merchant's."""
    full = Refusal(code="balance-out-of-range", message="", field=None, data={"account": "cash:8", "balance": 1})
    assert [dict(problem_of(full, {}, merchant_id=who).data) for who in (TEA, OPERATOR_ID)] == [{}, dict(full.data)]


def test_a_merchant_governs_nobody_unless_its_key_says_so(tea: Caller) -> None:
    for act, fields in (("merge", {"into": "n"}), ("freeze", {"reason": "x"}), ("close", {})):
        assert tea.refused(f"{MEMBERS}/m/{act}", **fields) == (403, "scope-missing")


def test_a_frozen_member_earns_and_does_not_spend(tea: Caller, operator: Caller) -> None:
    operator.done(f"{MEMBERS}/m/freeze", reason="review")
    assert tea.get(f"{MEMBERS}/m").json()["state"] == "frozen"
    assert tea.refused("/v1/redemptions", member="m", redemption="r", au=1) == (403, "member-frozen")
    tea.taken("order.paid", member="m", order="again", amount_minor=10_000)
    operator.done(f"{MEMBERS}/m/unfreeze")
    tea.done("/v1/redemptions", member="m", redemption="r-2", au=1)


def test_a_member_with_nothing_left_can_leave(tea: Caller, operator: Caller) -> None:
    tea.done(MEMBERS, member="x")
    assert operator.refused(f"{MEMBERS}/m/close") == (409, "member-not-empty")
    operator.done(f"{MEMBERS}/x/close")
    assert tea.get(f"{MEMBERS}/x").json()["state"] == "closed"
    assert tea.event("order.paid", member="x", order="o", amount_minor=1).json()["code"] == "member-closed"


def test_a_referral_is_bound_once_and_told(tea: Caller, books: Caller) -> None:
    for member in ("x", "y"):
        tea.done(MEMBERS, member=member)
        tea.taken("referral.bound", member=member, referrer="m")
    assert tea.get(f"{MEMBERS}/x/referrals").json() == {
        "member": "x",
        "referrer": "m",
        "decided": True,
        "referred": 0,
    }
    assert books.get(f"{MEMBERS}/m/referrals").json()["referred"] == 2
    assert tea.event("referral.bound", member="x", referrer="n").json()["code"] == "already-bound"


def test_a_campaign_rewards_two_levels_and_stops(tea: Caller) -> None:
    for member, referrer in (("x", "m"), ("y", "x")):
        tea.done(MEMBERS, member=member)
        tea.taken("referral.bound", member=member, referrer=referrer)
    tea.done("/v1/campaigns", campaign_id=1, level_bps=[100, 50], ends_at="2027-01-01T00:00:00Z")
    receipt = tea.taken("order.paid", member="y", order="sale", amount_minor=100_000)
    assert receipt["balances"]["points"] == 1_000
    assert receipt["balances"]["others"] == {"x": 1_000, "m": 100 + 500}
    tea.done("/v1/campaigns/1/stop")
    [campaign] = tea.get("/v1/campaigns").json()["campaigns"]
    assert campaign["stopped_at"] == "2026-07-10T12:00:00.000Z"
    alone = tea.taken("order.paid", member="y", order="later", amount_minor=100_000)
    assert "others" not in alone["balances"]


def test_another_merchants_campaign_is_not_there(tea: Caller, books: Caller) -> None:
    tea.done("/v1/campaigns", campaign_id=1, level_bps=[100], ends_at="2027-01-01T00:00:00Z")
    assert books.refused("/v1/campaigns/1/stop") == (404, "campaign-unknown")
    assert books.get("/v1/campaigns").json() == {"campaigns": [], "next_campaign_id": 2}


def test_what_a_member_agrees_to_takes_a_right_of_its_own(http: TestClient, new_key: KeyMaker, tea: Caller) -> None:
    usual = Caller(http, new_key(TEA, scopes=keys.SCOPES), 1_000)
    tea.taken("member.joined", member="x")
    assert usual.refused("/v1/pools", pool="p", owner="m", day_points_max=1) == (403, "scope-missing")
    bond = usual.event("referral.bound", member="x", referrer="m")
    assert (bond.status_code, bond.json()["code"]) == (403, "scope-missing")
    event = {"type": "referral.bound", "id": "b-1", "occurred_at": NOON, "member": "x", "referrer": "m"}
    [result] = usual.post("/v1/events/batch", {"events": [event]}).json()["results"]
    assert (result["status"], result["problem"]["code"]) == (403, "scope-missing")
    assert tea.post("/v1/events", event).status_code == 201


def test_a_merchant_speaks_for_its_own_customers_alone(tea: Caller, books: Caller, operator: Caller) -> None:
    for member in ("x", "y"):
        tea.taken("member.joined", member=member)
        tea.taken("order.paid", member=member, order=f"t-{member}", amount_minor=100)
    pool = {"pool": "p", "owner": "x", "day_points_max": 1}
    assert books.refused("/v1/pools", **pool) == (403, "member-not-yours")
    tea.done("/v1/pools", **pool)
    assert books.refused("/v1/pools/p/join", member="y") == (403, "member-not-yours")
    assert books.refused("/v1/pools/p/leave", member="x") == (403, "member-not-yours")
    assert tea.refused("/v1/pools/p/join", member="nobody") == (404, "member-unknown")
    operator.done(f"{MEMBERS}/y/merge", into="m")
    assert books.refused("/v1/pools/p/join", member="y") == (409, "member-merged"), "m is a customer"

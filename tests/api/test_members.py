"""What is told about a member: to its merchants their own part, page by page, to the operator everything."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import BOOKS, LATER, TEA, Caller, KeyMaker


@pytest.fixture(autouse=True)
def history(tea: Caller, books: Caller) -> None:
    """M buys seven times at tea, once at books, and pays at books with tea's points."""
    tea.taken("member.joined", member="m")
    for number in range(7):
        tea.taken("order.paid", member="m", order=f"o-{number}", amount_minor=10_000)
    books.taken("order.paid", member="m", order="b", amount_minor=1)
    books.done("/v1/redemptions", member="m", redemption="r", au=150)


def pages(caller: Caller, path: str, limit: int) -> list[list[dict[str, Any]]]:
    """Every page of a list."""
    found, query = [], f"?limit={limit}"
    while True:
        page = caller.get(path + query).json()
        found.append(page["data"])
        if page["next_cursor"] is None:
            return found
        query = f"?limit={limit}&cursor={page['next_cursor']}"


def test_a_merchant_is_told_its_own_part_and_the_operator_all(tea: Caller, books: Caller, operator: Caller) -> None:
    parts = {}
    for name, caller in (("tea", tea), ("books", books), ("operator", operator)):
        found = caller.get("/v1/members/m").json()
        assert (found["state"], found["tier"], found["merged_into"]) == ("active", None, None)
        parts[name] = [(each["issuer"], each["points"]) for each in found["issuers"]]
    assert parts["tea"] == [(TEA, 550)]
    assert parts["books"] == [(BOOKS, 1_000_000)]
    assert parts["operator"] == [(TEA, 550), (BOOKS, 1_000_000)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_lots_come_in_pages_that_miss_nothing(tea: Caller, limit: int) -> None:
    found = pages(tea, "/v1/members/m/lots", limit)
    assert all(len(page) <= limit for page in found)
    lots = [lot for page in found for lot in page]
    assert [lot["order"] for lot in lots] == [f"o-{number}" for number in range(1, 7)], "the first one is used up"
    assert [lot["remaining"] for lot in lots] == [50, 100, 100, 100, 100, 100]
    assert {(lot["au_num"], lot["au_den"], lot["expires_at"]) for lot in lots} == {(1, 1, "2027-07-10T12:00:00.000Z")}


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_transactions_come_newest_first_and_add_up(tea: Caller, limit: int) -> None:
    found = [change for page in pages(tea, "/v1/members/m/transactions", limit) for change in page]
    assert [change["verb"] for change in found] == ["redeem"] + ["earn"] * 7
    assert (found[0]["points"], found[0]["points_after"], found[0]["merchant"]) == (-150, 550, BOOKS)
    assert (found[0]["event_id"], found[0]["why"]) == (None, {}), "why books did it is books' affair"
    assert (found[1]["event_id"], found[1]["points_after"]) == ("n-8", 700)
    assert sum(change["points"] for change in found) == 550
    assert len({change["journal_seq"] for change in found}) == 8


def test_pending_points_are_changes_too(http: Any, new_key: KeyMaker) -> None:
    later = Caller(http, new_key(LATER))
    later.taken("order.paid", member="m", order="l", amount_minor=10_000)
    [change] = later.get("/v1/members/m/transactions").json()["data"]
    assert (change["pending"], change["pending_after"], change["points_after"]) == (100, 100, None)
    [lot] = later.get("/v1/members/m/lots").json()["data"]
    assert (lot["remaining"], lot["confirmed_at"], lot["expires_at"]) == (100, None, None)


@pytest.mark.parametrize("part", ["lots", "transactions"])
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=WzFd", "cursor"),
        ("cursor=Wy0xLC0xLC0xXQ", "cursor"),
        ("cursor=" + "W" * 300, "cursor"),
        ("page=2", "page"),
    ],
)
def test_a_page_that_cannot_be_is_refused(tea: Caller, part: str, query: str, pointer: str) -> None:
    refused = tea.get(f"/v1/members/m/{part}?{query}")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"#query/{pointer}")


def test_somebody_unknown_is_refused_everywhere(tea: Caller) -> None:
    for part in ("", "/balances", "/lots", "/transactions", "/referrals"):
        refused = tea.get(f"/v1/members/nobody{part}")
        assert (refused.status_code, refused.json()["code"]) == (404, "member-unknown"), part

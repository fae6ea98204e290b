"""What merchants do with the API, in figures: earning, spending across merchants, refunds, and what each one sees."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import LATER, TEA, Caller, Clock, KeyMaker

AT = "2026-07-10T12:00:00Z"


@pytest.fixture
def later(http: TestClient, new_key: KeyMaker) -> Caller:
    return Caller(http, new_key(LATER))


@pytest.fixture(autouse=True)
def member(tea: Caller) -> None:
    tea.taken("member.joined", member="m")


def redeem(caller: Caller, au: int, name: str, query: str = "", **fields: object) -> Any:
    body = {"occurred_at": AT, "member": "m", "redemption": name, "au": au} | fields
    return caller.post(f"/v1/redemptions{query}", body, key=f"key-{name}")


def balances(caller: Caller) -> tuple[int, ...]:
    """points, pending, debt, available AU."""
    found = caller.get("/v1/members/m/balances").json()
    return tuple(found[name] for name in ("points", "pending", "debt", "available_au"))


def test_an_order_earns_and_its_receipt_says_how(tea: Caller) -> None:
    receipt = tea.taken("order.paid", member="m", order="o", amount_minor=12_999)
    assert receipt["verb"] == "earn"
    assert receipt["balances"] == {"points": 129, "fees_au": -1}
    assert [(leg["kind"], leg["points"], leg["issuer"]) for leg in receipt["legs"]] == [("earn", 129, TEA)]
    assert [(lot["points"], lot["remaining"]) for lot in receipt["lots"]] == [(129, 129)]
    assert receipt["lots"][0]["expires_at"] == "2027-07-10T12:00:00.000Z"
    assert balances(tea) == (129, 0, 0, 129)


def test_points_of_one_merchant_pay_at_another_and_neither_sees_too_much(tea: Caller, books: Caller) -> None:
    tea.taken("order.paid", member="m", order="o", amount_minor=20_000)
    assert balances(books) == (0, 0, 0, 200)
    receipt = redeem(books, 150, "r").json()
    assert [(leg["issuer"], leg["points"], leg["au"], leg["fee_au"]) for leg in receipt["legs"]] == [(TEA, 150, 150, 3)]
    assert receipt["balances"] == {"cash_au": 150, "fees_au": -3}
    assert receipt["lots"] == []
    assert balances(tea) == (50, 0, 0, 50)


def test_a_hold_keeps_points_pending(later: Caller) -> None:
    receipt = later.taken("order.paid", member="m", order="o", amount_minor=10_000)
    assert receipt["balances"] == {"pending": 100}
    assert balances(later) == (0, 100, 0, 0)
    assert redeem(later, 1, "r").json()["code"] == "balance-too-low"


def test_a_refund_of_spent_points_is_a_debt(tea: Caller) -> None:
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    assert redeem(tea, 80, "r").status_code == 201
    refund = tea.taken("order.refunded", member="m", refund="f", order="o", amount_minor=5_000)
    assert refund["why"]["taken"] == 50
    assert balances(tea) == (-30, 0, 30, 0)


def test_a_refund_whose_order_nobody_knows_is_taken(tea: Caller) -> None:
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    refund = tea.taken("order.refunded", member="m", refund="f", order=None, amount_minor=1_000)
    assert [leg["kind"] for leg in refund["legs"]] == ["adjust_down"]
    assert balances(tea) == (90, 0, 0, 90)


def test_at_most_uses_what_is_there(tea: Caller) -> None:
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    receipt = redeem(tea, 500, "r", at_most=True).json()
    assert receipt["why"]["asked_au"] == 500
    assert receipt["why"]["au"] == 100


def test_expired_points_cannot_be_used(tea: Caller, clock: Clock) -> None:
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    clock.pass_by(days=365)
    assert balances(tea) == (100, 0, 0, 0)
    assert redeem(tea, 1, "r", occurred_at="2027-07-10T12:00:00Z").json()["code"] == "balance-too-low"


def test_a_dry_run_answers_and_changes_nothing(tea: Caller) -> None:
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    asked = redeem(tea, 60, "r", "?dry_run=true")
    assert (asked.status_code, asked.json()["balances"]["points"]) == (200, 40)
    assert balances(tea) == (100, 0, 0, 100)
    assert tea.get("/v1/receipts/key-r").status_code == 404
    assert redeem(tea, 101, "r", "?dry_run=true").json()["code"] == "balance-too-low"
    done = redeem(tea, 60, "r", "?dry_run=false")
    assert done.status_code == 201
    assert done.json() == asked.json()
    assert "idempotent-replayed" not in done.headers


@pytest.mark.parametrize("query", ["?dry_run=1", "?dryrun=true", "?dry_run=true&x=1"])
def test_a_parameter_that_is_not_understood_is_refused(tea: Caller, query: str) -> None:
    refused = redeem(tea, 1, "r", query)
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert refused.json()["errors"][0]["pointer"].startswith("#query/")


def test_a_batch_cannot_be_tried(tea: Caller) -> None:
    assert tea.post("/v1/events/batch?dry_run=true", {"events": [{}]}).status_code == 422


def test_a_batch_is_taken_in_its_order(tea: Caller) -> None:
    joined = {"type": "member.joined", "id": "b-1", "occurred_at": AT, "member": "n"}
    paid = tea.paid("b-2", 10_000) | {"member": "n"}
    answer = tea.post("/v1/events/batch", {"events": [paid | {"id": "b-0", "order": "b-0"}, joined, paid]}).json()
    assert [item["status"] for item in answer["results"]] == [404, 201, 201]
    assert answer["results"][0]["problem"]["instance"] == "/v1/receipts/b-0"


def test_a_receipt_is_found_by_its_own_merchant_alone(tea: Caller, books: Caller) -> None:
    sent = tea.post("/v1/events", tea.paid("o-1", 10_000))
    assert tea.get("/v1/receipts/o-1").json() == sent.json() | {"inclusions": []}
    assert books.get("/v1/receipts/o-1").json()["code"] == "receipt-unknown"


def test_a_refused_event_has_no_receipt_but_its_reason(tea: Caller) -> None:
    redeem(tea, 1, "r")
    found = tea.get("/v1/receipts/key-r").json()
    assert (found["status"], "balance-too-low" in found["detail"]) == (404, True)

"""Repeating a write: the first answer, byte for byte, whoever repeats it how; another body is refused and named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Caller, Clock

PAID: dict[str, Any] = {
    "type": "order.paid",
    "id": "evt-1",
    "occurred_at": "2026-07-10T12:00:00Z",
    "member": "m",
    "order": "o-1",
    "amount_minor": 12_345,
}
REDEMPTION: dict[str, Any] = {"occurred_at": "2026-07-10T12:00:00Z", "member": "m", "redemption": "r-1", "au": 100}


pytestmark = pytest.mark.usefixtures("member")


@pytest.fixture
def member(tea: Caller) -> None:
    tea.taken("member.joined", member="m")


def test_a_repeated_event_is_answered_by_the_same_bytes(tea: Caller) -> None:
    first, again = (tea.post("/v1/events", PAID) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert tea.get("/v1/members/m/balances").json()["points"] == 123


def test_a_remembered_refusal_stays_refused_by_the_same_bytes(tea: Caller) -> None:
    first = tea.post("/v1/redemptions", REDEMPTION, key="k-1")
    tea.post("/v1/events", PAID)
    again = tea.post("/v1/redemptions", REDEMPTION, key="k-1")
    assert first.status_code == again.status_code == 409
    assert first.json()["code"] == "balance-too-low"
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert tea.post("/v1/redemptions", REDEMPTION | {"redemption": "r-2"}, key="k-2").status_code == 201


def test_a_batch_and_a_single_event_replay_each_other(tea: Caller) -> None:
    single = tea.post("/v1/events", PAID).json()
    results = tea.post("/v1/events/batch", {"events": [PAID, PAID | {"id": "evt-2", "order": "o-2"}] * 2}).json()
    assert [item["replayed"] for item in results["results"]] == [True, False, True, True]
    assert results["results"][0]["receipt"] == single
    assert results["results"][1] | {"replayed": True, "index": 3} == results["results"][3]


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"amount_minor": 12_346}, "/amount_minor"),
        ({"order": "o-9"}, "/order"),
        ({"member": "n"}, "/member"),
        ({"occurred_at": "2026-07-10T12:00:00.001Z"}, "/occurred_at"),
    ],
)
def test_another_body_under_the_same_id_is_refused_by_field(tea: Caller, changed: dict[str, Any], pointer: str) -> None:
    first = tea.post("/v1/events", PAID)
    other = tea.post("/v1/events", PAID | changed)
    assert other.status_code == 422
    assert other.json()["code"] == "key-reused"
    assert other.json()["errors"][0]["pointer"] == pointer
    assert tea.post("/v1/events", PAID).content == first.content


def test_another_verb_under_the_same_key_is_refused(tea: Caller) -> None:
    tea.post("/v1/events", PAID)
    other = tea.post("/v1/redemptions", REDEMPTION, key=PAID["id"])
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")


def test_merchants_have_keys_apart(tea: Caller, books: Caller) -> None:
    assert [caller.post("/v1/events", PAID).status_code for caller in (tea, books)] == [201, 201]


def test_a_header_may_repeat_the_id_and_not_contradict_it(tea: Caller) -> None:
    assert tea.post("/v1/events", PAID, key="evt-1").status_code == 201
    other = tea.post("/v1/events", PAID, key="evt-2")
    assert (other.status_code, other.json()["code"]) == (400, "idempotency-key-invalid")


def test_a_redemption_is_repeated_safely_however_late(tea: Caller, clock: Clock) -> None:
    tea.post("/v1/events", PAID)
    first = tea.post("/v1/redemptions", REDEMPTION, key="k-1")
    clock.pass_by(days=40)
    again = tea.post("/v1/redemptions", REDEMPTION, key="k-1")
    assert again.content == first.content
    fresh = tea.post("/v1/redemptions", REDEMPTION | {"redemption": "r-2"}, key="k-2")
    assert (fresh.status_code, fresh.json()["code"]) == (422, "occurred-too-long-ago")


def test_a_refund_request_is_the_event_of_that_id(tea: Caller) -> None:
    tea.post("/v1/events", PAID)
    refund = {"occurred_at": "2026-07-10T12:00:00Z", "member": "m", "refund": "f", "order": "o-1", "amount_minor": 1}
    first = tea.post("/v1/refunds", refund, key="evt-9")
    again = tea.post("/v1/events", refund | {"type": "order.refunded", "id": "evt-9"})
    assert first.status_code == 201
    assert again.content == first.content

"""Earning rules through the API: published, tried, counted, versioned, withdrawn; nothing in them is overlooked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import NOON, Caller

RULES = "/v1/rules"
DOUBLE: dict[str, Any] = {
    "rule_id": 1,
    "trigger": "order.paid",
    "condition": {"kind": "amount", "at_least": 5_000},
    "reward": {"kind": "times_base", "num": 2, "den": 1},
    "caps": {"budget_points": 150},
}
ANY = {"kind": "amount"}
STREAK: dict[str, Any] = {
    "rule_id": 2,
    "trigger": "checkin",
    "reward": {"kind": "per_streak_day", "points": [1, 2, 5]},
}


@pytest.fixture(autouse=True)
def member(tea: Caller) -> None:
    tea.taken("member.joined", member="m")


def publish(caller: Caller, rule: dict[str, Any], **changes: Any) -> Any:
    return caller.done(RULES, rule=rule | changes)


def test_an_order_earns_what_the_rule_adds_until_the_budget_ends(tea: Caller) -> None:
    publish(tea, DOUBLE)
    assert tea.taken("order.paid", member="m", order="small", amount_minor=4_900)["balances"]["points"] == 49
    first = tea.taken("order.paid", member="m", order="o-1", amount_minor=10_000)
    assert (first["why"]["rule:1:granted"], first["balances"]["points"]) == (100, 49 + 200)
    second = tea.taken("order.paid", member="m", order="o-2", amount_minor=10_000)
    assert [second["why"][f"rule:1:{part}"] for part in ("asked", "granted", "reason")] == [100, 50, "budget"]


def test_a_what_if_is_a_dry_run(tea: Caller) -> None:
    publish(tea, DOUBLE)
    asked = tea.post("/v1/events?dry_run=true", tea.paid("o", 10_000))
    assert (asked.status_code, asked.json()["why"]["rule:1:granted"]) == (200, 100)
    assert tea.get("/v1/members/m/balances").json()["points"] == 0


def test_what_is_no_order_earns_too(tea: Caller) -> None:
    publish(tea, STREAK)
    days = [tea.taken("checkin", member="m", occurred_at=f"2026-07-0{day}T08:00:00Z") for day in (7, 8, 9)]
    assert [day["balances"]["points"] for day in days] == [1, 3, 8]
    assert days[0]["verb"] == "observe"


def test_rules_look_at_what_an_event_is_about(tea: Caller) -> None:
    publish(tea, DOUBLE, condition={"kind": "category", "among": ["tea", "cups"]})
    plain = tea.taken("order.paid", member="m", order="o-1", amount_minor=10_000)
    about = tea.taken("order.paid", member="m", order="o-2", amount_minor=10_000, about={"categories": ["cups"]})
    assert (plain["balances"]["points"], about["balances"]["points"]) == (100, 300)
    refused = tea.event("order.paid", member="m", order="o-3", amount_minor=1, about={"category": "cups"})
    assert refused.json()["errors"][0]["pointer"] == "/about/category"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"caps": {"budget": 150}}, "/rule/caps/budget"),
        ({"condition": {"kind": "amount", "atleast": 5}}, "/rule/condition/atleast"),
        ({"condition": {"kind": "not", "of": {"kind": "amount", "min": 5}}}, "/rule/condition/of/min"),
        ({"condition": {"kind": "all", "of": [ANY, ANY | {"x": 1}]}}, "/rule/condition/of/1/x"),
        ({"reward": {"kind": "fixed", "points": 0}}, "/rule/reward/points"),
        ({"reward": {"kind": "fixed", "points": 1.5}}, "/rule/reward/points"),
        ({"trigger": "weather.changed"}, "/rule/trigger"),
        ({"colour": "red"}, "/rule/colour"),
        ({"rule_id": 0}, "/rule/rule_id"),
    ],
)
def test_nothing_in_a_rule_is_overlooked(tea: Caller, changes: dict[str, Any], pointer: str) -> None:
    refused = tea.ask(RULES, rule=DOUBLE | changes)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize("rule", [[], "x", None, 7])
def test_a_rule_is_an_object(tea: Caller, rule: object) -> None:
    assert tea.ask(RULES, rule=rule).json()["errors"][0]["pointer"] == "/rule"


def test_versions_follow_each_other_and_a_withdrawn_rule_is_over(tea: Caller, books: Caller) -> None:
    publish(tea, DOUBLE)
    assert tea.refused(RULES, rule=DOUBLE) == (409, "rule-version")
    publish(tea, DOUBLE, version=2, reward={"kind": "fixed", "points": 7})
    assert tea.taken("order.paid", member="m", order="o-1", amount_minor=10_000)["balances"]["points"] == 107
    assert books.refused(f"{RULES}/1/withdraw") == (404, "rule-unknown")
    tea.done(f"{RULES}/1/withdraw")
    assert tea.taken("order.paid", member="m", order="o-2", amount_minor=10_000)["balances"]["points"] == 207
    listed = tea.get(RULES).json()
    assert [(each["rule_id"], each["version"]) for each in listed["rules"]] == [(1, 1), (1, 2)]
    assert {each["withdrawn_at"] for each in listed["rules"]} == {"2026-07-10T12:00:00.000Z"}
    assert listed["next_rule_id"] == 2
    assert listed["rules"][1]["rule"]["reward"] == {"kind": "fixed", "points": 7}
    assert books.get(RULES).json()["rules"] == []


def test_an_event_that_is_no_order_can_be_called_off_while_it_waits(tea: Caller) -> None:
    publish(tea, STREAK, hold_ms=86_400_000)
    sent = tea.post("/v1/events", {"type": "checkin", "id": "c-1", "occurred_at": NOON, "member": "m"})
    assert sent.json()["balances"]["pending"] == 1
    tea.taken("order.cancelled", order="c-1")
    assert tea.get("/v1/members/m/balances").json()["pending"] == 0


def nested(depth: int) -> bytes:
    """The body of a rule whose condition is so many times not; the client's own JSON would give up."""
    condition = b'{"kind":"not","of":' * depth + b'{"kind":"first_order"}' + b"}" * depth
    return b'{"rule_id":1,"trigger":"order.paid","reward":{"kind":"fixed","points":1},"condition":' + condition + b"}"


@pytest.mark.parametrize(
    "rule",
    [nested(31), nested(600), nested(0).replace(b'"rule_id":1', b'"rule_id":' + b"9" * 5_000)],
    ids=["deep", "deeper", "huge"],
)
def test_a_rule_out_of_all_bounds_is_the_callers_mistake(tea: Caller, rule: bytes) -> None:
    headers = {"Authorization": f"Bearer {tea.token}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    body = b'{"occurred_at":"' + NOON.encode() + b'","rule":' + rule + b"}"
    refused = tea.http.post(RULES, content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")

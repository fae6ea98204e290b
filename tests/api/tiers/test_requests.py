"""What a partner may ask, and what it is told that it may not: each rule once, through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from api.tiers.asking import REQUEST_SECONDS_MAX
from proofs.keccak import keccak256
from proofs.tier.policy import Policy
from proofs.tier.statement import scope
from tests.api.conftest import START, Caller, Clock
from tests.api.tiers.alliance import GOLD, GRID, ONLY_SILVER, SILVER, TODAY, Partner, key_of, partner, registered
from tests.settlement.tiers.paper import ADDRESS, CHAIN_ID

NOW = int(START.timestamp())
GOLD_OR_HIGHER = Policy(tier_mask=GOLD)


def test_a_request_says_who_asks_what_and_what_for(first: Partner, tea: Caller) -> None:
    asked = first.asked(GOLD_OR_HIGHER)
    assert (asked["partner_id"], asked["audience"], asked["purpose"]) == (3, "partner-3.example", "a free upgrade")
    assert asked["predicate"] == "tier gold. Can be shown once for this purpose in this window."
    assert (asked["cohort"], asked["epoch"]) == (50, TODAY)
    read = tea.http.get(f"/v1/proof-requests/{asked['id']}")
    assert (read.status_code, read.json()) == (200, asked), "whoever has the id may read it"
    assert first.caller.post("/v1/proof-requests", asked["signed"]).json() == asked, "the same again"
    outcome = first.caller.get(f"/v1/proof-requests/{asked['id']}/outcome").json()
    assert outcome == {"id": asked["id"], "state": "open", "nullifier": None, "shown_at": None}


def test_another_partner_learns_nothing_of_a_request(first: Partner, second: Partner, clock: Clock) -> None:
    asked = first.asked(GOLD_OR_HIGHER)
    refused = second.caller.get(f"/v1/proof-requests/{asked['id']}/outcome")
    assert (refused.status_code, refused.json()["code"]) == (404, "proof-request-unknown")
    clock.pass_by(seconds=600)
    assert first.caller.get(f"/v1/proof-requests/{asked['id']}/outcome").json()["state"] == "over"


Ask = Callable[[Partner], Any]
UNFIT: dict[str, list[Ask]] = {
    "alliance": [
        lambda p: p.ask(GOLD_OR_HIGHER, place=(CHAIN_ID + 1, ADDRESS)),
        lambda p: p.ask(GOLD_OR_HIGHER, place=(CHAIN_ID, bytes(20))),
    ],
    "partner": [lambda p: p.ask(GOLD_OR_HIGHER, partner_id=4, key=key_of(4))],
    "policy": [lambda p: p.ask(Policy(lo=2, hi=1)), lambda p: p.ask(Policy(tier_mask=0))],
    "uses": [lambda p: p.ask(GOLD_OR_HIGHER, max_uses=2)],
    "scope": [
        lambda p: p.ask(GOLD_OR_HIGHER, scope=scope(CHAIN_ID, ADDRESS, 4, "a free upgrade", 1)),
        lambda p: p.ask(GOLD_OR_HIGHER, scope=scope(CHAIN_ID, ADDRESS, 3, "another", 1)),
        lambda p: p.ask(GOLD_OR_HIGHER, scope=scope(CHAIN_ID, ADDRESS, 3, "a free upgrade", 2)),
    ],
    "signature": [lambda p: p.ask(GOLD_OR_HIGHER, key=key_of(4))],
    "audience": [lambda p: p.ask(GOLD_OR_HIGHER, audience="partner-4.example")],
    "recipient": [lambda p: p.ask(GOLD_OR_HIGHER, recipient=b"\x01" * 20)],
    "expiry": [
        lambda p: p.ask(GOLD_OR_HIGHER, expires_at=NOW),
        lambda p: p.ask(GOLD_OR_HIGHER, expires_at=NOW + REQUEST_SECONDS_MAX + 1),
    ],
    "epoch": [lambda p: p.ask(GOLD_OR_HIGHER, epoch=TODAY + 1), lambda p: p.ask(GOLD_OR_HIGHER, epoch=0)],
    "circuit": [lambda p: p.ask(GOLD_OR_HIGHER, circuit_id=bytes(32))],
    "grid": [
        lambda p: p.ask(Policy(lo=21)),
        lambda p: p.ask(Policy(tier_mask=0b1000)),
        lambda p: p.ask(Policy(valid_on=NOW)),
        lambda p: p.ask(Policy(valid_on=86_400 * (NOW // 86_400 + 1))),
    ],
    "nonce": [lambda p: p.ask(Policy(), nonce=keccak256(b"once"))],
}


@pytest.mark.parametrize("why", UNFIT)
def test_an_unfit_request_is_refused_for_what_it_is(first: Partner, why: str) -> None:
    first.asked(GOLD_OR_HIGHER, nonce=keccak256(b"once"))
    for ask in UNFIT[why]:
        answer = ask(first)
        told = answer.json()
        assert (answer.status_code, told["code"], told["data"]) == (422, "proof-request-unfit", {"why": why}), told


def test_a_request_that_cannot_be_read_points_at_its_field(first: Partner) -> None:
    body = first.request(GOLD_OR_HIGHER)
    for field, value in (("policy", " 5"), ("policy", "1_0"), ("epoch", 1.0), ("nonce", "0x"), ("epoch", True)):
        answer = first.caller.post("/v1/proof-requests", body | {"request": body["request"] | {field: value}})
        pointer = answer.json()["errors"][0]["pointer"]
        assert (answer.status_code, pointer) in {(422, f"/request/{field}"), (422, "")}, answer.text


def test_too_small_a_cohort_is_not_shown_to_anybody(first: Partner) -> None:
    answer = first.ask(Policy(tier_mask=ONLY_SILVER))
    assert (answer.status_code, answer.json()["code"]) == (422, "cohort-too-small")


def test_what_two_policies_have_in_common_is_a_cohort_too(first: Partner, second: Partner) -> None:
    """Silver or higher are 58, and eight have less than 100 points."""
    first.asked(Policy(tier_mask=SILVER))
    below = first.ask(Policy(hi=99))
    assert (below.status_code, below.json()["code"]) == (422, "cohort-too-small")
    assert second.asked(Policy(lo=20))["cohort"] == 50


def test_who_fits_one_policy_and_not_the_other_is_a_cohort_too(first: Partner, second: Partner) -> None:
    """Only silver are six, whom nobody may ask about. Who shows silver or higher and then not gold is one of them."""
    assert first.ask(Policy(tier_mask=ONLY_SILVER)).json()["code"] == "cohort-too-small"
    first.asked(Policy(tier_mask=SILVER))
    after = first.ask(GOLD_OR_HIGHER)
    assert (after.status_code, after.json()["code"]) == (422, "cohort-too-small")
    second.asked(GOLD_OR_HIGHER)
    assert second.ask(Policy(tier_mask=SILVER)).json()["code"] == "cohort-too-small", "from below or from above"
    first.asked(Policy(tier_mask=SILVER))


def test_closing_in_is_bounded_and_known_policies_are_free(operator: Caller, first: Partner, clock: Clock) -> None:
    careful = partner(operator, first.door, 5, narrowings_max=0)
    careful.asked(GOLD_OR_HIGHER)
    second_one = careful.ask(Policy(lo=100))
    assert (second_one.status_code, second_one.json()["code"]) == (422, "narrowing-budget-spent")
    careful.asked(GOLD_OR_HIGHER)
    careful.asked(Policy(tier_mask=GOLD, max_uses=3))
    clock.pass_by(minutes=1)
    assert careful.ask(Policy(lo=100)).json()["code"] == "narrowing-budget-spent"


def test_a_days_budget_comes_back_by_and_by(operator: Caller, first: Partner, clock: Clock) -> None:
    few = partner(operator, first.door, 5, asks_per_day_max=2)
    few.asked(GOLD_OR_HIGHER)
    clock.pass_by(hours=1)
    few.asked(GOLD_OR_HIGHER)
    third = few.ask(GOLD_OR_HIGHER)
    assert (third.status_code, third.json()["code"]) == (429, "ask-budget-spent")
    assert int(third.headers["retry-after"]) == 23 * 3_600
    clock.pass_by(hours=23)
    few.asked(GOLD_OR_HIGHER)
    assert few.ask(GOLD_OR_HIGHER).json()["code"] == "ask-budget-spent"


def test_a_partner_is_registered_once_and_for_all(operator: Caller, first: Partner) -> None:
    assert first.number == 3
    same = registered(operator, 3)
    assert (same.status_code, same.json()["partner_id"]) == (201, 3)
    changes: list[dict[str, Any]] = [{"asks_per_day_max": 51}, {"address": "0x" + "01" * 20}, {"audience": "x"}]
    for change in changes:
        assert registered(operator, 3, **change).json()["code"] == "partner-exists"
    assert registered(operator, 9, audience="partner-3.example").json()["code"] == "partner-exists"
    wide = registered(operator, 9, grid=GRID.to_json() | {"points_edges": ["20", "20"]})
    assert (wide.status_code, wide.json()["errors"][0]["pointer"]) == (422, "/grid")
    listed = operator.get("/v1/partners?limit=1").json()
    assert [each["partner_id"] for each in listed["data"]] == [3]


def test_a_partner_asks_along_its_own_grid_too(operator: Caller, first: Partner) -> None:
    narrow = GRID.to_json() | {"tier_masks": [GOLD], "points_edges": [], "spend_edges": []}
    own = partner(operator, first.door, 5, grid=narrow)
    own.asked(GOLD_OR_HIGHER)
    answer = own.ask(Policy(tier_mask=SILVER))
    assert answer.json()["data"] == {"why": "grid"}
    assert "partner's" in answer.json()["detail"]

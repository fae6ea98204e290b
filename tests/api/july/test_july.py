"""The July acceptance cycle through the API, event by event and to the unit, in both modes, with its variations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.door import open_door
from tests.api.conftest import Clock, KeyMaker
from tests.api.july.playing import (
    EVENTS,
    FILE,
    NUMBERS,
    Cycle,
    later,
    legs,
    moved,
    open_cycle,
    variation,
)

EXPECTED = FILE["expected"]
MIDNIGHT = EVENTS["X"]["at"]


@pytest.fixture
def http(database: str, clock: Clock) -> Iterator[TestClient]:
    """A door to a ledger in which nobody is yet."""
    door = open_door(database, production=False, readers_max=2, now=clock, move_clock=clock.move_to)
    with door as opened, TestClient(create_app(opened), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def cycle(http: TestClient, clock: Clock, new_key: KeyMaker) -> Cycle:
    return open_cycle(http, clock, new_key)


def pending_of(receipt: dict[str, Any]) -> list[int]:
    return [lot["remaining"] for lot in receipt["lots"]]


def finals(cycle: Cycle) -> None:
    """Balances and debts at the end."""
    for member, points in EXPECTED["balances"].items():
        found = cycle.points(member)
        assert {code: found.get(code, 0) for code in points} == points, member
    for member, debts in EXPECTED["debts_points"].items():
        assert {code: -cycle.points(member)[code] for code in debts} == debts


def test_every_event_comes_out_as_the_file_says(cycle: Cycle) -> None:
    cycle.found()
    before = cycle.positions()
    for name, event in EVENTS.items():
        receipt, expect = cycle.play(name), event["expect"]
        after = cycle.positions()
        assert moved(before, after) == expect.get("clearing", {}), name
        assert sum(after.values()) == 0, name
        before = after
        if "legs" in expect:
            assert legs(receipt) == expect["legs"], name
        if "pending" in expect:
            assert pending_of(receipt) == [points for _, _, points, _ in expect["pending"]], name
        if "pending_of_E3" in expect:
            assert pending_of(receipt) == [points for *_, points in expect["pending_of_E3"]], name
        if "balances_after" in expect:
            assert {member: cycle.points(member) for member in expect["balances_after"]} == expect["balances_after"]
        for member, debts in expect.get("debts", {}).items():
            assert {code: -cycle.points(member)[code] for code in debts} == debts
    assert before == EXPECTED["net_on_redemption"]
    finals(cycle)


def test_pending_points_are_everybodys_own(cycle: Cycle) -> None:
    cycle.found()
    had: dict[str, dict[str, int]] = {member: {} for member in FILE["members"]}
    for name in ("E1", "E2", "E3", "E4", "E5"):
        cycle.play(name)
        for member, code, points, _ in EVENTS[name]["expect"]["pending"]:
            had[member][code] = had[member].get(code, 0) + points
        assert {member: cycle.pending(member) for member in had} == had, name


def test_the_clock_confirms_and_expires_as_well(cycle: Cycle) -> None:
    """Nobody reports that a hold is over: time passes, and the cycle ends the same."""
    cycle.found()
    done: dict[str, int] = {}
    for name, event in EVENTS.items():
        for verb, count in cycle.let_pass(event["at"]).items():
            done[verb] = done.get(verb, 0) + count
        if event["type"] not in {"confirm", "expire"}:
            cycle.play(name)
    confirmed = sum(event["type"] == "confirm" for event in EVENTS.values())
    assert (done["confirm"], done["expire"]) == (confirmed, len(EVENTS["X"]["expect"]["expired"]))
    assert cycle.positions() == EXPECTED["net_on_redemption"]
    finals(cycle)


def test_what_expired_is_what_the_file_says(cycle: Cycle) -> None:
    cycle.found()
    cycle.play_until()
    for member, code, points in EVENTS["X"]["expect"]["expired"]:
        changes = cycle.callers[code].get(f"/v1/members/{member}/transactions").json()["data"]
        assert [change["points"] for change in changes if change["verb"] == "expire"] == [-points]


def test_on_issuance_the_reserve_pays_and_holds_what_is_left(cycle: Cycle) -> None:
    cycle.found(mode="on_issuance")
    cycle.play_until()
    assert cycle.positions() == EXPECTED["net_on_issuance"]
    assert cycle.positions()["RESERVE"] == EXPECTED["positive_lots_au"]
    finals(cycle)


def test_variation_dispute(cycle: Cycle) -> None:
    cycle.found()
    cycle.play_until("E14.confirm")
    cycle.send("C", "/v1/redemptions/E17/dispute", {"acceptor": NUMBERS["A"]})
    for name in ("E14.confirm", "X"):
        cycle.play(name)
    assert cycle.positions() == variation("dispute")["net_on_redemption"]
    cycle.send("OP", "/v1/redemptions/E17/resolve", {"acceptor": NUMBERS["A"], "stands": True})
    assert cycle.positions() == EXPECTED["net_on_redemption"]


def test_variation_collateral(cycle: Cycle) -> None:
    said = variation("collateral")
    cycle.found(credit_limit_au=800)
    cycle.play_until("E9")
    before = cycle.positions()
    receipt = cycle.play("E9")
    assert moved(before, cycle.positions()) == said["e9_clearing"]
    assert legs(receipt) == [["C", 200, 100], ["A", 400, 400]]
    names = list(EVENTS)
    for name in names[names.index("E9") + 1 :]:
        cycle.play(name)
    assert cycle.positions() == said["net_on_redemption"]
    points = cycle.points("m2")
    assert (points["A"], points["B"], cycle.points("m1")["B"]) == (200, 50, -50)


def test_variation_replay(cycle: Cycle) -> None:
    cycle.found()
    cycle.play_until()
    seq = cycle.http.get("/health/ready").json()["journal_seq"]
    for sent in list(cycle.sent):
        again = sent.caller.post(sent.path, sent.body, key=sent.key)
        assert (again.content, again.headers.get("idempotent-replayed")) == (sent.answer.content, "true"), sent
    for sent in list(cycle.sent):
        changed = sent.body | {"occurred_at": later(sent.body["occurred_at"], milliseconds=-1)}
        refused = sent.caller.post(sent.path, changed, key=sent.key)
        assert (refused.status_code, refused.json()["code"]) == (422, "key-reused"), sent
        assert refused.json()["errors"][0]["pointer"] == "/occurred_at"
    assert cycle.http.get("/health/ready").json()["journal_seq"] == seq


def test_variation_race(cycle: Cycle) -> None:
    cycle.found()
    cycle.play_until()
    assert cycle.points("m3")["A"] == 500

    def redeem(number: int) -> Any:
        body = {"member": "m3", "redemption": f"race-{number}", "au": 500}
        return cycle.try_to("B", "/v1/redemptions", body, key=f"race-{number}")

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(redeem, range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert next(answer.json()["code"] for answer in answers if answer.status_code == 409) in {
        "balance-too-low",
        "nothing-to-redeem",
    }
    assert cycle.points("m3")["A"] == 0


@pytest.mark.parametrize(("earlier_ms", "status"), [(0, 409), (1, 201)])
def test_variation_boundary(cycle: Cycle, earlier_ms: int, status: int) -> None:
    """m1's C lot is gone at midnight, whether or not the clock has come round to expiring it."""
    cycle.found()
    cycle.play_until("X")
    cycle.clock.at = datetime.fromisoformat(later(MIDNIGHT, milliseconds=-earlier_ms))
    spent = cycle.points("m1")["C"] // 2
    body = {"member": "m1", "redemption": "late", "au": spent + cycle.points("m1")["A"]}
    assert cycle.try_to("C", "/v1/redemptions", body).status_code == status


def test_pending_points_can_never_be_redeemed(cycle: Cycle) -> None:
    cycle.found()
    cycle.play("E1")
    refused = cycle.try_to("A", "/v1/redemptions", {"member": "m1", "redemption": "early", "au": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "balance-too-low")


def test_variation_rounding(cycle: Cycle) -> None:
    """333 AU from B alone are ceil(333/5) = 67 points; 2 AU of dust stay with B."""
    cycle.found()
    cycle.play_until("E3.confirm")
    receipt = cycle.send("A", "/v1/redemptions", {"member": "m2", "redemption": "odd", "au": 333})
    assert legs(receipt) == [["B", 67, 333]]
    assert cycle.points("m2")["B"] == 100 - 67


def test_variation_referral(cycle: Cycle) -> None:
    cycle.found()
    cycle.send("A", "/v1/members", {"member": "m6"})

    def refused(member: str, referrer: str) -> str:
        bond = {"type": "referral.bound", "id": f"try-{member}-{referrer}", "member": member, "referrer": referrer}
        code: str = cycle.try_to("A", "/v1/events", bond).json()["code"]
        return code

    assert refused("m1", "m3") == "referral-cycle"
    assert refused("m6", "m6") == "self-referral"
    assert refused("m2", "m3") == "already-bound"
    cycle.play("E5")
    assert refused("m5", "m1") == "bought-before"
    third = {"campaign_id": 9, "level_bps": [100, 50, 25], "ends_at": "2027-01-01T00:00:00+08:00"}
    answer = cycle.try_to("A", "/v1/campaigns", third)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/level_bps")


@pytest.mark.parametrize("order", [["E1", "E2", "E3", "E4", "E5"], ["E4", "E2", "E5", "E1", "E3"]])
def test_variation_order(cycle: Cycle, order: list[str]) -> None:
    cycle.found()
    for name in order:
        cycle.play(name)
    cycle.clock.at = datetime.fromisoformat(EVENTS["E6"]["at"])
    for name in list(EVENTS)[list(EVENTS).index("E6") :]:
        cycle.play(name)
    assert cycle.positions() == EXPECTED["net_on_redemption"]
    finals(cycle)


def test_tiers_follow_from_what_was_bought(cycle: Cycle) -> None:
    cycle.found()
    cycle.play_until()
    for member, tier in EXPECTED["tiers"].items():
        found = cycle.callers["A"].get(f"/v1/members/{member}/tier").json()
        assert (found["tier"], found["qualifying_au"]) == (tier, EXPECTED["qualifying_au"][member]), member
    recorded = {member: cycle.callers["A"].get(f"/v1/members/{member}").json()["tier"] for member in EXPECTED["tiers"]}
    assert recorded == {
        member: None if tier == FILE["tiers"][0]["code"] else tier for member, tier in EXPECTED["tiers"].items()
    }, "the clock has recorded who rose"


def test_statements_say_what_the_file_says(cycle: Cycle) -> None:
    cycle.found()
    cycle.play_until()
    cycle.send("OP", "/v1/clearing/cycles", {"cycle": "2026-07"})
    for code, expected in EXPECTED["issuer_points"].items():
        found = cycle.callers[code].get("/v1/clearing/cycles/2026-07/statement").json()
        points = found["points"]
        assert points["issued"] == expected["issued"]
        used = points["redeemed_on_us"] + points["redeemed_by_others"]
        assert used - points["cancelled_on_us"] - points["cancelled_by_others"] == expected["redeemed"]
        assert (points["clawed_back"], points["expired"]) == (expected["clawed_back"], expected["expired"])
        assert found["closing"]["outstanding"] == expected["closing"]
        assert found["net"]["position"] == EXPECTED["net_on_redemption"][code]

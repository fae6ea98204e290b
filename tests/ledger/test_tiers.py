"""Tiers as tables: what qualifies, when a tier is reached, kept and lost, and what a member is told about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ledger import standing
from ledger.commands import EvaluateTier, SetTiers, Tier
from ledger.members.tiers import Explanation, explain
from ledger.slice import Role
from ledger.store import Store, open_store
from tests.ledger.scene import DAY, A, B, C, Scene, bond, campaign, rate, small_alliance


def tiers(**changes: Any) -> SetTiers:
    """Gold from 100 AU, diamond from 300, over ten days."""
    usual: dict[str, Any] = {"key": "tiers", "at_ms": 0, "window_ms": 10 * DAY}
    steps = (Tier("regular", 0), Tier("gold", 100), Tier("diamond", 300))
    return SetTiers(**{"tiers": steps} | usual | changes)


def evaluate(member: str, at: int, key: str | None = None) -> EvaluateTier:
    return EvaluateTier(key=key or f"evaluate {member} {at}", at_ms=at, member=member)


def scene_of(**changes: Any) -> Scene:
    scene = Scene()
    scene.play(*small_alliance(), tiers(**changes))
    return scene


def test_what_qualifies() -> None:
    """Own purchases as they stand: refunds deducted, spending not, referral rewards not."""
    scene = scene_of()
    scene.play(campaign(A, 5_000), bond("m2", "m1"))
    scene.play(scene.earn("m1", A, 12_000, order="o"), scene.earn("m2", A, 90_000), scene.earn("m1", C, 1_000))
    assert scene.points("m1", A) == 120 + 45_000
    assert scene.done(evaluate("m1", 1)).why == {"tier": "gold", "was": "", "reached": "gold", "qualifying_au": 140}
    scene.done(scene.redeem("m1", B, 40_000))
    scene.done(scene.refund("m1", A, 3_000, "o"))
    assert scene.done(evaluate("m1", 2)).why["qualifying_au"] == 110
    lots = [lot for lot in scene.book.slice.lots.values() if lot.member == "m1"]
    assert {lot.role for lot in lots} == {Role.BASE, Role.LEVEL_1}


def test_pending_purchases_do_not_count_yet() -> None:
    scene = Scene()
    scene.play(*small_alliance(hold_ms=DAY), tiers(), scene.earn("m1", A, 10_000, order="o"))
    assert scene.done(evaluate("m1", 1)).why["tier"] == "regular"
    scene.done(scene.confirm(A, "o", at=DAY))
    assert scene.done(evaluate("m1", DAY - 1)).why["tier"] == "regular"
    assert scene.done(evaluate("m1", DAY)).why["tier"] == "gold"


@pytest.mark.parametrize(
    ("changes", "history"),
    [
        # (day, tier): 350 AU are bought on day 0, 120 on day 4; the window is ten days.
        ({}, [(0, "diamond"), (9, "diamond"), (10, "gold"), (13, "gold"), (14, "regular")]),
        ({"grace_ms": 2 * DAY}, [(0, "diamond"), (11, "diamond"), (12, "gold"), (15, "gold"), (16, "regular")]),
        ({"downgrade": "one"}, [(0, "diamond"), (14, "gold"), (15, "regular"), (16, "regular")]),
        ({"grace_ms": 3 * DAY, "downgrade": "one"}, [(0, "diamond"), (17, "gold"), (19, "gold"), (20, "regular")]),
        ({"grace_ms": 3 * DAY}, [(0, "diamond"), (30, "regular")]),
        ({"window_ms": 100 * DAY}, [(0, "diamond"), (99, "diamond"), (100, "gold"), (104, "regular")]),
    ],
)
def test_reached_at_once_and_kept_for_the_grace(changes: dict[str, Any], history: list[tuple[int, str]]) -> None:
    scene = scene_of(**changes)
    scene.play(scene.earn("m1", A, 35_000, at=0), scene.earn("m1", A, 12_000, at=4 * DAY))
    assert [(day, scene.done(evaluate("m1", day * DAY)).why["tier"]) for day, _ in history] == history


def test_a_tier_that_is_reached_again_within_the_grace_starts_a_new_one() -> None:
    scene = scene_of(grace_ms=3 * DAY)
    scene.play(scene.earn("m1", A, 10_000, at=0), evaluate("m1", 0))
    kept = scene.done(evaluate("m1", 11 * DAY)).why
    assert (kept["tier"], kept["reached"], kept["kept_until_ms"]) == ("gold", "regular", 13 * DAY)
    scene.play(scene.earn("m1", A, 10_000, at=12 * DAY))
    assert "kept_until_ms" not in scene.done(evaluate("m1", 13 * DAY)).why
    assert scene.done(evaluate("m1", 24 * DAY)).why["kept_until_ms"] == 25 * DAY


def test_other_tiers_judge_anew() -> None:
    scene = scene_of()
    scene.play(scene.earn("m1", A, 20_000), evaluate("m1", 1))
    scene.done(tiers(key="other", tiers=(Tier("blue", 0), Tier("red", 200))))
    assert scene.done(evaluate("m1", 2)).why == {"tier": "red", "was": "gold", "reached": "red", "qualifying_au": 200}


def told(scene: Scene, member: str, at: int) -> Explanation:
    state = scene.book.slice
    person = state.person(scene.number(member))
    explanation = explain(state.registry, person, state.bought_by(person), at)
    assert explanation is not None
    return explanation


def test_a_member_is_told_what_is_missing_and_what_would_raise_it() -> None:
    scene = scene_of()
    scene.play(scene.earn("m1", A, 15_000), evaluate("m1", 0))
    said = told(scene, "m1", 1)
    assert (said.judged.tier, said.judged.qualifying_au, said.next_tier, said.missing_au) == (
        "gold",
        150,
        "diamond",
        150,
    )
    assert said.raise_by == ((A, 15_000), (B, 15_000), (C, 7_500))
    for merchant, amount in said.raise_by:
        for less, tier in ((1, "gold"), (0, "diamond")):
            other = scene_of()
            other.play(other.earn("m1", A, 15_000), other.earn("m1", merchant, amount - less))
            assert told(other, "m1", 1).judged.tier == tier


def test_a_member_is_told_what_is_at_risk() -> None:
    scene = scene_of(grace_ms=2 * DAY, downgrade="one")
    scene.play(scene.earn("m1", A, 35_000), evaluate("m1", 0))
    ahead = told(scene, "m1", DAY)
    assert (ahead.lost_from_ms, ahead.kept_until_ms, ahead.falls_to) == (10 * DAY, 12 * DAY, "gold")
    assert (ahead.next_tier, ahead.missing_au, ahead.raise_by) == ("", 0, ())
    late = told(scene, "m1", 11 * DAY)
    assert (late.judged.tier, late.judged.reached, late.kept_until_ms, late.falls_to) == (
        "diamond",
        "regular",
        12 * DAY,
        "gold",
    )
    assert told(scene, "m2", DAY).falls_to == ""


@pytest.fixture(name="store")
def store_(database: str) -> Iterator[Store]:
    with open_store(database) as store:
        yield store


def test_one_batch_may_set_tiers_buy_and_evaluate(store: Store) -> None:
    scene = Scene()
    commands = [*small_alliance(), tiers(), scene.earn("m1", A, 10_000), evaluate("m1", 1)]
    expected = [answer.body for answer in scene.play(*commands)]
    assert [answer.body for answer in store.post(commands)] == expected


def test_history_and_explanation_are_read_from_the_store(store: Store, database: str) -> None:
    scene = Scene()
    commands = [*small_alliance(), tiers(grace_ms=DAY), rate(A, 2, 1, key="better", terms_id=9, at_ms=DAY)]
    commands += [scene.earn("m1", A, 10_000, at=at * DAY) for at in range(3)]
    commands += [evaluate("m1", at * DAY) for at in range(20)]
    scene.play(*commands)
    for start in range(0, len(commands), 5):
        store.post(commands[start : start + 5])
    with psycopg.connect(database) as conn:
        history = standing.tier_history(conn, "m1")
        assert [(each.at_ms // DAY, each.was, each.tier, each.qualifying_au) for each in history] == [
            (0, "", "gold", 100),
            (1, "gold", "diamond", 300),
            (12, "diamond", "regular", 0),
        ]
        for at in (2 * DAY, 11 * DAY, 25 * DAY):
            assert standing.explain_tier(conn, "m1", at) == told(scene, "m1", at)
        assert standing.explain_tier(conn, "nobody", DAY) is None
        assert standing.tier_history(conn, "m2") == []

"""Two members who turn out to be one person: no cap is passed, no task is paid twice, streaks are one."""

from __future__ import annotations

import pytest

from ledger.commands import Merge, Unmerge
from ledger.rules.caps import Caps
from ledger.rules.conditions import FirstOrder
from ledger.rules.rewards import PerStreakDay, TimesBase
from ledger.rules.task import Step
from proofs.kinds import Kind
from tests.ledger.rule_scene import RuleScene, of_rule, rule_scene
from tests.ledger.rules.making import rule
from tests.ledger.scene import DAY, A, bond, campaign

STEPS = (Step(trigger="share.arrived", times=2), Step(trigger="checkin"))
TASK = rule(trigger="task.completed", points=100, steps=STEPS)


def merge(scene: RuleScene) -> None:
    scene.done(Merge(key=scene.name(), at_ms=DAY, member="m1", into="m2"))


def unmerge(scene: RuleScene) -> None:
    scene.done(Unmerge(key=scene.name(), at_ms=DAY, member="m1"))


@pytest.mark.parametrize(
    ("caps", "granted"),
    [
        (Caps(member_points=25), (5, "member-cap")),
        (Caps(member_times=2), (0, "member-cap")),
        (Caps(member_times=3), (10, "granted")),
        (Caps(member_day_points=25), (5, "member-day-cap")),
        (Caps(member_day_times=2), (0, "member-day-cap")),
    ],
)
def test_caps_count_what_both_had(caps: Caps, granted: tuple[int, str]) -> None:
    scene = rule_scene(rule(trigger="birthday", caps=caps))
    for member in ("m1", "m2"):
        scene.done(scene.seen(member, "birthday"))
    merge(scene)
    assert of_rule(scene.done(scene.seen("m1", "birthday"))) == (10, *granted)


@pytest.mark.parametrize("who", ["m1", "m2"])
def test_a_task_that_either_completed_is_completed(who: str) -> None:
    scene = rule_scene(TASK)
    for _ in range(2):
        scene.done(scene.seen(who, "share.arrived"))
    assert of_rule(scene.done(scene.seen(who, "checkin")))[1] == 100
    merge(scene)
    for trigger in ("share.arrived", "share.arrived", "checkin"):
        assert "rule:1:asked" not in scene.done(scene.seen("m2", trigger)).why
    unmerge(scene)
    for trigger in ("share.arrived", "share.arrived", "checkin"):
        assert "rule:1:asked" not in scene.done(scene.seen(who, trigger)).why


def test_what_both_did_for_a_task_adds_up_and_is_paid_with_the_next_event() -> None:
    scene = rule_scene(TASK)
    for member, trigger in (("m1", "share.arrived"), ("m2", "share.arrived"), ("m2", "checkin")):
        scene.done(scene.seen(member, trigger))
    merge(scene)
    assert scene.points("m2", A) == 0
    assert of_rule(scene.done(scene.seen("m1", "share.arrived"))) == (100, 100, "granted")
    assert "rule:1:asked" not in scene.done(scene.seen("m2", "checkin")).why


def test_merging_again_and_again_does_nobodys_task() -> None:
    scene = rule_scene(TASK)
    scene.done(scene.seen("m1", "share.arrived"))
    for _ in range(3):
        merge(scene)
        unmerge(scene)
    merge(scene)
    receipt = scene.done(scene.seen("m2", "checkin"))
    assert (receipt.why["task:1:done"], receipt.why["task:1:of"]) == (2, 3)


def test_streaks_and_first_orders_are_one() -> None:
    scene = rule_scene(
        rule(trigger="checkin", reward=PerStreakDay((1, 2, 4, 8), "stay")), rule(2, condition=FirstOrder(), points=50)
    )
    for member, day in (("m1", 0), ("m2", 1), ("m1", 2)):
        scene.done(scene.seen(member, "checkin", at=day * DAY))
    scene.done(scene.earn("m1", A, 100))
    merge(scene)
    assert of_rule(scene.done(scene.seen("m2", "checkin", at=3 * DAY))) == (8, 8, "granted")
    assert "rule:2:granted" not in scene.done(scene.earn("m2", A, 100)).why


def test_a_bonus_and_referral_rewards_of_one_order() -> None:
    """The buyer's two lots are one leg, which the referrers' legs name; a refund takes all of them back."""
    scene = rule_scene(rule(reward=TimesBase(2, 1)))
    scene.play(campaign(A, 1_000, 500), bond("m2", "m1"), bond("m3", "m2"))
    earned = scene.done(scene.earn("m3", A, 10_000, order="o"))
    legs = [(leg.kind, leg.member, leg.points, leg.ref) for leg in earned.legs]
    assert legs == [
        (Kind.EARN, "m3", 200, None),
        (Kind.REFERRAL, "m2", 1_000, (earned.seq, 1)),
        (Kind.REFERRAL, "m1", 500, (earned.seq, 1)),
    ]
    scene.done(scene.refund("m3", A, 10_000, "o"))
    assert [scene.points(member, A) for member in ("m1", "m2", "m3")] == [0, 0, 0]

"""What rules do to orders and events, through the verbs: lots, legs, reasons, refunds, tasks, streaks, first orders."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import accounts
from ledger.answers import Receipt
from ledger.commands import CancelPending, SetTiers, Tier, WithdrawRule, canonical, parse
from ledger.rules.caps import Caps
from ledger.rules.conditions import (
    Amount,
    Condition,
    FirstOrder,
    Platform,
    Streak,
    TierAtLeast,
)
from ledger.rules.days import HOUR_MS
from ledger.rules.rewards import PerStreakDay, TimesBase
from ledger.rules.rule import RULES_PER_MERCHANT_MAX, Best, First, Rule
from ledger.rules.task import Step
from ledger.slice import Role
from proofs.kinds import Kind
from tests.ledger.rule_scene import RuleScene, of_rule, rule_scene
from tests.ledger.rules.making import rule
from tests.ledger.scene import DAY, A, B, Scene, changed, clearing, small_alliance

DOUBLE = rule(reward=TimesBase(2, 1))
CHECK_IN = rule(trigger="checkin", points=5)
SHANGHAI = 480


def lots(receipt: Receipt) -> list[tuple[int, int]]:
    """(points, what remained) of each lot the entry touched."""
    return [(move.points, move.remaining) for move in receipt.lots]


def test_double_points_are_a_second_lot_under_one_leg() -> None:
    scene = rule_scene(DOUBLE)
    receipt = scene.done(scene.earn("m1", A, 10_000, order="o"))
    assert [(leg.kind, leg.points, leg.fee_au) for leg in receipt.legs] == [(Kind.EARN, 200, 2)]
    assert lots(receipt) == [(100, 100), (100, 100)]
    assert of_rule(receipt) == (100, 100, "granted")
    assert (receipt.why["points"], scene.points("m1", A)) == (200, 200)
    order = scene.book.slice.orders[A, "o"]
    assert order is not None
    assert [lot.role for lot in order.lots] == [Role.BASE, Role.BONUS]


def test_rules_of_one_merchant_are_nothing_to_another() -> None:
    """Byte for byte: the same earn at B, in an alliance where A has rules and in one where nobody has."""
    with_rules, without = rule_scene(DOUBLE), Scene()
    without.play(*small_alliance())
    without.done(without.earn("m2", A, 1, order="same-position"))
    for scene in (with_rules, without):
        answer = scene.book.apply(scene.earn("m1", B, 10_000, order="o"))
        assert b"rule" not in answer.body
    assert with_rules.book.slice.records == without.book.slice.records == {}
    same = [scene.book.apply(scene.earn("m1", B, 500, order="p")).body for scene in (with_rules, without)]
    assert same[0] == same[1]


def test_an_earn_without_particulars_is_the_bytes_it_was() -> None:
    command = Scene().earn("m1", A, 100, order="o")
    said = b'{"verb":"earn","key":"earn-1-o","at_ms":0,"merchant_id":1,"member":"m1","order":"o","amount_minor":100}'
    assert canonical(command) == said
    assert parse(said) == command


def test_particulars_given_later_under_the_same_key_are_named() -> None:
    scene = rule_scene()
    scene.done(scene.earn("m1", A, 100, order="o"))
    assert scene.refused(scene.bought("m1", 100, order="o", platform="wechat")).field == "particulars"
    scene.done(scene.bought("m1", 100, order="p", platform="wechat"))
    assert scene.refused(scene.earn("m1", A, 100, order="p")).field == "particulars"


@pytest.mark.parametrize(("parts", "taken"), [([5_000, 5_000], [100, 100]), ([3_333, 3_333, 3_334], [68, 66, 66])])
def test_refunds_take_base_and_bonus_back_in_proportion(parts: list[int], taken: list[int]) -> None:
    scene = rule_scene(DOUBLE)
    earned = scene.done(scene.earn("m1", A, 10_000, order="o"))
    receipts = [scene.done(scene.refund("m1", A, part, "o")) for part in parts]
    assert [receipt.why["taken"] for receipt in receipts] == taken
    assert {(leg.kind, leg.ref) for receipt in receipts for leg in receipt.legs} == {
        (Kind.REFUND_EARN, (earned.seq, 1))
    }
    assert scene.points("m1", A) == 0
    assert scene.positions() == {}


def test_a_bonus_that_was_spent_becomes_a_debt_and_is_repaid() -> None:
    scene = rule_scene(DOUBLE)
    scene.done(scene.earn("m1", A, 10_000, order="o"))
    scene.done(scene.redeem("m1", A, 150))
    assert scene.done(scene.refund("m1", A, 10_000, "o")).why["debt"] == 150
    receipt = scene.done(scene.earn("m1", A, 10_000))
    assert (receipt.why["repaid"], lots(receipt), scene.points("m1", A)) == (150, [(0, 0), (50, 50)], 50)


def test_a_bonus_waits_with_its_order() -> None:
    scene = rule_scene(DOUBLE, hold_ms=DAY)
    receipt = scene.done(scene.earn("m1", A, 10_000, order="o"))
    assert (scene.pending("m1", A), receipt.legs, of_rule(receipt)) == (200, (), (100, 100, "granted"))
    assert scene.done(scene.refund("m1", A, 5_000, "o")).why["taken"] == 100
    assert [leg.points for leg in scene.done(scene.confirm(A, "o", at=DAY)).legs] == [100]
    assert (scene.pending("m1", A), scene.points("m1", A)) == (0, 100)


def test_an_event_gives_points_at_once() -> None:
    scene = rule_scene(rule(trigger="birthday", points=300))
    receipt = scene.done(scene.seen("m1", "birthday", event="b"))
    assert [(leg.kind, leg.signer, leg.points, leg.fee_au) for leg in receipt.legs] == [(Kind.EARN, A, 300, 3)]
    assert clearing(receipt) == {A: -3, 900_000_001: 3}
    assert (of_rule(receipt), lots(receipt)) == ((300, 300, "granted"), [(300, 300)])
    assert scene.done(scene.redeem("m1", B, 300)).why["au"] == 300


def test_an_event_with_a_hold_is_confirmed_by_its_name() -> None:
    scene = rule_scene(rule(trigger="share.arrived", points=40, hold_ms=2 * DAY))
    receipt = scene.done(scene.seen("m1", "share.arrived", at=DAY, event="s"))
    assert (receipt.legs, receipt.why["confirm_from_ms"], scene.pending("m1", A)) == ((), 3 * DAY, 40)
    assert scene.refused(scene.confirm(A, "s", at=3 * DAY - 1)).code == "hold-not-over"
    assert [leg.points for leg in scene.done(scene.confirm(A, "s", at=3 * DAY)).legs] == [40]


def test_an_event_that_waits_can_be_called_off_once() -> None:
    scene = rule_scene(rule(trigger="share.arrived", points=40, hold_ms=DAY))
    scene.done(scene.seen("m1", "share.arrived", event="s"))
    assert scene.done(CancelPending(key="c", at_ms=0, order_merchant_id=A, order="s")).why["points"] == 40
    assert scene.pending("m1", A) == 0
    assert scene.refused(scene.confirm(A, "s", at=DAY)).code == "order-cancelled"


def test_an_event_can_be_taken_back_once_as_a_whole() -> None:
    scene = rule_scene(rule(trigger="share.arrived", points=40))
    seen = scene.done(scene.seen("m1", "share.arrived", event="s"))
    scene.done(scene.redeem("m1", A, 15))
    receipt = scene.done(scene.refund("m1", A, 1, "s"))
    assert [(leg.kind, leg.points, leg.ref) for leg in receipt.legs] == [(Kind.REFUND_EARN, 40, (seen.seq, 1))]
    assert (receipt.why["taken"], receipt.why["debt"], scene.points("m1", A)) == (40, 15, -15)
    assert scene.refused(scene.refund("m1", A, 1, "s")).code == "refund-exceeds-order"


def test_the_longest_hold_of_what_grants_counts_and_no_other() -> None:
    never = Caps(budget_points=1, whole=True)
    scene = rule_scene(
        rule(1, "birthday", points=5),
        rule(2, "birthday", points=6, hold_ms=9 * DAY, caps=never),
        rule(3, "share.arrived", points=5),
        rule(4, "share.arrived", points=6, hold_ms=9 * DAY),
    )
    assert scene.done(scene.seen("m1", "birthday")).why["points"] == scene.points("m1", A) == 5
    assert scene.done(scene.seen("m1", "share.arrived")).why["confirm_from_ms"] == 9 * DAY
    assert scene.pending("m1", A) == 11


def test_a_withdrawn_rule_makes_room_for_another() -> None:
    full = [rule(number, "birthday") for number in range(1, RULES_PER_MERCHANT_MAX + 1)]
    scene = rule_scene(*full)
    assert scene.refused(scene.publication(rule(100))).code == "rules-too-many"
    scene.done(WithdrawRule(key="w", at_ms=0, rule_id=1))
    scene.publish(rule(101))


def test_an_event_of_no_points_is_taken_once() -> None:
    scene = rule_scene(CHECK_IN)
    receipt = scene.done(scene.seen("m1", "content.liked", event="l"))
    assert (receipt.legs, receipt.postings, receipt.lots, receipt.why["points"]) == ((), (), (), 0)
    assert scene.refused(changed(scene.seen("m1", "content.liked", event="l"), key="k")).code == "event-exists"
    assert scene.refused(scene.earn("m1", A, 100, order="l")).code == "order-exists"
    assert scene.refused(scene.refund("m1", A, 2, "l")).code == "refund-exceeds-order"


@pytest.mark.parametrize(
    ("condition", "says", "granted"),
    [
        (Amount(10_000), {}, True),
        (Amount(10_001), {}, False),
        (Platform(("wechat",)), {"platform": "wechat"}, True),
        (Platform(("wechat",)), {"platform": "alipay"}, False),
        (Platform(("wechat",)), {}, False),
    ],
)
def test_conditions_decide(condition: Condition, says: dict[str, Any], granted: bool) -> None:  # noqa: FBT001
    scene = rule_scene(rule(condition=condition))
    receipt = scene.done(scene.bought("m1", 10_000, **says))
    assert scene.points("m1", A) == (110 if granted else 100)
    assert ("rule:1:asked" in receipt.why) is granted


@pytest.mark.parametrize(
    ("caps", "granted"),
    [
        (Caps(budget_points=25), [(10, "granted"), (10, "granted"), (5, "budget"), (0, "budget")]),
        (Caps(budget_points=25, whole=True), [(10, "granted"), (10, "granted"), (0, "budget"), (0, "budget")]),
        (Caps(event_points=4), [(4, "event-cap")] * 4),
        (Caps(member_points=15), [(10, "granted"), (10, "granted"), (5, "member-cap"), (5, "member-cap")]),
        (Caps(member_times=1), [(10, "granted"), (10, "granted"), (0, "member-cap"), (0, "member-cap")]),
        (Caps(member_day_times=1), [(10, "granted"), (10, "granted"), (0, "member-day-cap"), (10, "granted")]),
        (Caps(member_day_points=10), [(10, "granted"), (10, "granted"), (0, "member-day-cap"), (10, "granted")]),
    ],
)
def test_caps_cut_and_say_so(caps: Caps, granted: list[tuple[int, str]]) -> None:
    scene = rule_scene(rule(caps=caps))
    events = [("m1", 0), ("m2", 0), ("m1", DAY - 1), ("m1" if caps.by_member_day else "m2", DAY)]
    receipts = [scene.done(scene.earn(member, A, 100, at=at)) for member, at in events]
    assert [of_rule(receipt) for receipt in receipts] == [(10, *each) for each in granted]


def test_the_members_own_day_counts() -> None:
    scene = rule_scene(rule(caps=Caps(member_day_times=1)))
    times = [15 * HOUR_MS, 16 * HOUR_MS, 39 * HOUR_MS, 40 * HOUR_MS]
    receipts = [scene.done(scene.bought("m1", 100, at=at, utc_offset_minutes=SHANGHAI)) for at in times]
    assert [of_rule(receipt)[1] for receipt in receipts] == [10, 10, 0, 10]


def test_a_refund_gives_no_budget_back() -> None:
    scene = rule_scene(rule(caps=Caps(budget_points=10)))
    scene.done(scene.earn("m1", A, 100, order="o"))
    scene.done(scene.refund("m1", A, 100, "o"))
    assert of_rule(scene.done(scene.earn("m1", A, 100))) == (10, 0, "budget")


def test_a_new_version_goes_on_with_the_counters() -> None:
    scene = rule_scene(rule(caps=Caps(budget_points=10)))
    scene.done(scene.earn("m1", A, 100))
    scene.publish(rule(version=2, points=20, caps=Caps(budget_points=25), valid_from_ms=DAY))
    assert of_rule(scene.done(scene.earn("m1", A, 100, at=DAY - 1))) == (10, 0, "budget")
    assert of_rule(scene.done(scene.earn("m1", A, 100, at=DAY))) == (20, 15, "budget")


def test_a_withdrawn_rule_ends_and_what_it_gave_stays() -> None:
    scene = rule_scene(DOUBLE)
    scene.done(scene.earn("m1", A, 100, at=DAY))
    scene.done(WithdrawRule(key="w", at_ms=DAY, rule_id=1))
    late, after = (scene.done(scene.earn("m1", A, 100, at=at)) for at in (DAY - 1, DAY))
    assert of_rule(late) == (1, 1, "granted")
    assert "rule:1:asked" not in after.why
    assert scene.points("m1", A) == 5


def test_groups_pick_one_and_additive_rules_add() -> None:
    scene = rule_scene(
        rule(1, points=10, stacking=Best("sale")),
        rule(2, reward=TimesBase(2, 1), stacking=Best("sale")),
        rule(3, points=1),
        rule(4, points=7, stacking=First("gift", 1)),
        rule(5, points=8, stacking=First("gift", 0)),
    )
    receipt = scene.done(scene.earn("m1", A, 10_000))
    assert [of_rule(receipt, number)[1:] for number in range(1, 6)] == [
        (0, "exclusive"),
        (100, "granted"),
        (1, "granted"),
        (0, "exclusive"),
        (8, "granted"),
    ]
    assert scene.points("m1", A) == 209


TASK = rule(
    trigger="task.completed",
    points=500,
    steps=(
        Step(trigger="share.arrived", times=3),
        Step(trigger="order.paid"),
        Step(trigger="checkin", times=7, daily=True),
    ),
)


def task_events(scene: RuleScene, member: str, order: str) -> list[Any]:
    arrivals = [
        scene.seen(member, "share.arrived", at=DAY, platform=platform) for platform in ("wechat", "alipay", "douyin")
    ]
    check_ins = [scene.seen(member, "checkin", at=day * DAY, platform="wechat") for day in range(7)]
    bought = [scene.bought(member, 10_000, at=2 * DAY, order=order, platform="alipay")]
    return [*check_ins, *arrivals, *bought]


@pytest.mark.parametrize("turn", range(0, 11, 2))
def test_a_task_across_platforms_completes_once_in_any_order(turn: int) -> None:
    scene = rule_scene(TASK)
    events = task_events(scene, "m1", "o1")
    events = events[turn:] + events[:turn]
    receipts = [scene.done(event) for event in events]
    assert [receipt.why.get("rule:1:granted") for receipt in receipts] == [None] * 10 + [500]
    assert [receipt.why["task:1:done"] for receipt in receipts] == list(range(1, 12))
    again = [scene.done(event) for event in task_events(scene, "m1", "o2")]
    assert all("rule:1:asked" not in receipt.why for receipt in again)
    assert scene.points("m1", A) == 700
    assert sum("rule:1:granted" in scene.done(event).why for event in task_events(scene, "m2", "o3")) == 1


def test_the_reward_of_a_task_that_an_order_completes_goes_back_with_it() -> None:
    scene = rule_scene(TASK)
    for event in task_events(scene, "m1", "o"):
        scene.done(event)
    assert scene.done(scene.refund("m1", A, 5_000, "o")).why["taken"] == 300
    assert scene.points("m1", A) == 300


def test_a_streak_pays_by_its_table_once_a_local_day() -> None:
    scene = rule_scene(rule(trigger="checkin", reward=PerStreakDay((1, 2, 10))))
    times = [0, 1, DAY, 2 * DAY, 3 * DAY, 5 * DAY]
    receipts = [scene.done(scene.seen("m1", "checkin", at=at)) for at in times]
    assert [receipt.why["points"] for receipt in receipts] == [1, 0, 2, 10, 1, 1]
    local = [scene.done(scene.seen("m2", "checkin", at=at, utc_offset_minutes=SHANGHAI)) for at in (0, 16 * HOUR_MS)]
    assert [receipt.why["points"] for receipt in local] == [1, 2]


def test_streaks_are_kept_before_any_rule_asks() -> None:
    scene = rule_scene()
    for day in range(6):
        scene.done(scene.seen("m1", "checkin", at=day * DAY))
    scene.publish(rule(trigger="checkin", condition=Streak(7), points=70))
    assert of_rule(scene.done(scene.seen("m1", "checkin", at=6 * DAY))) == (70, 70, "granted")
    assert "rule:1:asked" not in scene.done(scene.seen("m2", "checkin", at=6 * DAY)).why


FIRST = rule(condition=FirstOrder(), points=50)


def test_the_first_order_is_the_first_whatever_was_given_before() -> None:
    scene = rule_scene(FIRST, rule(2, "member.joined", points=5))
    scene.done(scene.seen("m1", "member.joined"))
    receipts = [scene.done(scene.earn("m1", A, amount)) for amount in (1, 100, 100)]
    assert ["rule:1:granted" in receipt.why for receipt in receipts] == [True, False, False]
    assert "rule:1:granted" not in scene.done(scene.earn("m1", A, 100)).why
    assert "rule:1:granted" in scene.done(scene.earn("m2", A, 100)).why


def test_whoever_had_points_before_anybody_watched_is_an_old_customer() -> None:
    scene = rule_scene(rule(2, "member.joined", points=5))
    scene.done(scene.earn("m1", A, 100))
    scene.done(scene.seen("m1", "member.joined"))
    scene.publish(FIRST)
    scene.done(scene.seen("m1", "member.joined"))
    assert "rule:1:granted" not in scene.done(scene.earn("m1", A, 100)).why


def test_an_order_counts_as_one_while_no_rule_that_asks_is_in_force() -> None:
    scene = rule_scene(changed_rule(FIRST, valid_from_ms=DAY), rule(2, "member.joined", points=5))
    scene.done(scene.seen("m1", "member.joined"))
    scene.done(scene.earn("m1", A, 100))
    assert "rule:1:granted" not in scene.done(scene.earn("m1", A, 100, at=DAY)).why


def changed_rule(base: Rule, **changes: Any) -> Rule:
    return Rule(**{name: getattr(base, name) for name in base.__struct_fields__} | changes)


@pytest.mark.parametrize(("tier", "granted"), [("", False), ("regular", False), ("gold", True), ("diamond", True)])
def test_a_rule_may_ask_for_a_tier(tier: str, granted: bool) -> None:  # noqa: FBT001
    scene = rule_scene(rule(condition=TierAtLeast(1)))
    tiers = tuple(Tier(code, au) for code, au in (("regular", 0), ("gold", 500), ("diamond", 1_000)))
    scene.book.slice.registry.play(SetTiers(key="t", at_ms=0, tiers=tiers, window_ms=DAY))
    scene.book.slice.people[scene.number("m1")].tier = tier
    assert ("rule:1:granted" in scene.done(scene.earn("m1", A, 100)).why) is granted


def test_a_late_refusal_leaves_no_counter() -> None:
    """The one refusal that comes after postings: nothing was counted either."""
    scene = rule_scene(rule(trigger="birthday", caps=Caps(budget_points=15, member_times=5)))
    member = accounts.member(A, scene.number("m1"))
    scene.book.slice.accounts[member] = (1, 2**62 - 5)
    before = dict(scene.book.slice.records)
    assert scene.refused(scene.seen("m1", "birthday")).code == "balance-out-of-range"
    assert scene.book.slice.records == before
    assert of_rule(scene.done(scene.seen("m2", "birthday"))) == (10, 10, "granted")


def test_a_reward_of_the_wrong_event_is_unsound() -> None:
    scene = rule_scene()
    refusal = scene.refused(scene.publication(rule(trigger="birthday", reward=TimesBase(2, 1))))
    assert (refusal.code, refusal.data) == ("rule-unsound", {"problem": "only orders have base points to multiply"})
    refusal = scene.refused(scene.publication(rule(2, "checkin", condition=FirstOrder())))
    assert (refusal.code, refusal.data) == ("rule-unsound", {"problem": "only an order is a first order"})

"""Bonds and two-level rewards as tables, on the pure book: who gets what of which sale, and what is taken back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ledger.commands import Enrol, StopCampaign
from ledger.members import referral
from ledger.slice import Role
from ledger.units import UPLINE_MEMBERS_MAX
from proofs.kinds import Kind
from tests.ledger.scene import DAY, OP, A, B, C, Scene, bond, campaign, clearing, rate, small_alliance


def scene_of(*level_bps: int, hold_ms: int = 0, **changes: Any) -> Scene:
    """m1 referred m2, m2 referred m3, m3 referred m4; A, B and C reward alike."""
    scene = Scene()
    scene.play(*small_alliance(hold_ms=hold_ms), *[campaign(each, *level_bps, **changes) for each in (A, B, C)])
    scene.play(bond("m2", "m1"), bond("m3", "m2"), bond("m4", "m3"))
    return scene


@pytest.mark.parametrize(
    ("buyer", "merchant", "amount", "level_1", "level_2"),
    [
        ("m1", A, 10_000, None, None),
        ("m2", A, 10_000, ("m1", 100), None),
        ("m3", A, 10_000, ("m2", 100), ("m1", 50)),
        ("m4", A, 10_000, ("m3", 100), ("m2", 50)),  # m1 is the third level
        ("m3", A, 199, ("m2", 1), None),  # 0.99 of a point at the second level
        ("m3", A, 99, None, None),  # the buyer itself has no point
        ("m3", B, 10_000, ("m2", 20), ("m1", 10)),
        ("m3", B, 49_999, ("m2", 99), ("m1", 49)),
        ("m3", C, 10_000, ("m2", 200), ("m1", 100)),
        ("m3", C, 50, ("m2", 1), None),  # a whole point at 1/2 AU: one floor, not two
    ],
)
def test_rewards(buyer: str, merchant: int, amount: int, level_1: Any, level_2: Any) -> None:
    scene = scene_of(100, 50)
    receipt = scene.done(scene.earn(buyer, merchant, amount))
    rewards = {leg.level: (str(leg.member), leg.points) for leg in receipt.legs if leg.kind == Kind.REFERRAL}
    assert rewards == {level: paid for level, paid in ((1, level_1), (2, level_2)) if paid}
    assert all(scene.points(member, merchant) == points for member, points in rewards.values())


@pytest.mark.parametrize(
    ("changes", "amount", "points", "basis"),
    [
        ({"basis_bucket_minor": 1_000}, 10_999, 100, 10_000),
        ({"basis_bucket_minor": 1_000}, 999, 0, 0),
        ({"min_basis_minor": 10_000}, 9_999, 0, 0),
        ({"min_basis_minor": 10_000}, 10_000, 100, 10_000),
        ({"min_basis_minor": 10_500, "basis_bucket_minor": 1_000}, 10_999, 0, 0),  # what counts is the rounded basis
        ({"reward_au_max": 70}, 10_000, 70, 10_000),
        ({"reward_au_max": 70}, 6_999, 69, 6_999),
    ],
)
def test_what_a_campaign_bounds(changes: dict[str, int], amount: int, points: int, basis: int) -> None:
    scene = scene_of(100, **changes)
    rewards = [leg for leg in scene.done(scene.earn("m2", A, amount)).legs if leg.kind == Kind.REFERRAL]
    assert [(leg.points, leg.basis) for leg in rewards] == ([(points, basis)] if points else [])


def test_a_cap_is_in_au_and_floored_into_points_once() -> None:
    scene = scene_of(100, 50, reward_au_max=7)
    rewards = [leg.points for leg in scene.done(scene.earn("m3", B, 100_000)).legs if leg.kind == Kind.REFERRAL]
    assert rewards == [1, 1]  # 7 AU at 5 a point


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([4_000], (60, 60, 30)),
        ([3_333], (66, 66, 33)),
        ([3_333, 3_333], (33, 33, 16)),
        ([1] * 3, (99, 99, 49)),
        ([9_950], (0, 0, 0)),  # the buyer has no point left, so nobody is rewarded
        ([10_000], (0, 0, 0)),
    ],
)
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_refund_takes_from_every_level(refunds: list[int], left: tuple[int, ...], *, confirmed: bool) -> None:
    scene = scene_of(100, 50, hold_ms=DAY)
    scene.done(scene.earn("m3", A, 10_000, order="o"))
    if confirmed:
        scene.done(scene.confirm(A, "o", at=DAY))
    for amount in refunds:
        scene.done(scene.refund("m3", A, amount, "o", at=DAY))
    read = scene.points if confirmed else scene.pending
    assert tuple(read(member, A) for member in ("m3", "m2", "m1")) == left
    order = scene.book.slice.orders[A, "o"]
    assert order is not None
    assert tuple(lot.standing for lot in order.lots) == left


def test_a_claw_back_names_the_reward_and_leaves_a_debt() -> None:
    scene = scene_of(100, 50, hold_ms=DAY)
    scene.play(scene.earn("m3", A, 10_000, order="o"), scene.confirm(A, "o", at=DAY))
    scene.done(scene.redeem("m2", B, 90, at=DAY))
    order = scene.book.slice.orders[A, "o"]
    assert order is not None
    receipt = scene.done(scene.refund("m3", A, 10_000, "o", at=DAY))
    assert [(leg.kind, leg.member, leg.points, leg.ref) for leg in receipt.legs] == [
        (Kind.REFUND_EARN, lot.member, lot.points, lot.earned_by) for lot in order.lots
    ]
    assert scene.points("m2", A) == -90
    assert clearing(receipt) == {A: 2, OP: -2}  # the fee of 250 AU is given back


def test_what_is_left_at_confirmation_is_the_basis() -> None:
    scene = scene_of(100, 50, hold_ms=DAY, basis_bucket_minor=700)
    scene.play(scene.earn("m3", A, 10_000, order="o"), scene.refund("m3", A, 1_234, "o"))
    receipt = scene.done(scene.confirm(A, "o", at=DAY))
    basis = 8_766 // 700 * 700
    assert [(leg.level, leg.points, leg.basis) for leg in receipt.legs] == [
        (0, 87, 0),
        (1, basis // 100, basis),
        (2, basis // 200, basis),
    ]
    assert receipt.why["fee_au"] == sum(leg.points for leg in receipt.legs) // 100


def test_an_order_keeps_the_campaign_it_was_paid_under() -> None:
    scene = scene_of(100, 50, hold_ms=DAY)
    scene.play(scene.earn("m2", A, 10_000, order="before", at=9))
    scene.done(StopCampaign(key="stop", at_ms=10, campaign_id=A))
    scene.done(campaign(A, 500, key="next", campaign_id=9, at_ms=20))
    scene.play(*[scene.earn("m2", A, 10_000, order=f"at-{at}", at=at) for at in (10, 20)])
    paid = {name: [lot.points for lot in order.lots] for (_, name), order in scene.book.slice.orders.items() if order}
    assert paid == {"before": [100, 100], "at-10": [100], "at-20": [100, 500]}
    confirmed = scene.done(scene.confirm(A, "before", at=2 * DAY))
    assert [(leg.campaign_id, leg.points) for leg in confirmed.legs] == [(0, 100), (A, 100)]


def test_a_bond_made_after_an_order_rewards_nothing_of_it() -> None:
    scene = Scene()
    scene.play(*small_alliance(), campaign(A, 100))
    assert len(scene.done(scene.earn("m1", A, 10_000)).legs) == 1
    assert scene.refused(bond("m1", "m2")).code == "bought-before"


def test_buying_decides_about_the_buyer_alone() -> None:
    scene = scene_of(100, 50)
    scene.done(scene.earn("m2", A, 10_000))
    people = scene.book.slice.people
    assert [people[scene.number(name)].bonded for name in ("m1", "m2", "m5")] == [False, True, False]
    assert people[scene.number("m2")].referrer == scene.number("m1")
    scene.done(bond("m5", "m1"))


def test_a_chain_has_a_greatest_depth() -> None:
    scene = Scene()
    names = [f"n{i}" for i in range(UPLINE_MEMBERS_MAX + 2)]
    scene.play(*[Enrol(key=f"enrol {name}", at_ms=0, member=name) for name in names])
    for above, below in itertools.pairwise(names[:-1]):
        scene.done(bond(below, above))
    refusal = scene.refused(bond(names[-1], names[-2]))
    assert (refusal.code, refusal.data["members"]) == ("chain-too-deep", UPLINE_MEMBERS_MAX + 1)
    assert scene.refused(bond(names[0], names[-2])).code == "referral-cycle"


def test_a_reward_too_big_for_a_command_is_refused_with_its_order() -> None:
    scene = scene_of(5_000)
    scene.done(rate(A, 1, 10**9, key="tiny", terms_id=9))
    refusal = scene.refused(scene.earn("m2", A, 10**9))
    assert (refusal.code, refusal.data["points"]) == ("points-too-many", 10**18 // 2)


def test_a_level_the_campaign_does_not_pay_gets_nothing() -> None:
    scene = scene_of(100)
    terms = scene.book.slice.registry.terms[A]
    paid = [referral.reward_points(campaign(A, 100), terms, level=level, amount_minor=10_000) for level in (1, 2)]
    assert paid == [100, 0]
    scene.done(scene.earn("m3", A, 10_000, order="o"))
    order = scene.book.slice.orders[A, "o"]
    assert order is not None
    assert [lot.role for lot in order.lots] == [Role.BASE, Role.LEVEL_1]

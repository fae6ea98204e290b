"""Transfers, pools and expiry as tables: who sends what to whom, and what is left. On the pure book."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import accounts
from ledger.answers import LegRef
from ledger.commands import Command, Expire, JoinPool, LeavePool, OpenPool, Transfer
from ledger.slice import Role
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE, Kind
from tests.ledger.scene import DAY, OP, A, B, C, Scene, clearing, opening, rate, small_alliance


@pytest.fixture(name="scene")
def scene_() -> Scene:
    scene = Scene()
    scene.play(*small_alliance(transfers="all"))
    return scene


def send(scene: Scene, points: int, at: int = 0, **changes: Any) -> Transfer:
    name = scene.name()
    usual: dict[str, Any] = {"key": f"send-{name}", "issuer_id": A, "from_member": "m1", "to_member": "m2"}
    return Transfer(transfer=name, at_ms=at, points=points, **usual | changes)


def over(scene: Scene, member: str, at: int) -> Expire:
    return Expire(key=f"expire-{scene.name()}", at_ms=at, member=member)


def open_lots(scene: Scene, member: str) -> list[tuple[int, int, int | None]]:
    """(issuer, remaining, expiry) of what the member has, in drawing order."""
    lots = scene.book.slice.lots_of[scene.number(member)]
    return sorted((lot.issuer, lot.remaining, lot.expires_at_ms) for lot in lots if lot.remaining)


def test_a_lot_keeps_issuer_rate_confirmation_and_expiry(scene: Scene) -> None:
    earned = scene.done(scene.earn("m1", A, 10_000, at=5))
    receipt = scene.done(send(scene, 40, at=6))
    assert [(leg.kind, leg.member, leg.points, leg.au, leg.ref) for leg in receipt.legs] == [
        (Kind.TRANSFER_OUT, "m1", 40, 0, None),
        (Kind.TRANSFER_IN, "m2", 40, 0, LegRef(receipt.seq, 1)),
    ]
    [mine] = scene.book.slice.lots_of[scene.number("m1")]
    [theirs] = scene.book.slice.lots_of[scene.number("m2")]
    assert (mine.id, mine.remaining) == (earned.lots[0].lot, 60)
    for field in ("issuer", "terms_id", "confirmed_at_ms", "expires_at_ms"):
        assert getattr(theirs, field) == getattr(mine, field)
    assert (theirs.role, theirs.remaining, theirs.earned_by) == (Role.TRANSFERRED, 40, LegRef(receipt.seq, 2))
    assert (scene.points("m1", A), scene.points("m2", A), clearing(receipt)) == (60, 40, {})


def test_lots_move_in_drawing_order_and_only_what_is_spendable(scene: Scene) -> None:
    scene.play(*[scene.earn("m1", A, 1_000, at=at * DAY) for at in (2, 0, 1)])
    late = 365 * DAY  # the first lot is over
    assert scene.refused(send(scene, 21, at=late)).data == {"asked": 21, "available": 20}
    receipt = scene.done(send(scene, 15, at=late))
    assert [move.points for move in receipt.lots] == [-10, -5, 10, 5]
    assert open_lots(scene, "m2") == [(A, 5, 367 * DAY), (A, 10, 366 * DAY)]


def test_a_pair_of_legs_for_each_set_of_terms(scene: Scene) -> None:
    scene.play(rate(A, 1, 4, key="worse", terms_id=9, at_ms=10))
    scene.play(scene.earn("m1", A, 1_000, at=9), scene.earn("m1", A, 1_000, at=10))
    receipt = scene.done(send(scene, 12, at=11))
    assert [(leg.terms_id, leg.points, leg.ref) for leg in receipt.legs] == [
        (A, 10, None),
        (A, 10, LegRef(receipt.seq, 1)),
        (9, 2, None),
        (9, 2, LegRef(receipt.seq, 3)),
    ]
    assert scene.done(scene.redeem("m2", B, 10, at=12)).why["au"] == 10


@pytest.mark.parametrize(
    ("sent", "debt", "lots"), [(4, 6, []), (10, 0, []), (25, 0, [(A, 5, 365 * DAY), (A, 10, 366 * DAY)])]
)
def test_what_comes_repays_a_debt_first(scene: Scene, sent: int, debt: int, lots: list[tuple[int, int, int]]) -> None:
    indebted(scene, "m2")
    scene.play(scene.earn("m1", A, 1_500, at=0), scene.earn("m1", A, 1_500, at=DAY))
    receipt = scene.done(send(scene, sent, at=DAY))
    assert (receipt.why["repaid"], scene.points("m2", A)) == (min(10, sent), sent - 10)
    assert debt == max(0, -scene.points("m2", A))
    assert open_lots(scene, "m2") == lots


def indebted(scene: Scene, member: str) -> None:
    """Ten points of A were spent and taken back."""
    scene.done(scene.earn(member, A, 1_000, order="spent"))
    scene.done(scene.redeem(member, B, 10))
    scene.done(scene.refund(member, A, 1_000, "spent"))
    assert scene.points(member, A) == -10


def test_the_reserve_stays_behind_transferred_lots_and_leaves_repaid_debts() -> None:
    scene = Scene()
    scene.play(*small_alliance(transfers="all"), rate(A, 1, 1, key="backed", terms_id=9, at_ms=1, mode=ON_ISSUANCE))
    indebted(scene, "m2")
    scene.done(scene.earn("m1", A, 3_000, at=1))
    reserve = accounts.cash(RESERVE_ID)
    assert scene.balance(reserve) == 30
    assert clearing(scene.done(send(scene, 12, at=2, to_member="m3"))) == {}
    receipt = scene.done(send(scene, 15, at=2))
    assert clearing(receipt) == {A: 10, RESERVE_ID: -10}
    assert scene.balance(reserve) == 20 == scene.points("m1", A) + scene.points("m2", A) + scene.points("m3", A)


def test_a_pool_caps_what_one_member_sends_of_one_issuer_a_day() -> None:
    scene = Scene()
    scene.play(*small_alliance(transfers="pool"))
    scene.play(*[scene.earn(member, issuer, 50_000) for member in ("m1", "m2") for issuer in (A, B)])
    pools: list[Command] = [
        OpenPool(key="p", at_ms=0, pool="home", owner="m1", day_points_max=10),
        JoinPool(key="j", at_ms=0, pool="home", member="m2"),
    ]
    assert [scene.done(command).why["members"] for command in pools] == [1, 2]
    scene.done(send(scene, 6))
    assert scene.refused(send(scene, 5, at=DAY - 1)).data == {"asked": 5, "left_today": 4}
    scene.done(send(scene, 4, at=DAY - 1))
    scene.done(send(scene, 10, issuer_id=B))  # counts apart
    scene.done(send(scene, 10, from_member="m2", to_member="m1"))  # so does the other member
    scene.done(send(scene, 10, at=DAY))  # and so does another day
    assert scene.refused(send(scene, 1, at=0)).code == "pool-cap", "a clock that jumps back forgets nothing"
    leaving = LeavePool(key="l", at_ms=DAY, pool="home", member="m1")
    assert scene.done(leaving).why["members"] == 1
    assert scene.refused(send(scene, 1, at=2 * DAY)).code == "not-in-one-pool"
    scene.done(JoinPool(key="j2", at_ms=DAY, pool="home", member="m1"))
    assert scene.refused(send(scene, 1, at=DAY)).code == "pool-cap", "nor does leaving and joining again"
    assert scene.done(send(scene, 1, at=2 * DAY)).why["points"] == 1


@pytest.mark.parametrize(("at", "gone"), [(365 * DAY, 10), (366 * DAY - 1, 10), (366 * DAY, 30)])
def test_expiry_is_exclusive(scene: Scene, at: int, gone: int) -> None:
    scene.play(scene.earn("m1", A, 1_000, at=0), scene.earn("m1", A, 2_000, at=DAY))
    assert scene.refused(over(scene, "m1", 365 * DAY - 1)).code == "nothing-to-expire"
    receipt = scene.done(over(scene, "m1", at))
    assert [(leg.kind, leg.points, leg.au) for leg in receipt.legs] == [(Kind.EXPIRE, gone, 0)]
    assert (scene.points("m1", A), clearing(receipt)) == (30 - gone, {})
    assert scene.balance(accounts.outstanding(A)) == gone - 30


def test_every_issuer_and_terms_is_a_leg(scene: Scene) -> None:
    scene.play(rate(A, 1, 4, key="worse", terms_id=9, at_ms=10))
    scene.play(*[scene.earn("m1", issuer, 5_000, at=at) for issuer, at in ((A, 9), (A, 10), (C, 10))])
    receipt = scene.done(over(scene, "m1", 400 * DAY))
    assert [(leg.issuer, leg.terms_id, leg.points) for leg in receipt.legs] == [(A, A, 50), (A, 9, 50), (C, C, 200)]
    assert open_lots(scene, "m1") == []


@pytest.mark.parametrize(
    ("num", "den", "points", "back", "share"),
    [
        (1, 1, 100, 100, 20),
        (1, 2, 100, 50, 10),
        (5, 1, 1, 5, 1),
        (1, 2, 9, 5, 1),
        (1, 1, 3, 3, 1),
        (1, 1, 178, 178, 36),
    ],
)
def test_expiry_returns_the_reserve_less_the_operators_share(
    num: int, den: int, points: int, back: int, share: int
) -> None:
    scene = Scene()
    scene.play(
        opening(A, breakage_bps=2_000, issuance_fee_bps=0),
        rate(A, num, den, mode=ON_ISSUANCE),
        *small_alliance()[-5:],
        scene.earn("m1", A, points * 100),
    )
    receipt = scene.done(over(scene, "m1", 365 * DAY))
    expected = {A: back - share, RESERVE_ID: -back, OP: share}
    assert clearing(receipt) == {party: au for party, au in expected.items() if au}
    assert (receipt.legs[0].au, receipt.legs[0].fee_au, receipt.why["fee_au"]) == (back, share, share)


def test_debts_outlive_every_lot(scene: Scene) -> None:
    indebted(scene, "m1")
    assert scene.refused(over(scene, "m1", 400 * DAY)).code == "nothing-to-expire"
    assert scene.points("m1", A) == -10

"""Opening balances, adjustments by one and by two persons, orders called off. On the pure book."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import accounts
from ledger.answers import Receipt
from ledger.commands import (
    Adjust,
    ApproveAdjustment,
    CancelPending,
    OpenBalance,
    RejectAdjustment,
)
from ledger.slice import Role
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE, Kind
from tests.ledger.scene import DAY, A, B, Scene, changed, clearing, opening, rate, small_alliance


@pytest.fixture(name="scene")
def scene_() -> Scene:
    scene = Scene()
    scene.play(*small_alliance(adjust_alone_max=100))
    return scene


def adjust(points: int, name: str = "a", **changes: Any) -> Adjust:
    usual: dict[str, Any] = {"key": f"adjust-{name}", "at_ms": 0, "issuer_id": A, "member": "m1", "by": "ann"}
    return Adjust(adjustment=name, points=points, reason="count", **usual | changes)


def decide(kind: type[ApproveAdjustment | RejectAdjustment], by: str, at: int = DAY, name: str = "a") -> Any:
    return kind(key=f"{kind.__name__}-{by}-{name}", at_ms=at, adjustment=name, issuer_id=A, by=by)


@pytest.mark.parametrize(("given", "expires"), [(None, 365 * DAY), (9 * DAY, 9 * DAY)])
def test_an_opening_balance_is_a_lot_of_its_own(scene: Scene, given: int | None, expires: int) -> None:
    command = OpenBalance(key="k", at_ms=0, source="till", issuer_id=A, member="m1", points=70, expires_at_ms=given)
    receipt = scene.done(command)
    assert [(leg.kind, leg.points, leg.au, leg.fee_au) for leg in receipt.legs] == [(Kind.ADJUST_UP, 70, 0, 0)]
    [lot] = scene.book.slice.lots_of[scene.number("m1")]
    assert (lot.role, lot.remaining, lot.confirmed_at_ms, lot.expires_at_ms) == (Role.OPENING, 70, 0, expires)
    assert clearing(receipt) == {}
    assert scene.done(scene.redeem("m1", B, 70, at=1)).why["au"] == 70


def test_an_opening_balance_is_paid_for_where_issuance_is() -> None:
    scene = Scene()
    scene.play(*small_alliance(), rate(A, 5, 1, key="backed", terms_id=9, at_ms=1, mode=ON_ISSUANCE))
    receipt = scene.done(OpenBalance(key="k", at_ms=1, source="till", issuer_id=A, member="m1", points=70))
    assert clearing(receipt) == {A: -350, RESERVE_ID: 350}


def test_the_same_balance_of_an_old_system_comes_once(scene: Scene) -> None:
    command = OpenBalance(key="k", at_ms=0, source="till", issuer_id=A, member="m1", points=70)
    scene.done(command)
    again = scene.refused(changed(command, key="again", points=71, expires_at_ms=9 * DAY))
    assert (again.code, again.data) == ("opening-exists", {"source": "till", "member": "m1"})
    for field, other in (("source", "second-till"), ("member", "m2"), ("issuer_id", B)):
        scene.done(changed(command, key=field, **{field: other}))
    assert scene.points("m1", A) == 140


@pytest.mark.parametrize(
    ("held", "change", "policy", "points", "debt"),
    [
        (0, 100, "debt", 100, 0),
        (50, -30, "within_balance", 20, 0),
        (50, -50, "only_pending", 0, 0),
        (50, -80, "debt", -30, 30),
        (50, -80, "within_balance", 50, None),
    ],
)
def test_adjustments_of_one_person(held: int, change: int, policy: str, points: int, debt: int | None) -> None:
    scene = Scene()
    scene.play(*small_alliance(adjust_alone_max=100, refund_policy=policy))
    if held:
        scene.done(scene.earn("m1", A, held * 100))
    outcome = scene.book.apply(adjust(change)).outcome
    assert scene.points("m1", A) == points
    if isinstance(outcome, Receipt):
        kind = Kind.ADJUST_UP if change > 0 else Kind.ADJUST_DOWN
        assert [(leg.kind, leg.points) for leg in outcome.legs] == [(kind, abs(change))]
        assert outcome.why.get("debt", 0) == debt
        assert (outcome.why["state"], outcome.why["reason"]) == ("done", "count")
    else:
        assert (outcome.code, outcome.data, debt) == ("balance-too-low", {"asked": 80, "available": 50}, None)


def test_a_correction_downwards_takes_lots_in_drawing_order_under_their_terms(scene: Scene) -> None:
    scene.play(rate(A, 1, 4, key="worse", terms_id=9, at_ms=10))
    scene.play(scene.earn("m1", A, 1_000, at=9), scene.earn("m1", A, 1_000, at=10))
    receipt = scene.done(adjust(-25, at_ms=11))
    assert [(leg.terms_id, leg.points) for leg in receipt.legs] == [(A, 10), (9, 15)]
    assert [move.points for move in receipt.lots] == [-10, -10]
    assert (receipt.why["debt"], scene.points("m1", A)) == (5, -5)


def test_a_correction_upwards_repays_a_debt_first(scene: Scene) -> None:
    scene.done(adjust(-30, "down"))
    receipt = scene.done(adjust(70, "up"))
    assert receipt.why["repaid"] == 30
    [lot] = scene.book.slice.lots_of[scene.number("m1")]
    assert (lot.role, lot.remaining, scene.points("m1", A)) == (Role.ADJUSTED, 40, 40)


def test_over_the_threshold_a_second_person_decides(scene: Scene) -> None:
    waiting = scene.done(adjust(101))
    assert (waiting.why["state"], waiting.legs, waiting.postings, scene.points("m1", A)) == ("waiting", (), (), 0)
    assert scene.refused(decide(ApproveAdjustment, "ann")).code == "same-person"
    approved = scene.done(decide(ApproveAdjustment, "bob"))
    assert (approved.why["state"], approved.why["reason"], scene.points("m1", A)) == ("done", "count", 101)
    [lot] = scene.book.slice.lots_of[scene.number("m1")]
    assert lot.expires_at_ms == 366 * DAY, "valid from the approval"
    assert scene.refused(decide(RejectAdjustment, "eve")).data == {"state": "done"}
    assert scene.refused(adjust(1, key="again")).code == "adjustment-exists"


def test_the_threshold_counts_what_one_person_does_in_a_day(scene: Scene) -> None:
    """Otherwise a large correction would be several small ones."""
    at = 5 * DAY
    table = [
        ("a", "ann", at, 60, "done"),
        ("b", "ann", at + DAY - 1, -41, "waiting"),
        ("c", "ann", at + 1, -40, "done"),
        ("d", "ann", at + 2, 1, "waiting"),
        ("e", "bob", at, 100, "done"),
        ("f", "ann", at + DAY, 100, "done"),
        ("g", "ann", at - 1, 100, "done"),
    ]
    for name, by, at_ms, points, state in table:
        assert scene.done(adjust(points, name, at_ms=at_ms, by=by)).why["state"] == state, name
    scene.done(decide(ApproveAdjustment, "bob", at=at, name="d"))
    assert scene.done(adjust(1, "h", at_ms=at, by="bob")).why["state"] == "waiting", "approving counts nothing"
    assert scene.points("m1", A) == 60 - 40 + 300 + 1


def test_a_rejected_correction_never_happens(scene: Scene) -> None:
    scene.done(adjust(-101))
    assert scene.done(decide(RejectAdjustment, "ann")).why["state"] == "rejected"
    assert scene.refused(decide(ApproveAdjustment, "bob")).data == {"state": "rejected"}
    assert (scene.points("m1", A), scene.refused(adjust(1, key="again")).code) == (0, "adjustment-exists")


def test_without_a_threshold_one_person_is_enough() -> None:
    scene = Scene()
    scene.play(*small_alliance())
    assert scene.done(adjust(10**9)).why["state"] == "done"


def test_an_order_that_was_called_off_never_confirms() -> None:
    scene = Scene()
    scene.play(*small_alliance(hold_ms=DAY))
    scene.play(scene.earn("m1", A, 10_000, order="o"), scene.refund("m1", A, 2_500, "o"))
    receipt = scene.done(CancelPending(key="c", at_ms=0, order_merchant_id=A, order="o"))
    assert receipt.why == {"points": 75, "amount_minor": 7_500}
    assert (receipt.legs, clearing(receipt), scene.pending("m1", A)) == ((), {}, 0)
    assert scene.balance(accounts.pendings(A)) == 0
    assert scene.refused(scene.confirm(A, "o", at=DAY)).code == "order-cancelled"
    assert scene.refused(scene.refund("m1", A, 1, "o")).data["refundable_minor"] == 0


def test_an_order_of_no_points_can_be_called_off() -> None:
    scene = Scene()
    scene.play(opening(A, hold_ms=DAY), rate(A), *small_alliance()[-5:], scene.earn("m1", A, 99, order="o"))
    receipt = scene.done(CancelPending(key="c", at_ms=0, order_merchant_id=A, order="o"))
    assert (receipt.why, receipt.postings) == ({"points": 0, "amount_minor": 99}, ())

"""What collateral has to bear: points paid for when they are issued, and what is given back. On the pure book."""

from __future__ import annotations

import pytest

from ledger.commands import (
    Adjust,
    ApproveAdjustment,
    Exchange,
    Net,
    OpenBalance,
    PublishExchange,
    SetCollateral,
    SettleNets,
)
from ledger.units import BPS
from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.kinds import ON_ISSUANCE
from tests.ledger.promises import cancel
from tests.ledger.rule_scene import rule_scene
from tests.ledger.rules.making import rule
from tests.ledger.scene import DAY, A, B, Scene, bond, campaign, opening, rate

LIMIT = 101


def limited(limit: int = LIMIT, **changes: object) -> Scene:
    """A pays on issuance 1 AU a point, with 101 AU of collateral; 100 points cost 100 and a fee of 1."""
    scene = Scene()
    scene.play(
        opening(A, credit_limit_au=limit, **changes), rate(A, mode=ON_ISSUANCE), opening(B), rate(B), scene.enrol("m1")
    )
    return scene


def settle(scene: Scene, batch_no: int) -> None:
    nets = tuple(Net(party, au) for party, au in sorted(scene.positions().items()))
    scene.done(SettleNets(key=f"batch-{batch_no}", at_ms=0, batch_no=batch_no, nets=nets))


@pytest.mark.parametrize(("limit", "haircut"), [(101, BPS), (202, BPS // 2)])
def test_an_order_waits_for_an_issuer_at_its_limit(limit: int, haircut: int) -> None:
    scene = limited(limit, haircut_bps=haircut)
    assert scene.done(scene.earn("m1", A, 10_000, order="first")).why["fee_au"] == 1
    waiting = scene.done(scene.earn("m1", A, 100, order="second"))
    assert (waiting.legs, waiting.why) == ((), {"points": 1, "confirm_from_ms": 0})
    assert (scene.points("m1", A), scene.pending("m1", A)) == (100, 1)
    refusal = scene.refused(scene.confirm(A, "second"))
    assert (refusal.code, refusal.field, refusal.data) == ("issuer-over-limit", "order", {"issuer": A, "leg_au": 1})
    assert scene.positions() == {A: -101, OPERATOR_ID: 1, RESERVE_ID: 100}
    settle(scene, 1)
    assert scene.done(scene.confirm(A, "second")).why["points"] == 1
    assert (scene.points("m1", A), scene.pending("m1", A)) == (101, 0)


def test_collateral_that_leaves_the_chain_counts_no_more_and_more_than_was_agreed_never() -> None:
    scene = limited()
    waiting = [("none", 0), ("little", LIMIT - 1)]
    for name, au in waiting:
        scene.done(SetCollateral(key=name, at_ms=0, merchant_id=A, collateral_au=au))
        assert "confirm_from_ms" in scene.done(scene.earn("m1", A, 10_000, order=name)).why
    scene.done(SetCollateral(key="back", at_ms=0, merchant_id=A, collateral_au=10 * LIMIT))
    assert [scene.done(scene.confirm(A, "none")).why["points"]] == [100]
    assert scene.refused(scene.confirm(A, "little")).code == "issuer-over-limit"


def test_the_fee_counts() -> None:
    scene = limited(100)
    assert "confirm_from_ms" in scene.done(scene.earn("m1", A, 10_000)).why
    assert "fee_au" in scene.done(scene.earn("m1", A, 9_900)).why


def test_an_order_with_a_hold_is_taken_at_the_limit_and_confirmed_below_it() -> None:
    scene = limited(hold_ms=DAY)
    scene.play(scene.earn("m1", A, 10_000, order="o"), scene.earn("m1", A, 10_000, order="p"))
    scene.done(scene.confirm(A, "o", at=DAY))
    assert scene.refused(scene.confirm(A, "p", at=DAY)).code == "issuer-over-limit"
    scene.play(scene.refund("m1", A, 10_000, "p"))
    assert scene.pending("m1", A) == 0


def test_rewards_and_bonuses_cost_as_well() -> None:
    scene = limited(120)
    scene.play(scene.enrol("m2"), bond("m1", "m2"), campaign(A, 20))
    assert "confirm_from_ms" in scene.done(scene.earn("m1", A, 10_000, order="o")).why, "100 and 20 and a fee of 1"
    assert "fee_au" in scene.done(scene.earn("m1", A, 9_900, order="p")).why


def test_an_event_waits_too() -> None:
    scene = rule_scene(rule(1, "checkin", points=11), rule(2, "birthday", points=9), credit_limit_au=10)
    scene.done(rate(A, key="backed", terms_id=9, at_ms=1, mode=ON_ISSUANCE))
    assert scene.done(scene.seen("m1", "checkin", at=1)).why["confirm_from_ms"] == 1
    assert scene.done(scene.seen("m1", "birthday", at=1)).why["fee_au"] == 0
    assert (scene.points("m1", A), scene.pending("m1", A)) == (9, 11)


def test_what_repays_a_debt_is_never_too_dear() -> None:
    scene = limited()
    scene.play(scene.earn("m1", A, 10_000, order="o"), scene.redeem("m1", B, 100))
    scene.play(scene.refund("m1", A, 10_000, "o"))
    assert (scene.points("m1", A), scene.positions()[A]) == (-100, -100), "what it paid was spent"
    assert scene.done(scene.earn("m1", A, 5_000, order="p")).why["repaid"] == 50
    assert "confirm_from_ms" in scene.done(scene.earn("m1", A, 6_000, order="q")).why, "ten too many"


def test_what_no_order_brings_is_refused() -> None:
    scene = limited(adjust_alone_max=50)
    scene.done(OpenBalance(key="b", at_ms=0, source="till", issuer_id=A, member="m1", points=LIMIT))
    more = OpenBalance(key="c", at_ms=0, source="more", issuer_id=A, member="m1", points=1)
    refusal = scene.refused(more)
    assert (refusal.code, refusal.field, refusal.data) == ("issuer-over-limit", "points", {"issuer": A, "leg_au": 1})
    up = Adjust(key="u", at_ms=0, adjustment="u", issuer_id=A, member="m1", points=1, reason="count", by="ann")
    assert scene.refused(up).code == "issuer-over-limit"
    large = Adjust(key="l", at_ms=0, adjustment="l", issuer_id=A, member="m1", points=60, reason="count", by="ann")
    assert scene.done(large).why["state"] == "waiting"
    approve = ApproveAdjustment(key="y", at_ms=0, adjustment="l", issuer_id=A, by="bob")
    assert scene.refused(approve).code == "issuer-over-limit"
    down = Adjust(key="d", at_ms=0, adjustment="d", issuer_id=A, member="m1", points=-1, reason="count", by="ann")
    assert scene.done(down).why["debt"] == 0


@pytest.mark.parametrize(("num", "outcome"), [(2, None), (3, "issuer-over-limit")])
def test_an_exchange_pays_with_what_it_brings(num: int, outcome: str | None) -> None:
    """101 points of B bring A 101 AU, so that it may give points for 202."""
    scene = limited()
    scene.play(
        PublishExchange(key="x", at_ms=0, from_issuer_id=B, to_issuer_id=A, num=num, den=1),
        scene.earn("m1", B, 10_100),
    )
    swap = Exchange(key="s", at_ms=0, exchange="s", member="m1", from_issuer_id=B, to_issuer_id=A, points=101)
    assert getattr(scene.book.apply(swap).outcome, "code", None) == outcome


def accepting(limit: int | None = 100) -> Scene:
    """A has a limit of 100 AU; m1 has 500 points of A and 500 of B, 1 AU each, and used 200 of B's at A."""
    scene = Scene()
    scene.play(opening(A, credit_limit_au=limit), rate(A), opening(B), rate(B), scene.enrol("m1"), scene.enrol("m2"))
    scene.play(scene.earn("m1", B, 50_000), scene.earn("m2", A, 50_000))
    scene.done(scene.redeem("m1", A, 200, redemption="accepted"))
    assert scene.positions()[A] == 200 - 4 - 5, "two fees"
    return scene


def test_nobody_gives_back_what_their_debts_rest_on() -> None:
    scene = accepting()
    scene.done(scene.redeem("m2", B, 291, over_limit="decline"))
    assert scene.refused(scene.redeem("m2", B, 1, over_limit="decline")).code == "issuer-over-limit"
    refusal = scene.refused(cancel(A, "accepted", "all"))
    assert (refusal.code, refusal.field, refusal.data) == ("issuer-over-limit", "au", {"issuer": A, "leg_au": 196})
    assert scene.refused(cancel(A, "accepted", "part", 2)).code == "issuer-over-limit"
    settle(scene, 1)
    scene.done(cancel(A, "accepted", "rest", 103))
    assert scene.positions()[A] == -103 + 3, "a fee of 3 comes back"
    assert scene.refused(cancel(A, "accepted", "more", 1)).code == "issuer-over-limit"


def test_what_its_collateral_bears_can_be_given_back() -> None:
    scene = accepting()
    scene.done(scene.redeem("m2", B, 95, over_limit="decline"))
    scene.done(cancel(A, "accepted", "all"))
    assert scene.positions()[A] == -95 - 5


def test_on_us_nothing_was_paid_and_nothing_is_asked() -> None:
    scene = accepting()
    scene.done(scene.redeem("m2", A, 100, redemption="on-us"))
    scene.done(scene.redeem("m2", B, 291, over_limit="decline"))
    scene.done(cancel(A, "on-us", "all"))

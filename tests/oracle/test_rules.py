"""The oracle against figures worked out by hand, where July says nothing: holds, cancellations, both modes, moves."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.oracle.alone import Alone
from tests.oracle.books import DAY_MS, ON_ISSUANCE, ON_REDEMPTION, OPERATOR, RESERVE

AT_2: dict[str, Any] = {"merchant_id": 2, "redemption": "r"}


def test_a_hold_takes_points_out_of_reach_and_gives_back_what_is_not_captured() -> None:
    alone = Alone.founded(rates={1: (7, 3), 2: (1, 1)})
    alone.earn(1, 10)
    assert alone.done("authorize", member="m", au=20, **AT_2) == {}
    assert alone.oracle.held() == {("m", 1): 9}, "20 · 3 / 7, rounded up"
    assert alone.refused("redeem", merchant_id=1, member="m", redemption="x", au=3) == "balance-too-low"
    assert alone.done("capture", au=10, **AT_2) == {1: -10, 2: 10}, "2 % of 10 is below one"
    assert (alone.points(1), alone.oracle.held()) == (5, {}), "10 · 3 / 7 is 5 points, rounded up"
    assert alone.oracle.dust() == {1: 5 * 7 - 10 * 3}


@pytest.mark.parametrize(("verb", "at_ms"), [("void", 0), ("lapse_hold", DAY_MS)])
def test_a_hold_resolves_once(verb: str, at_ms: int) -> None:
    alone = Alone.founded(rates={1: (7, 3), 2: (1, 1)})
    alone.earn(1, 10)
    alone.done("authorize", member="m", au=20, **AT_2)
    assert alone.done(verb, at_ms=at_ms, **AT_2) == {}
    assert (alone.points(1), alone.oracle.held(), alone.oracle.dust()) == (10, {}, {})
    assert {"done"} & set(alone.ask("capture", **AT_2)) == set()
    assert {"done"} & set(alone.ask("void", **AT_2)) == set()


def test_open_holds_count_against_the_collateral() -> None:
    alone = Alone.founded(rates={1: (1, 1), 2: (1, 1)}, credit_limit_au=100, haircut_bps=9_000)
    alone.earn(1, 200)
    alone.done("authorize", member="m", au=60, **AT_2)
    more = {"merchant_id": 2, "member": "m", "redemption": "s"}
    assert alone.refused("redeem", au=31, over_limit="decline", **more) == "issuer-over-limit"
    assert alone.refused("redeem", au=31, **more) == "balance-too-low", "skipped, and there is nothing else"
    alone.done("redeem", au=30, **more)
    alone.done("void", **AT_2)
    alone.done("redeem", au=60, merchant_id=2, member="m", redemption="t")


@pytest.mark.parametrize("mode", [ON_REDEMPTION, ON_ISSUANCE])
def test_cancelling_a_redemption_is_exact(mode: int) -> None:
    """Whole, or in parts of any size, with awkward rates: everything is as it was before it."""
    for seed in range(200):
        dice = Random(seed)
        alone = Alone.founded(mode=mode, rates={1: (7, 3), 2: (1, 2), 3: (3, 1_000), 4: (5, 1)})
        for number in range(dice.randrange(1, 7)):
            points = dice.randrange(1, 40) * dice.choice((1, 1, 50))
            alone.earn(dice.choice((1, 2, 3, 4)), points, order=f"o{number}", at_ms=dice.randrange(3))
        before = alone.oracle.books.positions(), alone.oracle.balances(), lots(alone), alone.oracle.dust()
        where: dict[str, Any] = {"merchant_id": dice.choice((1, 2)), "redemption": "r"}
        outcome = alone.ask("redeem", member="m", au=dice.randrange(1, 90), at_most=True, at_ms=3, **where)
        left = alone.oracle.books.draws[where["merchant_id"], "r"].au() if "done" in outcome else 0
        while left:
            part = dice.randrange(1, left + 1)
            outcome = alone.ask("cancel_redemption", cancellation=f"c{left}", au=part, **where)
            left -= part if "done" in outcome else 0  # less than a point cannot be given back
        assert (alone.oracle.books.positions(), alone.oracle.balances(), lots(alone), alone.oracle.dust()) == before


def lots(alone: Alone) -> list[tuple[int, int]]:
    return sorted((lot.number, lot.left) for lot in alone.oracle.books.all_lots() if lot.left)


def test_points_given_back_repay_what_they_were_spent_before() -> None:
    alone = Alone.founded(rates={1: (1, 1), 2: (1, 1)})
    alone.earn(1, 100)
    alone.done("redeem", member="m", au=80, **AT_2)
    alone.done("refund", merchant_id=1, member="m", refund="f", order="o", amount_minor=10_000)
    assert alone.oracle.debts() == {("m", 1): 80}
    assert alone.done("cancel_redemption", cancellation="c", **AT_2) == {1: 80, 2: -79, OPERATOR: -1}
    assert (alone.points(1), alone.oracle.debts()) == (0, {})


@pytest.mark.parametrize(
    ("policy", "left", "debts"),
    [("only_pending", 20, {}), ("within_balance", 0, {}), ("debt", -80, {("m", 1): 80})],
)
def test_three_policies_of_refund(policy: str, left: int, debts: dict[tuple[str, int], int]) -> None:
    alone = Alone.founded(rates={1: (1, 1), 2: (1, 1)}, refund_policy=policy)
    alone.earn(1, 100)
    alone.done("redeem", member="m", au=80, **AT_2)
    alone.done("refund", merchant_id=1, member="m", refund="f", order="o", amount_minor=10_000)
    assert (alone.points(1), alone.oracle.debts()) == (left, debts)


def test_an_issuer_that_pays_on_issuance_never_pays_a_fraction_twice() -> None:
    alone = Alone.on_issuance(rates={1: (7, 3), 2: (1, 1)})
    alone.earn(1, 1)
    assert alone.oracle.books.cash[RESERVE] == 3, "7/3, rounded up"
    alone.earn(1, 1, order="p")
    assert alone.oracle.books.cash[RESERVE] == 5, "14/3, rounded up"
    assert alone.done("redeem", member="m", au=4, **AT_2) == {2: 4, RESERVE: -4}
    assert (alone.points(1), alone.oracle.dust()) == (0, {1: 3}), "one AU is left, and the issuer's"
    alone.earn(1, 1, order="q")
    assert alone.oracle.books.cash[RESERVE] == 3, "it pays 2, not 3"


def test_the_operators_share_of_what_expires() -> None:
    alone = Alone.on_issuance(rates={1: (1, 1)}, breakage_bps=2_000, validity={"days": 1})
    alone.earn(1, 178)
    assert alone.refused("expire", member="m", at_ms=DAY_MS - 1) == "nothing-to-expire"
    assert alone.done("expire", member="m", at_ms=DAY_MS) == {1: 142, OPERATOR: 36, RESERVE: -178}


def test_a_transfer_keeps_the_expiry_and_repays_the_takers_debt() -> None:
    alone = Alone.founded(rates={1: (1, 1), 2: (1, 1)}, transfers="all")
    alone.earn(1, 100)
    alone.earn(1, 30, member="n", order="p", at_ms=7)
    alone.done("redeem", member="n", au=30, at_ms=7, **AT_2)
    alone.done("refund", merchant_id=1, member="n", refund="f", order="p", amount_minor=3_000)
    move = {"issuer_id": 1, "from_member": "m", "to_member": "n"}
    assert alone.refused("transfer", transfer="t", points=101, **move) == "balance-too-low"
    assert alone.done("transfer", transfer="t", points=100, at_ms=9, **move) == {}
    assert (alone.points(1), alone.points(1, "n")) == (0, 70)
    assert [lot.expires_ms for lot in alone.oracle.books.members["n"] if lot.left] == [365 * DAY_MS]


def test_an_exchange_takes_the_fewest_points() -> None:
    alone = Alone.founded(rates={1: (1, 1), 2: (1, 2)})
    alone.done("publish_exchange", from_issuer_id=1, to_issuer_id=2, num=3, den=7)
    alone.earn(1, 100)
    swap = {"member": "m", "from_issuer_id": 1, "to_issuer_id": 2}
    assert alone.refused("exchange", exchange="y", points=2, **swap) == "exchange-too-small"
    assert alone.done("exchange", exchange="x", points=20, **swap) == {1: -19, 2: 19}, "floor(60/7) = 8 for 19 points"
    assert (alone.points(1), alone.points(2)) == (81, 8)


def test_a_large_correction_waits_for_somebody_else() -> None:
    alone = Alone.founded(rates={1: (1, 1)}, adjust_alone_max=50)
    alone.done("adjust", adjustment="a", issuer_id=1, member="m", points=50)
    alone.done("adjust", adjustment="b", issuer_id=1, member="m", points=-51)
    assert alone.points(1) == 50
    assert {"done"} & set(alone.ask("approve_adjustment", adjustment="b", issuer_id=1, by="ann")) == set()
    alone.done("approve_adjustment", adjustment="b", issuer_id=1, by="bob")
    assert (alone.points(1), alone.oracle.debts()) == (-1, {("m", 1): 1})

"""Exchanges and issuers that leave, on the pure book: how many points go, how many come, who owes whom."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import accounts
from ledger.answers import LegRef
from ledger.commands import (
    CloseMerchant,
    Exchange,
    Expire,
    FreezeMerchant,
    OpenBalance,
    PublishExchange,
    PublishTerms,
    UnfreezeMerchant,
)
from ledger.points import exchanges
from ledger.slice import Role
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE, Kind
from tests.ledger.scene import DAY, OP, A, B, C, Scene, changed, clearing, opening, rate, small_alliance


def pair(num: int, den: int, at: int = 0, **changes: Any) -> PublishExchange:
    usual: dict[str, Any] = {"key": f"rate-{at}", "from_issuer_id": A, "to_issuer_id": B}
    return PublishExchange(at_ms=at, num=num, den=den, **usual | changes)


def swap(points: int, at: int = 1, **changes: Any) -> Exchange:
    usual: dict[str, Any] = {"key": f"swap-{points}-{at}", "exchange": f"x{points}-{at}", "member": "m1"}
    return Exchange(at_ms=at, points=points, **{"from_issuer_id": A, "to_issuer_id": B} | usual | changes)


def bring(points: int, issuer: int = A, at: int = 0) -> OpenBalance:
    return OpenBalance(
        key=f"bring-{issuer}-{at}", at_ms=at, source=f"at-{at}", issuer_id=issuer, member="m1", points=points
    )


@pytest.mark.parametrize(
    ("num", "den", "asked", "taken", "given"),
    [
        (1, 5, 100, 100, 20),
        (1, 5, 104, 100, 20),
        (2, 7, 100, 98, 28),
        (3, 2, 5, 5, 7),
        (3, 2, 3, 3, 4),
        (7, 1, 1, 1, 7),
        (1, 1, 100, 100, 100),
    ],
)
def test_the_fewest_points_that_give_as_many(num: int, den: int, asked: int, taken: int, given: int) -> None:
    scene = Scene()
    scene.play(*small_alliance(), pair(num, den), bring(200))
    receipt = scene.done(swap(asked))
    assert (receipt.why["taken"], receipt.why["given"]) == (taken, given)
    assert (scene.points("m1", A), scene.points("m1", B)) == (200 - taken, given)
    assert taken == -(-given * den // num), "one point less gives less"
    assert [(leg.kind, leg.signer, leg.issuer, leg.points, leg.au, leg.ref) for leg in receipt.legs] == [
        (Kind.EXCHANGE_OUT, B, A, taken, taken, None),
        (Kind.EXCHANGE_IN, B, B, given, 0, LegRef(receipt.seq, 1)),
    ]
    assert clearing(receipt) == {A: -taken, B: taken}
    [lot] = [lot for lot in scene.book.slice.lots_of[scene.number("m1")] if lot.issuer == B]
    assert (lot.role, lot.remaining, lot.terms_id, lot.expires_at_ms) == (Role.EXCHANGED, given, B, 1 + 365 * DAY)


def test_the_newest_rate_in_force_counts() -> None:
    scene = Scene()
    scene.play(*small_alliance(), pair(1, 5), pair(1, 4, at=10), bring(100))
    assert scene.done(swap(20, at=9)).why["given"] == 4
    assert scene.done(swap(20, at=10)).why["given"] == 5


RATE_OF: dict[int, tuple[int, int]] = {1: (1, 1), 2: (1, 2), 3: (2, 3), 4: (7, 3), 5: (5, 1)}


def terms(number: int) -> PublishTerms:
    return rate(A, *RATE_OF[number], terms_id=number)


@pytest.mark.parametrize("number", RATE_OF)
def test_what_a_leg_can_have_is_rounded_to(number: int) -> None:
    rule = terms(number)
    lawful = {exchanges.points_of(au, rule) for au in range(400)}
    for points in range(1, 60):
        assert exchanges.rounded_down(points, rule) == max(each for each in lawful if each <= points)
        assert exchanges.rounded_up(points, rule) == min(each for each in lawful if each >= points)


@pytest.mark.parametrize(
    ("asked", "taken", "given", "legs"),
    [
        (1, None, None, []),  # one point at 1/2 is no AU
        (2, 2, 2, [(C, 2, 1)]),
        (3, 2, 2, [(C, 2, 1)]),
        (10, 10, 10, [(C, 10, 5)]),
        (12, 11, 11, [(C, 10, 5), (9, 1, 1)]),
    ],
)
def test_points_worth_less_than_an_au(
    asked: int, taken: int | None, given: int | None, legs: list[tuple[int, int, int]]
) -> None:
    scene = Scene()
    scene.play(*small_alliance(), pair(1, 1, from_issuer_id=C), bring(11, C))
    scene.play(rate(C, key="better", terms_id=9, at_ms=1), bring(5, C, at=1))
    command = swap(asked, at=2, from_issuer_id=C)
    if taken is None:
        assert scene.refused(command).code == "exchange-too-small"
        return
    receipt = scene.done(command)
    assert (receipt.why["taken"], receipt.why["given"]) == (taken, given)
    assert [(leg.terms_id, leg.points, leg.au) for leg in receipt.legs[:-1]] == legs


def test_the_dust_of_an_exchange_stays_with_the_old_issuer() -> None:
    scene = Scene()
    scene.play(opening(4), rate(4, 7, 3), *small_alliance(), pair(1, 1, from_issuer_id=4), bring(10, 4))
    receipt = scene.done(swap(2, from_issuer_id=4))  # 14/3 AU
    assert (clearing(receipt), scene.balance(accounts.rounding(4, 4))) == ({4: -4, B: 4}, 2)


def test_the_reserve_pays_for_old_points_and_is_paid_for_new_ones() -> None:
    scene = Scene()
    scene.play(opening(4, issuance_fee_bps=0), rate(4, 1, 1, mode=ON_ISSUANCE))
    scene.play(opening(5), rate(5, 2, 1, mode=ON_ISSUANCE), *small_alliance(), bring(100, 4))
    scene.play(pair(1, 4, from_issuer_id=4, to_issuer_id=5))
    assert scene.balance(accounts.cash(RESERVE_ID)) == 100
    receipt = scene.done(swap(80, from_issuer_id=4, to_issuer_id=5))
    assert [(leg.issuer, leg.points, leg.au) for leg in receipt.legs] == [(4, 80, 80), (5, 20, 40)]
    assert clearing(receipt) == {5: 40, RESERVE_ID: -40}
    assert scene.balance(accounts.cash(RESERVE_ID)) == 20 * 1 + 20 * 2


@pytest.mark.parametrize(("limit", "taken"), [(100, True), (99, False)])
def test_the_old_issuers_collateral_bears_it_or_not(limit: int, *, taken: bool) -> None:
    scene = Scene()
    scene.play(opening(A, credit_limit_au=limit), rate(A), opening(B), rate(B, 5, 1), *small_alliance()[-5:])
    scene.play(pair(1, 5), bring(100))
    if taken:
        assert scene.done(swap(100)).why["given"] == 20
    else:
        assert scene.refused(swap(100)).data == {"issuer": A, "leg_au": 100}


@pytest.mark.parametrize(("later_minor", "taken"), [(9_900, True), (10_000, False)])
def test_collateral_bears_what_was_to_be_paid_on_issuance(later_minor: int, *, taken: bool) -> None:
    """What it is over by is a fee, due for points of other terms."""
    scene = Scene()
    scene.play(opening(4, credit_limit_au=100), rate(4, mode=ON_ISSUANCE), *small_alliance(), bring(100, 4))
    scene.play(rate(4, key="later", terms_id=9, at_ms=1), scene.earn("m2", 4, later_minor, at=1))
    scene.play(pair(1, 1, from_issuer_id=4, to_issuer_id=A))
    command = swap(10, from_issuer_id=4, to_issuer_id=A)
    if taken:
        assert scene.done(command).why["given"] == 10
    else:
        assert scene.refused(command).data == {"issuer": 4, "leg_au": 0}


def test_new_points_repay_a_debt_first() -> None:
    scene = Scene()
    scene.play(*small_alliance(), pair(1, 5), scene.earn("m1", B, 500, order="o"))
    scene.play(scene.redeem("m1", C, 5), scene.refund("m1", B, 500, "o"), bring(100))
    assert scene.points("m1", B) == -1
    receipt = scene.done(swap(20))
    assert (receipt.why["given"], receipt.why["repaid"], scene.points("m1", B)) == (4, 1, 3)


LEAVING = FreezeMerchant(key="freeze", at_ms=5, merchant_id=A, reason="leaves")


def test_a_frozen_issuer_issues_nothing_and_is_redeemed() -> None:
    scene = Scene()
    scene.play(*small_alliance(hold_ms=DAY), bring(100), scene.earn("m1", A, 1_000, order="before"))
    scene.done(LEAVING)
    for command in (
        scene.earn("m1", A, 1_000, at=0),
        OpenBalance(key="late", at_ms=6, source="late", issuer_id=A, member="m1", points=1),
    ):
        assert scene.refused(command).code == "merchant-frozen"
    assert scene.done(scene.confirm(A, "before", at=DAY)).why["points"] == 10
    assert scene.done(scene.redeem("m1", B, 60, at=DAY)).why["au"] == 60
    assert scene.done(scene.redeem("m1", A, 10, at=DAY)).why["au"] == 10


def test_an_issuer_that_stays_after_all_issues_again() -> None:
    scene = Scene()
    scene.play(*small_alliance(), LEAVING)
    assert scene.done(UnfreezeMerchant(key="stay", at_ms=6, merchant_id=A)).why == {"merchant_id": A}
    scene.done(scene.earn("m1", A, 1_000))
    assert scene.points("m1", A) == 10
    assert scene.refused(CloseMerchant(key="close", at_ms=7, merchant_id=A)).code == "merchant-not-frozen"
    scene.done(changed(LEAVING, key="again"))
    assert scene.refused(scene.earn("m1", A, 1_000)).code == "merchant-frozen"


def test_a_closed_issuer_leaves_claims_and_is_drawn_no_more() -> None:
    scene = Scene()
    scene.play(*small_alliance(), bring(100), bring(100, B, at=1), scene.redeem("m1", C, 40, at=2))
    scene.play(LEAVING)
    receipt = scene.done(CloseMerchant(key="close", at_ms=6, merchant_id=A))
    assert receipt.why == {"points": 60, "pending": 0, "au": 60, "position_au": -40, "reserve_au": 0}
    redeemed = scene.done(scene.redeem("m1", C, 100, at=7))
    assert ([leg.issuer for leg in redeemed.legs], redeemed.why["skipped"]) == ([B], str(A))
    assert scene.refused(scene.redeem("m1", C, 500, at=7)).data["available_au"] == 400
    assert scene.refused(scene.redeem("m1", A, 1, at=7)).code == "merchant-closed"
    assert scene.done(Expire(key="end", at_ms=365 * DAY, member="m1")).legs[0].points == 60
    assert scene.positions() == {A: -40, B: -100, C: 138, OP: 2}


def test_an_empty_lot_of_a_closed_issuer_is_not_left_out_of_anything() -> None:
    """A store need not hold it, so the receipt must not speak of it."""
    scene = Scene()
    scene.play(*small_alliance(), bring(100), bring(100, B, at=1))
    scene.done(scene.refund("m1", A, 10_000, None, at=2))
    scene.play(LEAVING)
    scene.done(CloseMerchant(key="close", at_ms=6, merchant_id=A))
    assert "skipped" not in scene.done(scene.redeem("m1", C, 100, at=7)).why

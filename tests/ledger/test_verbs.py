"""The verbs as tables: who does what, and the balance or the figures that must come out. On the pure book."""

from __future__ import annotations

import pytest

from ledger import accounts
from ledger.answers import LegRef
from ledger.commands import Net, SettleNets, Until
from proofs.kinds import Kind
from tests.ledger.scene import DAY, OP, A, B, C, Scene, changed, clearing, legs, opening, rate, small_alliance


@pytest.fixture(name="scene")
def scene_() -> Scene:
    scene = Scene()
    scene.play(*small_alliance())
    return scene


@pytest.mark.parametrize(
    ("merchant", "amount", "points", "fee"),
    [
        (A, 99, 0, 0),
        (A, 100, 1, 0),
        (A, 9_999, 99, 0),
        (A, 10_000, 100, 1),
        (B, 499, 0, 0),
        (B, 10_000, 20, 1),
        (C, 24, 0, 0),
        (C, 25, 1, 0),
        (C, 5_000, 200, 1),
        (C, 5_025, 201, 1),  # 201 points at 1/2 are 100 AU, floored before the fee is
    ],
)
def test_earn(scene: Scene, merchant: int, amount: int, points: int, fee: int) -> None:
    receipt = scene.done(scene.earn("m1", merchant, amount))
    assert scene.points("m1", merchant) == points
    assert scene.balance(accounts.outstanding(merchant)) == -points
    assert clearing(receipt) == ({merchant: -fee, OP: fee} if fee else {})
    assert [(leg.kind, leg.points, leg.fee_au) for leg in receipt.legs] == (
        [(Kind.EARN, points, fee)] if points else []
    )


def test_pending_points_are_seen_and_cannot_be_spent() -> None:
    scene = Scene()
    scene.play(*small_alliance(hold_ms=7 * DAY))
    scene.done(scene.earn("m1", A, 10_000, order="o"))
    assert (scene.pending("m1", A), scene.points("m1", A)) == (100, 0)
    assert scene.refused(scene.redeem("m1", A, 1)).code == "balance-too-low"
    scene.done(scene.confirm(A, "o", at=7 * DAY))
    assert (scene.pending("m1", A), scene.points("m1", A)) == (0, 100)
    assert scene.done(scene.redeem("m1", A, 1, at=7 * DAY)).why["au"] == 1


def test_a_lot_keeps_the_rate_it_was_earned_under(scene: Scene) -> None:
    scene.play(rate(A, 1, 4, key="worse", terms_id=9, at_ms=10))
    scene.play(scene.earn("m1", A, 1_000, at=9), scene.earn("m1", A, 1_000, at=10))
    receipt = scene.done(scene.redeem("m1", B, 12, at=11))
    assert [(leg.terms_id, leg.points, leg.au) for leg in receipt.legs] == [(A, 10, 10), (9, 8, 2)]


def test_lots_are_drawn_by_expiry_then_confirmation(scene: Scene) -> None:
    scene.play(opening(4, validity=Until(until_ms=300 * DAY)), rate(4))
    for order, (merchant, at) in enumerate([(A, 2), (A, 1), (4, 3)]):
        scene.done(scene.earn("m1", merchant, 1_000, at=at, order=f"o{order}"))
    receipt = scene.done(scene.redeem("m1", B, 25, at=5))
    assert [(move.issuer, move.points, move.remaining) for move in receipt.lots] == [
        (4, -10, 0),
        (A, -10, 0),
        (A, -5, 5),
    ]
    assert [move.lot.seq for move in receipt.lots[1:]] == [receipt.seq - 2, receipt.seq - 3]


def test_a_lot_confirmed_at_the_epoch_is_drawn_before_a_later_one() -> None:
    """Zero is a time, not the lack of one."""
    scene = Scene()
    scene.play(*small_alliance(validity=Until(until_ms=9)))
    for order, at in (("later", 5), ("epoch", 0)):
        scene.done(scene.earn("m1", A, 1_000, at=at, order=order))
    receipt = scene.done(scene.redeem("m1", B, 10, at=6))
    assert [scene.book.slice.lots[move.lot].confirmed_at_ms for move in receipt.lots] == [0]


@pytest.mark.parametrize(
    ("au", "drawn", "rest"),
    [
        (1, [(C, 2, 1)], {A: 3, C: 5}),
        (3, [(C, 6, 3)], {A: 3, C: 1}),
        (4, [(C, 6, 3), (A, 1, 1)], {A: 2, C: 1}),
        (6, [(C, 6, 3), (A, 3, 3)], {A: 0, C: 1}),
    ],
)
def test_redeem_over_two_issuers(
    scene: Scene, au: int, drawn: list[tuple[int, int, int]], rest: dict[int, int]
) -> None:
    scene.play(scene.earn("m1", C, 75, at=0), scene.earn("m1", C, 100, at=0), scene.earn("m1", A, 300, at=1))
    receipt = scene.done(scene.redeem("m1", B, au, at=2))
    assert legs(receipt) == drawn
    assert {issuer: scene.points("m1", issuer) for issuer in rest} == rest


def test_the_rest_of_one_lot_adds_up_with_the_next() -> None:
    scene = Scene()
    scene.play(opening(A), rate(A, 2, 3), opening(B), rate(B), *small_alliance()[-5:])
    scene.play(*[scene.earn("m1", A, 100) for _ in range(3)])  # three lots of one point, each worth no whole AU
    receipt = scene.done(scene.redeem("m1", B, 2))
    assert legs(receipt) == [(A, 3, 2)]
    assert scene.points("m1", A) == 0


@pytest.mark.parametrize(
    ("acceptor", "au", "cleared"),
    [
        (A, 100, {}),
        (B, 49, {A: -49, B: 49}),
        (B, 50, {A: -50, B: 49, OP: 1}),
        (B, 100, {A: -100, B: 98, OP: 2}),
    ],
)
def test_redemption_fee_and_on_us(scene: Scene, acceptor: int, au: int, cleared: dict[int, int]) -> None:
    scene.done(scene.earn("m1", A, 10_000))
    receipt = scene.done(scene.redeem("m1", acceptor, au))
    assert clearing(receipt) == cleared
    assert receipt.legs[0].au == (0 if acceptor == A else au)
    assert receipt.why["au"] == au


def test_at_most_takes_what_is_there(scene: Scene) -> None:
    scene.done(scene.earn("m1", A, 1_000))
    assert scene.done(scene.redeem("m1", B, 99, at_most=True)).why == {"asked_au": 99, "au": 10, "fee_au": 0}
    assert scene.refused(scene.redeem("m1", B, 99, at_most=True)).code == "nothing-to-redeem"


@pytest.mark.parametrize(
    ("parts", "taken"),
    [
        ([100], [1]),
        ([50, 50, 200], [1, 0, 2]),
        ([1] * 4, [1, 0, 0, 0]),
        ([299, 1], [3, 0]),
    ],
)
def test_refunds_of_one_order_never_drift(scene: Scene, parts: list[int], taken: list[int]) -> None:
    scene.done(scene.earn("m1", A, 300, order="o"))
    receipts = [scene.done(scene.refund("m1", A, part, "o")) for part in parts]
    assert [receipt.why["taken"] for receipt in receipts] == taken
    assert scene.points("m1", A) == 3 - sum(taken)


def test_refund_names_the_leg_that_earned(scene: Scene) -> None:
    earned = scene.done(scene.earn("m1", A, 10_000, order="o"))
    leg = scene.done(scene.refund("m1", A, 5_000, "o")).legs[0]
    assert (leg.kind, leg.points, leg.ref, leg.fee_au) == (Kind.REFUND_EARN, 50, LegRef(earned.seq, 1), -1)


@pytest.mark.parametrize(
    ("policy", "spent", "points", "debt", "fee_back"),
    [
        ("debt", 0, 0, 0, 1),
        ("debt", 40, -40, 40, 1),
        ("within_balance", 0, 0, 0, 1),
        ("within_balance", 40, 0, 0, 1),
        ("only_pending", 0, 100, 0, 0),
        ("only_pending", 40, 60, 0, 0),
    ],
)
def test_refund_policies(policy: str, spent: int, points: int, debt: int, fee_back: int) -> None:
    scene = Scene()
    scene.play(*small_alliance(refund_policy=policy))
    scene.done(scene.earn("m1", A, 10_000, order="o"))
    if spent:
        scene.done(scene.redeem("m1", A, spent))
    receipt = scene.done(scene.refund("m1", A, 10_000, "o"))
    assert scene.points("m1", A) == points
    assert (receipt.why["asked"], receipt.why["debt"]) == (100, debt)
    assert clearing(receipt) == ({A: 1, OP: -1} if fee_back else {})


def test_refund_takes_the_orders_own_lot_first_then_others_then_debt(scene: Scene) -> None:
    scene.play(scene.earn("m1", A, 1_000, at=1, order="early"), scene.earn("m1", A, 1_000, at=2, order="late"))
    receipt = scene.done(scene.refund("m1", A, 500, "late", at=3))
    assert [(move.remaining, move.points) for move in receipt.lots] == [(5, -5)]
    scene.done(scene.redeem("m1", B, 12, at=3))  # the early lot and two of the late one: three are left
    receipt = scene.done(scene.refund("m1", A, 1_000, "early", at=4))
    assert [move.points for move in receipt.lots] == [-3, 0]
    assert (receipt.why["debt"], scene.points("m1", A)) == (7, -7)


def test_a_debt_is_repaid_by_the_next_earning(scene: Scene) -> None:
    scene.done(scene.earn("m1", A, 1_000, order="o"))
    scene.done(scene.redeem("m1", B, 10))
    scene.done(scene.refund("m1", A, 1_000, "o"))
    first = scene.done(scene.earn("m1", A, 600))
    assert (first.why["repaid"], first.lots[0].remaining, scene.points("m1", A)) == (6, 0, -4)
    second = scene.done(scene.earn("m1", A, 600))
    assert (second.why["repaid"], second.lots[0].remaining, scene.points("m1", A)) == (4, 2, 2)


def test_a_refund_of_unknown_origin_is_an_adjustment(scene: Scene) -> None:
    scene.done(scene.earn("m1", A, 1_000))
    receipt = scene.done(scene.refund("m1", A, 20_000, None))
    assert [(leg.kind, leg.points, leg.ref) for leg in receipt.legs] == [(Kind.ADJUST_DOWN, 200, None)]
    assert (receipt.why["debt"], scene.points("m1", A), clearing(receipt)) == (190, -190, {A: 2, OP: -2})


def test_a_refund_of_no_points_is_taken(scene: Scene) -> None:
    scene.done(scene.earn("m1", A, 99, order="o"))
    receipt = scene.done(scene.refund("m1", A, 98, "o"))
    assert (receipt.why["taken"], receipt.legs, receipt.postings) == (0, (), ())
    assert scene.refused(scene.refund("m1", A, 2, "o")).data["refundable_minor"] == 1


def test_a_pending_order_loses_pending_points_and_no_fee() -> None:
    scene = Scene()
    scene.play(*small_alliance(hold_ms=DAY))
    scene.done(scene.earn("m1", A, 10_000, order="o"))
    receipt = scene.done(scene.refund("m1", A, 4_000, "o"))
    assert (scene.pending("m1", A), receipt.legs, clearing(receipt)) == (60, (), {})
    assert clearing(scene.done(scene.confirm(A, "o", at=DAY))) == {}
    assert scene.points("m1", A) == 60


def test_fees_of_a_cycle_become_cash(scene: Scene) -> None:
    scene.play(scene.earn("m1", A, 10_000, order="o"), scene.earn("m2", B, 1_000_000))
    before = scene.positions()
    receipt = scene.done(scene.charge("july"))
    assert [(leg.kind, leg.signer, leg.issuer, leg.au) for leg in receipt.legs] == [
        (Kind.FEE, A, OP, 1),
        (Kind.FEE, B, OP, 100),
    ]
    assert scene.positions() == before
    assert all(scene.balance(accounts.fees(party)) == 0 for party in (A, B, C, OP))
    scene.done(scene.refund("m1", A, 10_000, "o"))
    reversed_ = scene.done(scene.charge("august")).legs
    assert [(leg.signer, leg.issuer, leg.au) for leg in reversed_] == [(OP, A, 1)]


def test_settled_nets_bring_positions_down(scene: Scene) -> None:
    scene.play(scene.earn("m1", A, 10_000), scene.redeem("m1", B, 100), scene.charge("c"))
    nets = tuple(Net(party, au) for party, au in sorted(scene.positions().items()))
    assert nets == (Net(A, -101), Net(B, 98), Net(OP, 3))
    settle = SettleNets(key="s", at_ms=0, batch_no=7, nets=nets)
    scene.done(settle)
    assert scene.positions() == {}
    assert scene.balance(accounts.cash(A)) == -101
    assert scene.refused(changed(settle, key="t")).code == "batch-settled"
    recovered = changed(settle, key="u", recovered_in=12, nets=(Net(A, -5), Net(B, 5)))
    scene.done(recovered)
    assert scene.positions() == {A: 5, B: -5}
    assert scene.refused(changed(recovered, key="v")).code == "batch-settled"
    scene.done(changed(recovered, key="w", recovered_in=13, nets=(Net(A, 5), Net(B, -5))))
    assert scene.positions() == {}


@pytest.mark.parametrize(
    ("limit", "haircut", "over_limit", "outcome"),
    [
        (101, 10_000, "skip", [(A, 100, 100)]),
        (100, 10_000, "skip", [(B, 20, 100)]),
        (202, 5_000, "skip", [(A, 100, 100)]),
        (200, 5_000, "skip", [(B, 20, 100)]),
        (100, 10_000, "decline", "issuer-over-limit"),
    ],
)
def test_collateral_bears_a_leg_or_not(limit: int, haircut: int, over_limit: str, outcome: object) -> None:
    scene = Scene()
    scene.play(
        opening(A, credit_limit_au=limit, haircut_bps=haircut), rate(A), *small_alliance()[1:3], *small_alliance()[4:]
    )
    scene.play(scene.earn("m1", A, 10_000), scene.earn("m1", B, 10_000, at=1))  # A owes a fee of 1 already
    command = scene.redeem("m1", C, 100, at=2, over_limit=over_limit)
    if isinstance(outcome, str):
        assert scene.refused(command).code == outcome
    else:
        assert legs(scene.done(command)) == outcome


@pytest.mark.parametrize(
    ("published", "refused"),
    [
        (
            [(0, 5, 1, 1), (1, 4, 2, 1)],
            "notice-too-short",
        ),  # a better one before it makes it a fall
        ([(0, 5, 1, 1), (1, 4, 1, 1)], None),
        ([(0, 12, 1, 1), (1, 4, 2, 1)], None),  # the fall was told long enough before
        ([(0, 5, 1, 1), (1, 5, 2, 1)], None),  # it replaces the other
        ([(0, 3, 2, 1), (1, 4, 1, 1)], "notice-too-short"),
        (
            [(0, 3, 2, 1), (1, 13, 1, 2), (4, 13, 3, 2)],
            "notice-too-short",
        ),  # worse than today's alone
        ([(0, 3, 2, 1), (1, 13, 1, 2), (4, 13, 2, 1)], None),
        ([(0, 2, 3, 1), (0, 12, 2, 1), (13, 14, 2, 1)], None),  # what was over before it was told does not count
    ],
)
def test_a_worse_rate_is_told_before_it_begins(published: list[tuple[int, int, int, int]], refused: str | None) -> None:
    """(told on day, begins on day, worth): the last one is in question; the notice is ten days."""
    scene = Scene()
    scene.play(opening(A, notice_ms=10 * DAY), rate(A))
    told = [
        rate(A, num, den, key=f"t{i}", terms_id=10 + i, at_ms=at * DAY, from_ms=begins * DAY)
        for i, (at, begins, num, den) in enumerate(published)
    ]
    for each in told[:-1]:
        scene.done(each)
    outcome = scene.book.apply(told[-1]).outcome
    assert getattr(outcome, "code", None) == refused

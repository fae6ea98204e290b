"""Redemptions that are held, captured, called off, given back and disputed, as tables. On the pure book."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger import accounts
from ledger.accounts import Family
from ledger.answers import LegRef, Receipt
from ledger.commands import Command
from ledger.points.redemptions import name
from ledger.records import Redemption
from ledger.units import HOLD_MS_MAX
from proofs.kinds import ADDS, MAY_OWE, ON_ISSUANCE, Kind
from tests.ledger.promises import (
    authorize,
    cancel,
    capture,
    dispute,
    expect_promises_kept,
    lapse,
    resolve,
    void,
)
from tests.ledger.scene import DAY, OP, A, B, C, Scene, clearing, legs, opening, rate, small_alliance


class Spending(Scene):
    """A scene that checks after every step what must always be true."""

    def done(self, command: Command) -> Receipt:
        receipt = super().done(command)
        expect_promises_kept(self.book.slice)
        for posting in receipt.postings:
            if posting.account.family == Family.MEMBER and posting.balance < 0 and posting.amount < 0:
                assert receipt.legs[posting.leg - 1].kind in MAY_OWE, "only a claw-back may leave a debt in public"
        return receipt

    def held(self, member: str, issuer: int) -> int:
        return self.balance(accounts.held(issuer, self.number(member)))

    def remaining(self, member: str, issuer: int) -> int:
        lots = self.book.slice.lots.values()
        return sum(lot.remaining for lot in lots if lot.issuer == issuer and lot.member == member)

    def record(self, merchant: int, redemption: str) -> Redemption:
        record = self.book.slice.records[name(merchant, redemption)]
        assert isinstance(record, Redemption)
        return record

    def state(self) -> object:
        """Balances and lots: what a round trip must bring back."""
        found = self.book.slice
        lots = {lot.id: (lot.remaining, lot.standing, lot.expires_at_ms) for lot in found.lots.values()}
        return {account: balance for account, (_, balance) in found.accounts.items() if balance}, lots


@pytest.fixture(name="scene")
def scene_() -> Spending:
    """m1 has 100 A, then 20 B, then 101 C, all confirmed at 0."""
    scene = Spending()
    scene.play(*small_alliance())
    scene.play(scene.earn("m1", C, 2_525), scene.earn("m1", A, 10_000), scene.earn("m1", B, 10_000))
    return scene


def test_an_authorisation_holds_points_and_promises_au(scene: Spending) -> None:
    receipt = scene.done(authorize("m1", B, 120, "r"))
    assert (receipt.legs, clearing(receipt)) == ((), {})
    assert {issuer: scene.held("m1", issuer) for issuer in (A, B, C)} == {A: 70, B: 0, C: 100}
    assert {issuer: scene.points("m1", issuer) for issuer in (A, B, C)} == {A: 100, B: 20, C: 101}
    assert {issuer: scene.balance(accounts.promised(issuer)) for issuer in (A, B, C)} == {A: -70, B: 0, C: -50}
    assert scene.refused(scene.redeem("m1", B, 131)).data["available_au"] == 130, "what is held cannot be spent again"
    assert scene.record(B, "r").state == "held"


@pytest.mark.parametrize("au", [1, 49, 50, 51, 119, 120, None])
def test_capturing_is_redeeming_what_is_captured(scene: Spending, au: int | None) -> None:
    scene.done(authorize("m1", B, 120, "r"))
    receipt = scene.done(capture(B, "r", au))
    other = Spending()
    other.play(*small_alliance())
    other.play(other.earn("m1", C, 2_525), other.earn("m1", A, 10_000), other.earn("m1", B, 10_000))
    redeemed = other.done(other.redeem("m1", B, au or 120))
    assert (legs(receipt), clearing(receipt)) == (legs(redeemed), clearing(redeemed))
    assert scene.state() == other.state()
    assert [posting.amount for posting in receipt.postings if posting.leg] == [
        posting.amount for posting in redeemed.postings if posting.leg
    ]


@pytest.mark.parametrize("end", [void(B, "r"), void(B, "r", at=9 * DAY), lapse(B, "r")], ids=["void", "late", "lapse"])
def test_what_ends_without_a_capture_leaves_nothing(scene: Spending, end: Command) -> None:
    before = scene.state()
    scene.done(authorize("m1", B, 190, "r"))
    receipt = scene.done(end)
    assert (receipt.legs, receipt.why) == ((), {"au": 190, "restored": 208, "repaid": 0})
    assert scene.state() == before
    assert scene.record(B, "r").draws == ()


@pytest.mark.parametrize("first", [capture(B, "r"), capture(B, "r", 1), void(B, "r"), lapse(B, "r")], ids=str)
def test_a_hold_resolves_at_most_once(scene: Spending, first: Command) -> None:
    scene.done(authorize("m1", B, 120, "r"))
    scene.done(first)
    for again in (capture(B, "r", key="c"), void(B, "r", key="v"), lapse(B, "r", key="l")):
        assert scene.refused(again).code == "already-resolved"
    assert scene.refused(authorize("m1", B, 1, "r", key="again")).code == "redemption-exists"


@pytest.mark.parametrize(
    ("until", "code"),
    [(0, "hold-too-short"), (1, None), (HOLD_MS_MAX, None), (HOLD_MS_MAX + 1, "hold-too-long")],
)
def test_a_hold_has_bounds(scene: Spending, until: int, code: str | None) -> None:
    outcome = scene.book.apply(authorize("m1", B, 1, "r", hold_until_ms=until)).outcome
    assert getattr(outcome, "code", None) == code


def test_the_end_of_a_hold_is_exclusive(scene: Spending) -> None:
    scene.done(authorize("m1", B, 10, "r"))
    assert scene.refused(lapse(B, "r", at=DAY - 1)).code == "hold-not-over"
    assert scene.refused(capture(B, "r", at=DAY, key="late")).code == "hold-over"
    scene.done(capture(B, "r", at=DAY - 1))


def test_points_that_expired_while_held_are_captured(scene: Spending) -> None:
    last = 365 * DAY - 1
    scene.done(authorize("m1", B, 150, "r", at=last))
    assert scene.refused(scene.redeem("m1", C, 1, at=last + 1)).code == "balance-too-low"
    assert scene.done(capture(B, "r", at=last + 1)).why["au"] == 150


def test_what_expired_while_held_returns_expired(scene: Spending) -> None:
    last = 365 * DAY - 1
    scene.done(authorize("m1", B, 150, "r", at=last))
    scene.done(void(B, "r", at=last + 1))
    assert scene.remaining("m1", C) == 101
    assert scene.refused(scene.redeem("m1", B, 1, at=last + 1)).data["available_au"] == 0
    assert scene.done(scene.redeem("m1", B, 1, at=last)).why["au"] == 1


def test_the_fee_is_the_acceptors_when_it_was_authorised(scene: Spending) -> None:
    scene.done(authorize("m1", B, 50, "r"))
    merchants = scene.book.slice.registry.merchants
    merchants[B] = opening(B, redemption_fee_bps=9_000)
    assert clearing(scene.done(capture(B, "r"))) == {C: -50, B: 49, OP: 1}


def test_open_authorisations_count_against_collateral() -> None:
    scene = Spending()
    scene.play(*small_alliance(credit_limit_au=100))
    scene.play(scene.earn("m1", A, 8_000), scene.earn("m2", A, 8_000))
    scene.done(authorize("m1", B, 60, "first", over_limit="decline"))
    refusal = scene.refused(authorize("m2", B, 60, "second", over_limit="decline"))
    assert (refusal.code, refusal.data) == ("issuer-over-limit", {"issuer": A, "leg_au": 60})
    assert scene.done(scene.redeem("m2", A, 60)).why["au"] == 60, "on us needs no collateral"
    scene.done(void(B, "first"))
    assert scene.done(authorize("m1", B, 80, "third", over_limit="decline")).why["au"] == 80


def test_what_an_issuer_was_to_pay_on_issuance_counts_against_its_collateral() -> None:
    """The reserve has a promise of it until nets are settled: points beyond the collateral would be paid by all."""
    scene = Spending()
    scene.play(*small_alliance(), opening(4, credit_limit_au=100), rate(4, mode=ON_ISSUANCE))
    scene.play(scene.earn("m1", 4, 9_900))
    assert scene.done(scene.redeem("m1", B, 60, over_limit="decline")).why["au"] == 60
    scene.play(rate(4, key="later", terms_id=9, at_ms=1), scene.earn("m2", 4, 20_000, at=1))
    assert scene.positions()[4] == -101, "a fee of 2 that is due for points paid for on redemption"
    refusal = scene.refused(scene.redeem("m1", B, 39, over_limit="decline"))
    assert (refusal.code, refusal.data) == ("issuer-over-limit", {"issuer": 4, "leg_au": 0})
    assert scene.done(scene.redeem("m1", 4, 39)).why["au"] == 39, "on us the reserve gives back what it was to get"


@pytest.fixture(name="owing")
def owing_() -> Spending:
    """m1 had 100 A, 80 of them are promised to B, then the order of all 100 was refunded: m1 owes 80."""
    scene = Spending()
    scene.play(*small_alliance())
    scene.done(scene.earn("m1", A, 10_000, order="o"))
    scene.done(authorize("m1", B, 80, "r"))
    scene.done(scene.refund("m1", A, 10_000, "o"))
    assert (scene.points("m1", A), scene.held("m1", A), scene.remaining("m1", A)) == (0, 80, 0)
    return scene


def test_a_promise_is_kept_when_the_points_were_taken_back(owing: Spending) -> None:
    receipt = owing.done(capture(B, "r"))
    assert [(leg.kind, leg.signer, leg.points, leg.au) for leg in receipt.legs] == [
        (Kind.ADJUST_UP, A, 80, 0),
        (Kind.REDEEM, B, 80, 80),
        (Kind.ADJUST_DOWN, A, 80, 0),
    ]
    assert (owing.points("m1", A), owing.held("m1", A)) == (-80, 0)
    assert clearing(receipt) == {A: -80, B: 79, OP: 1}


@pytest.mark.parametrize(("earned", "au", "restored", "debt"), [(0, 0, 0, 0), (0, 50, 0, 50), (40, 50, 0, 10)])
def test_what_returns_repays_the_debt_first(owing: Spending, earned: int, au: int, restored: int, debt: int) -> None:
    if earned:
        owing.done(owing.earn("m1", A, earned * 100))
    receipt = owing.done(capture(B, "r", au) if au else void(B, "r"))
    assert (receipt.why["restored"], receipt.why["repaid"]) == (restored, 80 - au)
    assert owing.remaining("m1", A) == 0
    assert max(0, -owing.points("m1", A)) == debt


def test_part_of_what_returns_may_be_left_over(owing: Spending) -> None:
    owing.done(owing.earn("m1", A, 6_000))
    receipt = owing.done(void(B, "r"))
    assert receipt.why == {"au": 80, "restored": 60, "repaid": 20}
    assert (owing.points("m1", A), owing.remaining("m1", A)) == (60, 60)


def test_a_part_cancelled_is_priced_as_the_difference(scene: Spending) -> None:
    scene.done(scene.redeem("m1", A, 50))  # 100 C
    with_fee = scene.done(scene.redeem("m1", C, 60, redemption="s"))  # 60 of the A, fee 1
    assert clearing(with_fee) == {A: -60, C: 59, OP: 1}
    receipt = scene.done(cancel(C, "s", "x", 11))
    assert clearing(receipt) == {A: 11, C: -10, OP: -1}, "49 AU bear no fee"
    assert [(leg.kind, leg.signer, leg.points, leg.au, leg.fee_au, leg.ref) for leg in receipt.legs] == [
        (Kind.REFUND_REDEEM, C, 11, 11, -1, LegRef(with_fee.seq, 1))
    ]
    assert receipt.why == {"au": 11, "left_au": 49, "fee_au": -1, "restored": 11, "repaid": 0}


@pytest.mark.parametrize("parts", [[None], [190], [5, None], [60, 60, 60, 10], [90, 99, 1]], ids=str)
def test_cancelling_all_of_it_is_exact(scene: Spending, parts: list[int | None]) -> None:
    before = scene.state()
    scene.done(scene.redeem("m1", 4 if scene.play(opening(4, redemption_fee_bps=777)) else 0, 190, redemption="r"))
    for number, au in enumerate(parts):
        scene.done(cancel(4, "r", f"x{number}", au))
    assert scene.state() == before
    assert scene.refused(cancel(4, "r", "more")).data == {"asked_au": 0, "left_au": 0}


@pytest.mark.parametrize(("num", "den"), [(1, 1), (7, 3), (3, 7), (2, 3), (5, 1), (1, 2)])
@pytest.mark.parametrize("mode", [0, ON_ISSUANCE])
@pytest.mark.parametrize("acceptor", [A, B])
def test_cancelling_less_is_redeeming_less(num: int, den: int, mode: int, acceptor: int) -> None:
    """Redeem x and cancel y is redeem x − y, wherever a cancellation is worth a point at all."""

    def fresh() -> Spending:
        scene = Spending()
        scene.play(opening(A), rate(A, num, den, mode=mode), opening(B, redemption_fee_bps=777), rate(B))
        scene.play(*small_alliance()[-5:], *[scene.earn("m1", A, 300 + each) for each in range(3)])
        return scene

    most = min(9 * num // den, 12)
    for asked in range(1, most + 1):
        for less in range(1, asked):
            direct, back = fresh(), fresh()
            direct.done(direct.redeem("m1", acceptor, asked - less))
            back.done(back.redeem("m1", acceptor, asked, redemption="r"))
            outcome = back.book.apply(cancel(acceptor, "r", "x", less)).outcome
            if isinstance(outcome, Receipt):
                assert back.state() == direct.state()
                expect_promises_kept(back.book.slice)
            else:
                assert outcome.code == "cancel-below-a-point"
                points = [-(-au * den // num) for au in (asked, asked - less)]
                assert points[0] == points[1]


def test_a_cancellation_takes_the_last_leg_and_the_lots_drawn_last(scene: Spending) -> None:
    scene.play(scene.earn("m2", C, 2_500), scene.earn("m2", A, 10_000), scene.earn("m2", A, 1_000, at=1))
    scene.done(scene.redeem("m2", B, 155, redemption="r", at=2))  # C 100, A 100 of the first lot, A 5 of the second
    receipt = scene.done(cancel(B, "r", "x", 30))
    assert [(leg.issuer, leg.points) for leg in receipt.legs] == [(A, 30)]
    assert [(move.issuer, move.points, move.remaining) for move in receipt.lots] == [(A, 25, 25), (A, 5, 10)]
    assert [(each.issuer, each.points, each.au) for each in scene.record(B, "r").draws] == [(C, 100, 50), (A, 75, 75)]
    again = scene.done(cancel(B, "r", "y", 80))
    assert [(leg.issuer, leg.points, leg.au) for leg in again.legs] == [(C, 10, 5), (A, 75, 75)]


def test_restored_points_repay_a_debt_first(scene: Spending) -> None:
    scene.done(scene.earn("m2", A, 10_000, order="o"))
    scene.done(scene.redeem("m2", B, 90, redemption="r"))
    scene.done(scene.refund("m2", A, 5_000, "o"))  # 10 from the lot, 40 owed
    receipt = scene.done(cancel(B, "r", "x", 60))
    assert receipt.why == {"au": 60, "left_au": 30, "fee_au": -1, "restored": 20, "repaid": 40}
    assert (scene.points("m2", A), scene.remaining("m2", A)) == (20, 20)


def test_what_comes_back_belongs_to_whom_the_member_means_now(scene: Spending) -> None:
    """m2 spent all it had and was found to be m3 then: its empty lot stayed behind."""
    scene.done(scene.earn("m2", A, 1_000))
    scene.done(scene.redeem("m2", B, 10, redemption="r"))
    scene.book.slice.people[scene.number("m2")].merged_into = scene.number("m3")
    receipt = scene.done(cancel(B, "r", "x", 7))
    assert [(leg.kind, leg.member) for leg in receipt.legs] == [(Kind.REFUND_REDEEM, "m3")]
    assert [(move.member, move.points) for move in receipt.lots] == [("m3", 7)]
    assert (scene.points("m2", A), scene.points("m3", A), scene.remaining("m3", A)) == (0, 7, 7)
    assert scene.done(scene.redeem("m3", C, 7)).why["au"] == 7


def test_what_comes_back_after_accounts_were_parted_again_mixes_with_nothing(scene: Spending) -> None:
    """m2 spent two lots, meant m3 for a while, when part of the second came back, and is itself again."""
    scene.play(scene.earn("m2", A, 1_000, at=1), scene.earn("m2", A, 1_000, at=2))
    scene.done(scene.redeem("m2", B, 20, redemption="r", at=3))
    person = scene.book.slice.people[scene.number("m2")]
    person.merged_into = scene.number("m3")
    scene.done(cancel(B, "r", "x", 4))
    person.merged_into = None
    receipt = scene.done(cancel(B, "r", "y"))
    made = [move for move in receipt.lots if move.lot.seq == receipt.seq]
    assert [(move.member, move.points, move.expires_at_ms) for move in receipt.lots] == [
        ("m2", 10, 1 + 365 * DAY),
        ("m2", 6, 2 + 365 * DAY),
    ]
    assert made == [receipt.lots[1]]
    assert (scene.points("m2", A), scene.points("m3", A)) == (16, 4)


def test_an_empty_lot_that_comes_back_to_another_account_leaves_the_first(scene: Spending) -> None:
    """Emptied by a refund, it was still among m2's lots, and would have ended with them."""
    scene.done(scene.earn("m2", A, 1_000, at=1))
    scene.done(scene.redeem("m2", B, 4, redemption="r", at=3))
    scene.done(scene.refund("m2", A, 600, None, at=4))
    scene.book.slice.people[scene.number("m2")].merged_into = scene.number("m3")
    scene.done(cancel(B, "r", "x"))
    lots_of = [[lot.member for lot in scene.book.slice.lots_of[scene.number(name)]] for name in ("m2", "m3")]
    assert lots_of == [[], ["m3"]]


@pytest.mark.parametrize("mode", [0, ON_ISSUANCE])
@pytest.mark.parametrize("stands", [True, False])
def test_a_dispute_takes_the_redemption_out_of_the_net(mode: int, *, stands: bool) -> None:
    scene = Spending()
    scene.play(*small_alliance(), rate(A, 3, 2, key="new", terms_id=9, mode=mode))
    scene.play(scene.earn("m1", A, 10_000), scene.earn("m1", C, 1_000, at=1))
    before = scene.state()
    scene.done(scene.redeem("m1", B, 151, redemption="r", at=2))
    after, drawn = scene.state(), scene.record(B, "r").draws
    receipt = scene.done(dispute(B, "r", C))
    assert {leg.kind for leg in receipt.legs} == {Kind.REFUND_REDEEM}
    assert [leg.ref for leg in receipt.legs] == [each.leg for each in drawn]
    assert scene.points("m1", A) == scene.held("m1", A) == 100
    assert scene.refused(scene.redeem("m1", B, 20)).code == "balance-too-low", "what is disputed cannot be spent"
    assert scene.balance(accounts.promised(C)) == -1, "and frees no collateral"
    for again in (cancel(B, "r", "x"), dispute(B, "r", A, key="d"), capture(B, "r")):
        assert scene.refused(again).code in {"not-captured", "already-resolved"}
    resolved = scene.done(resolve(B, "r", stands=stands))
    assert scene.state() == (after if stands else before)
    assert [leg.points for leg in resolved.legs] == ([leg.points for leg in receipt.legs] if stands else [])
    assert scene.refused(resolve(B, "r", key="again", stands=True)).code == "not-disputed"
    if stands:
        assert scene.refused(dispute(B, "r", C, key="once more")).code == "disputed-before"
        scene.play(dispute(B, "r", A, key="the other"), resolve(B, "r", key="the other's", stands=True))
        scene.done(cancel(B, "r", "y"))
        assert scene.state() == before


def test_a_disputed_redemption_stands_though_the_points_were_taken_back(scene: Spending) -> None:
    scene.done(scene.earn("m2", A, 10_000, order="o"))
    scene.done(scene.redeem("m2", B, 100, redemption="r"))
    scene.done(dispute(B, "r", A))
    scene.done(scene.refund("m2", A, 10_000, "o"))
    assert (scene.points("m2", A), scene.held("m2", A)) == (0, 100)
    receipt = scene.done(resolve(B, "r", stands=True))
    assert [leg.kind for leg in receipt.legs] == [Kind.ADJUST_UP, Kind.REDEEM, Kind.ADJUST_DOWN]
    assert scene.points("m2", A) == -100


@pytest.mark.parametrize(
    ("ends", "points", "held"),
    [
        (lambda: [void(B, "r")], 0, 0),
        (lambda: [capture(B, "r")], -80, 0),
        (
            lambda: [capture(B, "r", 30), cancel(B, "r", "x", 10), dispute(B, "r", A), resolve(B, "r", stands=False)],
            0,
            0,
        ),
    ],
)
def test_the_reserve_stands_behind_what_is_held(ends: Callable[[], list[Command]], points: int, held: int) -> None:
    """As `owing`, under terms that are paid for on issuance at an awkward rate."""
    scene = Spending()
    scene.play(opening(A), rate(A, 3, 2, mode=ON_ISSUANCE), opening(B), *small_alliance()[-5:])
    scene.done(scene.earn("m1", A, 10_000, order="o"))
    scene.done(authorize("m1", B, 120, "r"))
    scene.done(scene.refund("m1", A, 10_000, "o"))
    for command in ends():
        receipt = scene.done(command)
        assert all(leg.au for leg in receipt.legs if leg.kind in ADDS), "on issuance every leg carries cash"
    assert (scene.points("m1", A), scene.held("m1", A)) == (points, held)
    scene.done(scene.earn("m1", A, 20_000))

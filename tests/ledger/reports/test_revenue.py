"""Deferred revenue: the rule book's worked figures, rounding, and cohorts found in a journal."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.commands import (
    Adjust,
    CancelPending,
    Exchange,
    Expire,
    OpenBalance,
    PublishExchange,
    PublishTerms,
    Transfer,
)
from ledger.records import Redemption
from ledger.reports.cohorts import Cohorts, month_of
from ledger.reports.revenue import Cohort, Estimate, half_up, revenue
from tests.ledger.random_commands import history
from tests.ledger.reports.journals import Journal
from tests.ledger.rule_scene import RuleScene
from tests.ledger.rules.making import rule
from tests.ledger.scene import DAY, A, B, opening, rate, small_alliance

PAR = rate(A, 1, 1)
FIRST = Estimate(at_issue_bps=9_500, now_bps=9_500)
REVISED = Estimate(at_issue_bps=9_500, now_bps=9_700)


def cohort(**figures: int) -> Cohort:
    return Cohort(issuer=A, month="2026-01", terms_id=A, **figures)


# sales, points, used, remaining, estimate -> products, deferred, recognised, liability
TABLE = [
    # the rule book's example: at issue, after year 1, after year 2
    (100_000, 10_000, 0, 10_000, FIRST, (91_324, 8_676, 0, 8_676)),
    (100_000, 10_000, 4_500, 5_500, FIRST, (91_324, 8_676, 4_110, 4_566)),
    (100_000, 10_000, 8_500, 1_500, REVISED, (91_324, 8_676, 7_603, 1_073)),
    # all that was expected has been used: the rest is earned though points remain
    (100_000, 10_000, 9_700, 300, REVISED, (91_324, 8_676, 8_676, 0)),
    # the last point expired: what nobody used is earned only now
    (100_000, 10_000, 8_500, 0, REVISED, (91_324, 8_676, 8_676, 0)),
    (100_000, 10_000, 0, 0, FIRST, (91_324, 8_676, 8_676, 0)),
    # nobody is expected to use any: nothing is deferred, and nothing is earned on issue
    (100_000, 10_000, 0, 10_000, Estimate(at_issue_bps=0, now_bps=0), (100_000, 0, 0, 0)),
    # no points, no sales
    (100_000, 0, 0, 0, FIRST, (100_000, 0, 0, 0)),
    (0, 0, 0, 0, FIRST, (0, 0, 0, 0)),
    (0, 10, 0, 10, FIRST, (0, 0, 0, 0)),
    # halves up: 3 of products' 2.25 and of points' 0.75
    (3, 1, 0, 1, Estimate(at_issue_bps=10_000, now_bps=10_000), (2, 1, 0, 1)),
]


@pytest.mark.parametrize(("sold", "expected"), [(line[:5], line[5]) for line in TABLE])
def test_figures(sold: tuple[int, int, int, int, Estimate], expected: tuple[int, ...]) -> None:
    sales, points, used, remaining, estimate = sold
    each = cohort(sales=sales, issued=points, used_on_us=used, remaining=remaining)
    line = revenue(each, PAR, estimate, elsewhere="agent")
    assert (line.products, line.deferred, line.recognised, line.liability) == expected
    assert line.products + line.deferred == sales


def test_year_two_is_the_difference_of_cumulative_figures() -> None:
    one = revenue(
        cohort(sales=100_000, issued=10_000, used_on_us=4_500, remaining=5_500), PAR, FIRST, elsewhere="agent"
    )
    two = revenue(
        cohort(sales=100_000, issued=10_000, used_on_us=8_500, remaining=1_500), PAR, REVISED, elsewhere="agent"
    )
    assert (one.recognised, two.recognised - one.recognised, two.liability) == (4_110, 3_493, 1_073)


@pytest.mark.parametrize(("role", "reported"), [("principal", 4_600), ("agent", 4_600 - 900)])
def test_principal_or_agent_for_points_used_with_others(role: str, reported: int) -> None:
    each = cohort(sales=92_000, issued=8_000, used_on_us=3_000, used_elsewhere=1_000, paid_au=900, remaining=4_000)
    line = revenue(each, PAR, Estimate(at_issue_bps=10_000, now_bps=8_000), elsewhere=role)  # type: ignore[arg-type]
    assert line.deferred == 7_360
    assert (line.recognised, line.elsewhere) == (4_600, 1_150)
    assert line.reported == reported


@pytest.mark.parametrize(("figure", "expected"), [((5, 2), 3), ((49, 100), 0), ((1, 2), 1), ((0, 7), 0), ((7, 1), 7)])
def test_halves_go_up(figure: tuple[int, int], expected: int) -> None:
    assert half_up(*figure) == expected


def test_a_rate_that_is_no_whole_number() -> None:
    terms: PublishTerms = rate(A, 1, 3)
    line = revenue(cohort(sales=1_000, issued=300, remaining=300), terms, FIRST, elsewhere="agent")
    assert (line.products, line.deferred) == (913, 87)  # 1000 · 1000 / 1095


def folded(journal: Journal) -> Cohorts:
    cohorts = Cohorts()
    for recorded in journal.entries:
        cohorts.add(recorded)
    return cohorts


def test_the_worked_figures_from_a_journal() -> None:
    """10,000 points on sales of 100,000, in two years: 4,500 used, then 4,000 more."""
    journal = Journal()
    journal.play(opening(A, earn=opening(A).earn.__class__(1, 10)), rate(A), *small_alliance()[-5:])
    journal.done(journal.earn("m1", A, 100_000, at=DAY))
    for used, estimate, recognised, liability in [(4_500, FIRST, 4_110, 4_566), (4_000, REVISED, 7_603, 1_073)]:
        journal.done(journal.redeem("m1", A, used, at=2 * DAY))
        [only] = folded(journal).of(A)
        line = revenue(only, journal.book.slice.registry.terms[A], estimate, elsewhere="agent")
        assert (line.products, line.deferred) == (91_324, 8_676)
        assert (line.recognised, line.liability) == (recognised, liability)


def test_points_count_for_the_month_of_the_sale_that_gave_them() -> None:
    journal = Journal()
    journal.play(*small_alliance())
    january, february = 20 * DAY, 40 * DAY
    journal.done(journal.earn("m1", A, 10_000, at=january, order="first"))
    journal.done(journal.earn("m1", A, 20_000, at=february, order="second"))
    journal.done(journal.redeem("m1", B, 120, at=february))  # 100 of January, 20 of February
    journal.done(journal.redeem("m1", A, 30, at=february))
    journal.done(journal.refund("m1", A, 5_000, "second", at=february))
    found = folded(journal).of(A)
    assert [(each.month, each.sales, each.issued, each.used_on_us) for each in found] == [
        ("1970-01", 10_000, 100, 0),
        ("1970-02", 15_000, 200, 30),
    ]
    assert [(each.used_elsewhere, each.paid_au, each.clawed_back, each.remaining) for each in found] == [
        (100, 100, 0, 0),
        (20, 20, 50, 100),
    ]


def test_orders_without_points_defer_nothing_and_debts_repay_from_later_ones() -> None:
    journal = Journal()
    journal.play(*small_alliance())
    journal.done(journal.earn("m1", A, 99))
    journal.done(journal.earn("m1", A, 10_000, order="spent"))
    journal.done(journal.redeem("m1", B, 100))
    journal.done(journal.refund("m1", A, 10_000, "spent"))
    journal.done(journal.earn("m1", A, 30_000, at=40 * DAY))
    january, february = folded(journal).of(A)
    assert (january.sales, january.issued, january.used, january.clawed_back) == (0, 100, 100, 0)
    assert (february.sales, february.issued, february.repaid, february.remaining) == (30_000, 300, 100, 200)


def test_a_transferred_lot_stays_with_the_sale_that_made_it() -> None:
    journal = Journal()
    journal.play(*small_alliance(transfers="all"))
    journal.done(journal.earn("m1", A, 10_000, at=DAY))
    journal.done(journal.earn("m1", A, 10_000, at=40 * DAY))
    moved = Transfer(key="t", at_ms=40 * DAY, transfer="t", issuer_id=A, from_member="m1", to_member="m2", points=150)
    journal.done(moved)
    journal.done(journal.redeem("m2", A, 120, at=40 * DAY))
    found = folded(journal).of(A)
    assert [(each.month, each.used_on_us, each.remaining) for each in found] == [
        ("1970-01", 100, 0),
        ("1970-02", 20, 80),
    ]
    assert folded(journal).outside(A).issued == 0


def test_what_no_sale_gave_its_owner_is_outside() -> None:
    journal = Journal()
    journal.play(*small_alliance())
    journal.play(PublishExchange(key="x", at_ms=0, from_issuer_id=A, to_issuer_id=B, num=1, den=5))
    journal.done(OpenBalance(key="o", at_ms=0, source="till", issuer_id=A, member="m2", points=70))
    journal.done(journal.earn("m1", A, 30_000))
    journal.done(Exchange(key="e", at_ms=DAY, exchange="e", member="m1", from_issuer_id=A, to_issuer_id=B, points=100))
    down: dict[str, Any] = {"issuer_id": A, "member": "m1", "points": -40, "reason": "wrong", "by": "ann"}
    journal.done(Adjust(key="a", at_ms=DAY, adjustment="a", **down))
    journal.done(Expire(key="over", at_ms=400 * DAY, member="m1"))
    cohorts = folded(journal)
    [sold] = cohorts.of(A)
    assert (sold.issued, sold.used_elsewhere, sold.paid_au, sold.adjusted, sold.expired) == (300, 100, 100, 40, 160)
    assert sold.remaining == 0
    assert (cohorts.outside(A).issued, cohorts.outside(A).remaining) == (70, 70)
    assert cohorts.of(B) == []
    assert cohorts.outside(B).issued == 20


def test_what_a_rule_adds_to_a_purchase_is_part_of_the_sale_and_what_it_gives_for_others_is_not() -> None:
    journal, scene = Journal(), RuleScene()
    journal.play(*small_alliance(hold_ms=DAY))
    journal.done(scene.publication(rule(points=7)))
    journal.done(scene.publication(rule(2, "checkin", 3)))
    journal.done(scene.bought("m1", 10_000, order="with"))
    journal.done(scene.bought("m1", 99, order="bonus-alone"))
    journal.done(scene.seen("m1", "checkin"))
    cohorts = folded(journal)
    [sold] = cohorts.of(A)
    assert (sold.sales, sold.issued) == (10_099, 100 + 7 + 7)
    assert cohorts.outside(A).issued == 3


def test_an_order_called_off_was_no_sale() -> None:
    journal = Journal()
    journal.play(*small_alliance(hold_ms=DAY))
    journal.done(journal.earn("m1", A, 30_000, order="off"))
    journal.done(journal.refund("m1", A, 10_000, "off"))
    journal.done(CancelPending(key="off", at_ms=0, order_merchant_id=A, order="off"))
    [sold] = folded(journal).of(A)
    assert (sold.sales, sold.granted, sold.remaining) == (0, 0, 0)


@pytest.mark.parametrize("seed", [3, 9, 27])
def test_what_cohorts_have_left_is_in_lots_or_held(seed: int) -> None:
    journal = Journal()
    journal.play(*history(seed=seed, length=500))
    cohorts = folded(journal)
    lots: dict[int, int] = {}
    for lot in journal.book.slice.lots.values():
        lots[lot.issuer] = lots.get(lot.issuer, 0) + lot.remaining
    for record in journal.book.slice.records.values():
        if isinstance(record, Redemption) and record.state == "held":
            for drawn in record.draws:
                lots[drawn.issuer] += drawn.points
    assert len(lots) > 1
    for issuer, remaining in lots.items():
        found = cohorts.of(issuer)
        assert sum(each.remaining for each in [*found, cohorts.outside(issuer)]) == remaining
        for each in [*found, cohorts.outside(issuer)]:
            assert each.granted - each.used - each.expired == each.remaining


def test_months_are_of_utc() -> None:
    assert [month_of(at) for at in (0, 31 * DAY - 1, 31 * DAY)] == ["1970-01", "1970-01", "1970-02"]

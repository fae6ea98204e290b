"""Holds, cancellations and disputes in the statement and in deferred revenue."""

from __future__ import annotations

import pytest

from ledger.commands import Command
from ledger.reports import gather
from ledger.reports.cohorts import Cohorts
from ledger.reports.statement import Statement
from tests.ledger.promises import authorize, cancel, capture, dispute, resolve, void
from tests.ledger.reports.journals import Journal
from tests.ledger.scene import A, B, opening, rate, small_alliance


@pytest.fixture(name="journal")
def journal_() -> Journal:
    """m1 has 300 A at 1 AU a point; A may owe 1,000, of which 90 % count."""
    journal = Journal()
    journal.play(
        opening(A, credit_limit_au=1_000, haircut_bps=9_000), rate(A), opening(B), rate(B, 5), *small_alliance()[-5:]
    )
    journal.done(journal.earn("m1", A, 30_000))
    return journal


def done(journal: Journal, *commands: Command) -> None:
    for command in commands:
        journal.done(command)


def last(journal: Journal, merchant: int) -> Statement:
    *_, (_, statements) = gather.statements(journal.entries)
    return statements[merchant - A]


def test_held_points_are_owed_and_their_au_promised(journal: Journal) -> None:
    done(journal, authorize("m1", B, 120, "r"))
    mine = last(journal, A)
    assert (mine.closing.lots, mine.closing.held, mine.closing.outstanding, mine.closing.au) == (180, 120, 300, 300)
    assert (mine.collateral.counted, mine.collateral.promised) == (900, 120)
    assert mine.collateral.headroom == 900 - 3 - 120
    assert mine.points.redeemed() == 0


# what follows an authorisation of 120 AU: lots, held, redeemed, cancelled, what B accepted
ENDS = [
    ([capture(B, "r")], (180, 0, 120, 0), 120),
    ([capture(B, "r", 50)], (250, 0, 50, 0), 50),
    ([void(B, "r")], (300, 0, 0, 0), 0),
    ([capture(B, "r"), cancel(B, "r", "c", 20)], (200, 0, 120, 20), 100),
    ([capture(B, "r"), cancel(B, "r", "c")], (300, 0, 120, 120), 0),
    ([capture(B, "r"), dispute(B, "r", A)], (180, 120, 120, 120), 0),
    ([capture(B, "r"), dispute(B, "r", A), resolve(B, "r", stands=True)], (180, 0, 240, 120), 120),
    ([capture(B, "r"), dispute(B, "r", A), resolve(B, "r", stands=False)], (300, 0, 120, 120), 0),
]


@pytest.mark.parametrize(("commands", "points", "accepted"), ENDS)
def test_whatever_ends_a_hold(
    journal: Journal, commands: list[Command], points: tuple[int, int, int, int], accepted: int
) -> None:
    done(journal, authorize("m1", B, 120, "r"), *commands)
    mine, theirs = last(journal, A), last(journal, B)
    line = mine.points
    assert (mine.closing.lots, mine.closing.held, line.redeemed_by_others, line.cancelled_by_others) == points
    assert line.difference() == 0
    assert mine.closing.au == mine.closing.lots + mine.closing.held
    assert [(each.points, each.au) for each in theirs.accepted] in ([(accepted, accepted)], [])
    assert sum(each.au for each in theirs.accepted) == accepted


def test_a_dispute_is_listed_while_it_is_out_of_the_net(journal: Journal) -> None:
    done(journal, journal.redeem("m1", B, 120, redemption="r"))
    before = last(journal, B).net.position
    done(journal, dispute(B, "r", A))
    theirs, mine = last(journal, B), last(journal, A)
    assert [(each.acceptor, each.redemption, each.au) for each in theirs.disputes] == [(B, "r", before)]
    assert [each.au for each in mine.disputes] == [-120]
    assert theirs.net.position == 0
    done(journal, resolve(B, "r", stands=True))
    assert last(journal, B).disputes == ()
    assert last(journal, B).net.position == before


# the same commands: used with others, paid, remaining
USED = [
    ([], (0, 0, 300)),
    ([capture(B, "r")], (120, 120, 180)),
    ([capture(B, "r", 50)], (50, 50, 250)),
    ([void(B, "r")], (0, 0, 300)),
    ([capture(B, "r"), cancel(B, "r", "c", 20)], (100, 100, 200)),
    ([capture(B, "r"), dispute(B, "r", A)], (120, 120, 180)),
    ([capture(B, "r"), dispute(B, "r", A), resolve(B, "r", stands=True)], (120, 120, 180)),
    ([capture(B, "r"), dispute(B, "r", A), resolve(B, "r", stands=False)], (0, 0, 300)),
]


@pytest.mark.parametrize(("commands", "figures"), USED)
def test_points_are_used_when_the_acceptor_is_paid(
    journal: Journal, commands: list[Command], figures: tuple[int, int, int]
) -> None:
    done(journal, authorize("m1", B, 120, "r"), *commands)
    cohorts = Cohorts()
    for recorded in journal.entries:
        cohorts.add(recorded)
    [only] = cohorts.of(A)
    assert (only.used_elsewhere, only.paid_au, only.remaining) == figures


@pytest.mark.parametrize("ending", [[capture(B, "r", 40)], [void(B, "r")], [capture(B, "r"), cancel(B, "r", "c", 40)]])
def test_points_that_come_back_to_a_debt_are_no_longer_granted(journal: Journal, ending: list[Command]) -> None:
    done(
        journal,
        journal.earn("m1", A, 10_000, order="late"),
        authorize("m1", B, 120, "r"),
        journal.redeem("m1", A, 280),
        journal.refund("m1", A, 5_000, "late"),
        *ending,
    )
    cohorts = Cohorts()
    for recorded in journal.entries:
        cohorts.add(recorded)
    [only] = cohorts.of(A)
    state = journal.book.slice
    assert only.remaining == sum(lot.remaining for lot in state.lots.values())
    assert only.granted - only.used == only.remaining
    assert only.repaid > 0

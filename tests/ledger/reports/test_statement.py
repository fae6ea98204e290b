"""Statements: July to the unit, cycles, forms; the same from a pure book and from a real store."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import psycopg
import pytest

from ledger.journal import head_seq
from ledger.points import wallet
from ledger.reports import forms, gather, positions, reading
from ledger.reports.liability import Standing
from ledger.reports.peaks import Peaks
from ledger.reports.statement import Batch, Statement, Transaction
from proofs.accounts import OPERATOR_ID
from proofs.kinds import ON_ISSUANCE, ON_REDEMPTION
from tests.ledger.promises import dispute
from tests.ledger.random_commands import history
from tests.ledger.reports.journals import Journal, posted
from tests.ledger.scene import DAY, A, B, C, opening, rate, small_alliance
from tests.ledger.test_july import JULY, alliance, by_number, ms, play

END = ms("2026-08-01T00:00:00+08:00")
EXPECTED = JULY["expected"]


def july() -> Journal:
    journal = Journal()
    journal.play(*alliance())
    play(journal)
    journal.charged("2026-07", END)
    return journal


def last(journal: Journal) -> dict[int, Statement]:
    *_, (_, statements) = gather.statements(journal.entries)
    return {each.merchant_id: each for each in statements}


@pytest.fixture(name="statements", scope="module")
def statements_() -> dict[int, Statement]:
    return last(july())


@pytest.mark.parametrize(("code", "merchant"), [("A", A), ("B", B), ("C", C)])
def test_july_points_of_each_issuer(statements: dict[int, Statement], code: str, merchant: int) -> None:
    expected, points = EXPECTED["issuer_points"][code], statements[merchant].points
    assert {
        "issued": points.issued,
        "redeemed": points.redeemed(),
        "clawed_back": points.clawed_back,
        "expired": points.expired,
        "closing": points.closing,
    } == expected
    paid = [event["expect"].get("pending", []) for event in JULY["events"]]
    rewards = sum(given for lots in paid for _, issuer, given, level in lots if issuer == code and level != "base")
    assert points.rewards == rewards - {"A": 400 + 200}.get(code, 0)  # E6 takes two fifths of E3's back while they wait
    assert points.difference() == 0


def test_july_peaks(statements: dict[int, Statement]) -> None:
    assert {each: statements[each].net.lowest for each in (A, B, C)} == by_number(EXPECTED["peak_debit_on_redemption"])


@pytest.mark.parametrize(("mode", "nets"), [(ON_REDEMPTION, "net_on_redemption"), (ON_ISSUANCE, "net_on_issuance")])
def test_july_nets_in_both_modes(mode: int, nets: str) -> None:
    journal = Journal()
    journal.play(*alliance(mode))
    play(journal)
    journal.charged("2026-07", END)
    peaks = Peaks({})
    for recorded in journal.entries:
        peaks.add(recorded.receipt)
    expected = by_number(EXPECTED[nets])
    assert {party: net for party, net in peaks.position.items() if net} == expected
    found = last(journal)
    assert {each: found[each].net.position for each in found} == {each: expected[each] for each in found}
    assert sum(each.closing.au for each in found.values()) == EXPECTED["positive_lots_au"]
    assert all(not each.fees.other for each in found.values())


def test_july_with_a_dispute() -> None:
    variation = next(each for each in JULY["variations"] if each["name"] == "dispute")
    journal = Journal()
    journal.play(*alliance())
    play(journal)
    journal.done(dispute(A, "E17", C, at=END))
    journal.charged("2026-07", END)
    expected = by_number(variation["net_on_redemption"])
    found = last(journal)
    assert {each: found[each].net.position for each in found} == {each: expected[each] for each in found}
    assert [(each.redemption, each.au) for each in found[A].disputes] == [("E17", 196)]
    assert [(each.redemption, each.au) for each in found[C].disputes] == [("E17", -200)]
    assert found[B].disputes == ()


def test_statement_of_the_net_and_what_made_it(statements: dict[int, Statement]) -> None:
    for each in statements.values():
        net = each.net
        assert net.opening + net.interchange - net.fees - net.settled == net.position
        assert sum(between.au for between in each.interchange) == net.interchange
        assert each.fees.total == each.fees.charged == each.fees.redemption + each.fees.issuance
    assert statements[A].net.position == EXPECTED["net_on_redemption"]["A"]
    assert {each.code: (each.points, each.au) for each in statements[A].accepted} == {
        "m2": (80, 400),
        "m3": (1_000, 500),
    }
    assert [(each.code, each.au) for each in statements[A].interchange] == [("m2", 400), ("m3", 200)]


def test_what_members_owe_is_receivable(statements: dict[int, Statement]) -> None:
    debts = EXPECTED["debts_points"]
    owed = sum(of_member["B"] for of_member in debts.values())
    assert (statements[B].closing.debt, statements[B].closing.debt_au) == (owed, owed * 5)
    assert (statements[B].closing.lots, statements[B].closing.au) == (0, 0)


@pytest.mark.parametrize("limit", [None, 800])
def test_headroom_is_what_the_next_leg_may_be(limit: int | None) -> None:
    journal = Journal()
    journal.play(*alliance(credit_limit_au=limit))
    play(journal)
    found = last(journal)[B].collateral
    assert found.headroom == (None if limit is None else limit + journal.positions()[B])


def test_cycles_follow_one_another() -> None:
    journal = Journal()
    journal.play(*small_alliance())
    journal.done(journal.earn("m1", A, 30_000))
    journal.charged("one", DAY)
    journal.done(journal.redeem("m1", B, 120, at=DAY))
    journal.charged("two", 2 * DAY)
    journal.done(journal.redeem("m1", A, 30, at=2 * DAY))
    found = list(gather.statements(journal.entries))
    assert [(cycle.name, cycle.first_seq, cycle.last_seq, cycle.closed_at_ms) for cycle, _ in found] == [
        ("one", 1, 13, DAY),
        ("two", 14, 15, 2 * DAY),
        (None, 16, 16, 2 * DAY),
    ]
    mine = [statements[0] for _, statements in found]
    assert [(each.opening.outstanding, each.points.issued, each.closing.outstanding) for each in mine] == [
        (0, 300, 300),
        (300, 0, 180),
        (180, 0, 150),
    ]
    assert [(each.points.redeemed_by_others, each.points.redeemed_on_us) for each in mine] == [
        (0, 0),
        (120, 0),
        (0, 30),
    ]
    assert [(each.net.opening, each.net.position) for each in mine] == [(0, -3), (-3, -123), (-123, -123)]
    assert [each.closing for each in mine[:-1]] == [each.opening for each in mine[1:]]


def test_a_statement_in_the_mode_on_issuance() -> None:
    journal = Journal()
    journal.play(opening(A), rate(A, 2, 1, mode=1), opening(B), rate(B), *small_alliance()[-5:])
    journal.done(journal.earn("m1", A, 10_000))
    journal.done(journal.redeem("m1", B, 100))
    mine = last(journal)
    assert (mine[A].mode, mine[B].mode) == ("on_issuance", "on_redemption")
    assert [(each.code, each.au) for each in mine[A].interchange] == [("reserve", -200)]
    assert [(each.code, each.au) for each in mine[B].interchange] == [("reserve", 100)]
    assert mine[B].accepted[0].points == 50


def test_worth_is_by_terms_and_rounded_down_once_per_terms() -> None:
    journal = Journal()
    journal.play(opening(A), rate(A, 1, 2), rate(A, 1, 3, key="next", terms_id=9, at_ms=5), *small_alliance()[-5:])
    journal.done(journal.earn("m1", A, 700))
    journal.done(journal.earn("m2", A, 700))
    journal.done(journal.earn("m1", A, 800, at=6))
    assert last(journal)[A].closing == Standing(
        outstanding=22, lots=22, held=0, debt=0, au=7 + 2, debt_au=0, pending=0, pending_au=0
    )


def test_batches_of_the_cycle_and_no_others() -> None:
    journal = Journal()
    journal.play(*small_alliance())
    journal.charged("one", DAY)
    journal.done(journal.earn("m1", A, 30_000))
    batches = [
        Batch(batch_no=no, first_seq=first, last_seq=last, leaves_root="0x01", header_hash="0x02")
        for no, first, last in [(1, 1, 11), (2, 12, 13), (3, 14, 20)]
    ]
    found = [
        [each.batch_no for each in statements[0].batches]
        for _, statements in gather.statements(journal.entries, batches)
    ]
    assert found == [[1, 2], [2]]


def test_the_store_gives_the_same_statements_as_the_book(database: str) -> None:
    commands = history(seed=31, length=400)
    journal = Journal()
    journal.play(*commands)
    entries = posted(database, commands)
    assert entries == journal.entries
    pure = [[forms.to_json(each) for each in statements] for _, statements in gather.statements(journal.entries)]
    stored = [[forms.to_json(each) for each in statements] for _, statements in gather.statements(entries)]
    assert pure == stored
    with psycopg.connect(database, autocommit=True) as conn:
        assert reading.listed(conn) == [cycle for cycle, _ in gather.statements(entries)]


def test_every_statement_closes_and_debts_are_those_of_the_members() -> None:
    journal = Journal()
    journal.play(*history(seed=5, length=600))
    for _, statements in gather.statements(journal.entries):
        for each in statements:
            assert each.points.difference() == 0
            assert each.closing.lots + each.closing.held - each.closing.debt == each.closing.outstanding
            assert each.net.opening + each.net.interchange - each.net.fees - each.net.settled == each.net.position
            assert each.fees.other == 0
    state = journal.book.slice
    owed = dict.fromkeys(state.registry.merchants, 0)
    for member_no in list(state.people):
        for issuer in owed:
            owed[issuer] += wallet.owed(state, issuer, member_no)
    assert {each.merchant_id: each.closing.debt for each in last(journal).values()} == owed


def test_positions_at_any_entry_and_over_any_range(database: str) -> None:
    entries = posted(database, history(seed=41, length=300))
    totals: list[dict[int, int]] = [{}]
    journal = Journal()
    for recorded in entries:
        journal.done(recorded.command)
        totals.append(journal.positions())
    with psycopg.connect(database, autocommit=True) as conn:
        for seq in range(0, len(entries) + 1, 17):
            found = positions.at(conn, seq)
            assert {party: each.total for party, each in found.items() if each.total} == totals[seq]
        over = positions.over(conn, first_seq=101, last_seq=200)
        assert head_seq(conn) == len(entries)
    assert {party: total for party, total in over.closing.items() if total} == totals[200]
    parties = {party for total in totals[100:201] for party in total}
    assert {party: over.peak_debit.get(party, 0) for party in parties} == {
        party: min(0, *(total.get(party, 0) for total in totals[100:201])) for party in parties
    }


def test_gross_interchange_of_july(database: str) -> None:
    entries = posted(database, [each.command for each in july().entries])
    with psycopg.connect(database, autocommit=True) as conn:
        over = positions.over(conn, first_seq=1, last_seq=len(entries))
    assert over.gross_interchange == EXPECTED["gross_interchange_on_redemption"]
    assert over.closing[OPERATOR_ID] == EXPECTED["net_on_redemption"]["OP"]


def test_forms(statements: dict[int, Statement]) -> None:
    statement = statements[A]
    body = forms.to_json(statement)
    assert forms.holds(body)
    assert not forms.holds(body.replace(b'"position":564', b'"position":565'))
    assert not forms.holds(b"{}")
    assert list(json.loads(body))[-1] == "digest"
    read = list(csv.reader(io.StringIO(forms.to_csv(statement))))
    assert read[0] == list(forms.HEADINGS)
    assert ["net", "position", "", "", "564"] in read
    assert ["points", "issued", "", "1800", ""] in read


def test_a_name_cannot_be_a_formula_in_a_spreadsheet(statements: dict[int, Statement]) -> None:
    hostile = msgspec.structs.replace(
        statements[A],
        name='=HYPERLINK("x")',
        batches=(
            Batch(
                batch_no=1,
                first_seq=1,
                last_seq=2,
                leaves_root="0x1",
                header_hash="0x2",
                transactions=(Transaction(purpose="-seal", tx_hash="0x3", status="MINED"),),
            ),
        ),
    )
    cells = [cell for line in csv.reader(io.StringIO(forms.to_csv(hostile))) for cell in line]
    assert '\'=HYPERLINK("x")' in cells
    assert "'-seal" in cells
    assert not [cell for cell in cells if cell.startswith("=")]

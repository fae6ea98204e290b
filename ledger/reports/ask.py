"""The questions an operator asks at the command line: each takes parsed options and a connection, answers text.

`ledger.__main__` parses, connects and writes; nothing here does. Every question answers plain text, or JSON with
`--json`. Long ones tell `progress` how far they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import psycopg

from ledger import queries
from ledger.journal import head_seq
from ledger.reports import as_of, forms, gather, labels, positions, projection, reading
from ledger.reports.cohorts import Cohorts
from ledger.reports.reading import stream
from ledger.reports.revenue import Estimate, Revenue, revenue
from ledger.reports.statement import Batch, Statement
from ledger.units import BPS
from proofs.accounts import OPERATOR_ID, RESERVE_ID

Connection = psycopg.Connection[Any]
Progress = Callable[[str], None]


class CannotAnswer(Exception):
    """The question makes no sense for this ledger; the message says why."""


def statements_of(
    conn: Connection, *, cycle: str | None, still_open: bool, progress: Progress, batches: Sequence[Batch] = ()
) -> list[Statement]:
    """Every merchant's statement of the cycle of this name, of the open one, or (neither) of the last one charged.
    Raises reading.UnknownCycle.
    """
    wanted = reading.named(conn, None) if still_open else reading.charged(conn, cycle)
    entries = stream(conn, upto_seq=wanted.last_seq, progress=_of(wanted.last_seq, progress))
    return next(found for _, found in gather.statements(entries, batches, only=wanted))


def of_merchant(statements: list[Statement], merchant: int | None) -> list[Statement]:
    """That merchant's statement alone, all of them for None. Raises CannotAnswer when it has none."""
    found = [each for each in statements if merchant in {None, each.merchant_id}]
    if not found:
        raise CannotAnswer(f"merchant {merchant} is not among those of that cycle")
    return found


def statement(conn: Connection, options: argparse.Namespace, progress: Progress) -> str:
    """One merchant, one cycle, as JSON or CSV."""
    all_of_them = statements_of(conn, cycle=options.cycle, still_open=options.open, progress=progress)
    [found] = of_merchant(all_of_them, options.merchant)
    return forms.to_csv(found) if options.csv else forms.to_json(found).decode() + "\n"


def liability(conn: Connection, options: argparse.Namespace, progress: Progress) -> str:
    """Each issuer's roll-forward to a position, and what it owes there."""
    upto = _position(conn, options.seq)
    after = options.after if options.after is not None else 0
    entries = stream(conn, upto_seq=upto, progress=_of(upto, progress))
    reports = gather.liabilities(entries, after_seq=after)
    chosen = [each for each in reports if options.issuer in {None, each.issuer}]
    if options.json:
        return forms.to_json_lines(chosen)
    heads = ("issuer", "opening", "issued", "used", "taken back", "expired", "closing", "owed AU", "debts", "pending")
    rows = [
        (
            each.code,
            each.roll_forward.opening,
            each.roll_forward.issued,
            each.roll_forward.redeemed(),
            each.roll_forward.clawed_back,
            each.roll_forward.expired,
            each.roll_forward.closing,
            each.closing.au,
            each.closing.debt,
            each.closing.pending,
        )
        for each in chosen
    ]
    return f"entries {after + 1} to {upto}\n" + table(heads, rows)


def ifrs15(conn: Connection, options: argparse.Namespace, progress: Progress) -> str:
    """An issuer's deferred revenue by cohort, with the estimates given."""
    upto = _position(conn, options.seq)
    cohorts = Cohorts()
    for recorded in stream(conn, upto_seq=upto, progress=_of(upto, progress)):
        cohorts.add(recorded)
    if options.issuer not in cohorts.registry.merchants:
        raise CannotAnswer(f"no merchant has the number {options.issuer} at entry {upto}")
    found = [
        revenue(
            each,
            cohorts.registry.terms[each.terms_id],
            _estimate(options, each.month),
            elsewhere=options.elsewhere,
        )
        for each in cohorts.of(options.issuer)
    ]
    if options.json:
        return forms.to_json_lines(found)
    rows = [tuple(msgspec.structs.astuple(each)) for each in [*found, _total(found)]]
    return f"up to entry {upto}, in minor units and points\n" + table(Revenue.__struct_fields__, rows)


def position_table(conn: Connection, options: argparse.Namespace, progress: Progress) -> str:
    """Everybody's position at an entry, or over a cycle with the peaks."""
    codes = {each.merchant_id: each.code for each in queries.merchants(conn)}
    codes |= {OPERATOR_ID: "operator", RESERVE_ID: "reserve"}
    called = codes.__getitem__
    if options.cycle is None:
        seq = _position(conn, options.seq)
        standing = [(called(party), *position) for party, position in positions.at(conn, seq).items()]
        return f"at entry {seq}, in AU\n" + table(("party", "cash", "fees", "settled", "position"), standing)
    cycle = reading.named(conn, options.cycle or None)  # '' asks for the open one
    told = _of(cycle.last_seq, progress)
    over = positions.over(conn, first_seq=cycle.first_seq, last_seq=cycle.last_seq, progress=told)
    rows = [
        (called(party), over.opening.get(party, 0), over.peak_debit.get(party, 0), closing)
        for party, closing in over.closing.items()
    ]
    said = f"entries {cycle.first_seq} to {cycle.last_seq}, in AU; gross interchange {over.gross_interchange:,}\n"
    return said + table(("party", "opening", "peak debit", "closing"), rows)


def cycle_table(conn: Connection, _: argparse.Namespace, __: Progress) -> str:
    """The cycles so far."""
    rows = [(each.name or "(open)", each.first_seq, each.last_seq, each.closed_at_ms) for each in reading.listed(conn)]
    return table(("cycle", "first entry", "last entry", "closed at ms"), rows)


def balance(conn: Connection, options: argparse.Namespace, _: Progress) -> str:
    """One account as recorded at an entry, or as valid at a time."""
    account = labels.parse(options.account, labels.member_number(conn))
    if options.at_ms is not None:
        return f"{as_of.valid(conn, account, options.at_ms)}\n"
    return f"{as_of.recorded(conn, account, _position(conn, options.seq))}\n"


def project(conn: Connection, options: argparse.Namespace, progress: Progress) -> str:
    """Bring the days up to the journal's head."""
    head = head_seq(conn)
    if options.afresh:
        projection.start_afresh(conn)
    seq = projection.catch_up(conn, progress=_of(head, progress))
    return f"days are up to entry {seq}\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns with a blank between, figures to the right."""
    cells = [list(heads), *[[_cell(each) for each in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _estimate(options: argparse.Namespace, month: str) -> Estimate:
    """What the operator said of this month, else of all."""
    now = dict(options.expected).get(month, options.expected_bps)
    return Estimate(
        at_issue_bps=dict(options.at_issue).get(month, now if options.at_issue_bps is None else options.at_issue_bps),
        now_bps=now,
    )


def _total(lines: Sequence[Revenue]) -> Revenue:
    """Sums of all cohorts."""
    sums = {name: sum(getattr(each, name) for each in lines) for name in Revenue.__struct_fields__[2:]}
    return Revenue(month="total", terms_id=0, **sums)


def _position(conn: Connection, seq: int | None) -> int:
    """The entry asked about: the last one unless told. Refused when it is not there yet."""
    head = head_seq(conn)
    if seq is None:
        return head
    if not 0 <= seq <= head:
        raise CannotAnswer(f"there is no entry {seq}: the journal ends with {head}")
    return seq


def _of(last: int, progress: Progress) -> Callable[[int], None]:
    return lambda seq: progress(f"entry {seq:,} of {last:,}")


def month_share(text: str) -> tuple[str, int]:
    """`2026-07=9500`: a month and its share in basis points."""
    month, _, share = text.partition("=")
    return month, share_bps(share)


def share_bps(text: str) -> int:
    """A share in basis points, 0 to 10000."""
    if not text.isdecimal() or not 0 <= int(text) <= BPS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share in basis points, 0 to {BPS}")
    return int(text)

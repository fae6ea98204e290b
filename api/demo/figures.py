"""What the ledger says about an alliance, read from the journal alone: points by issuer, redemptions between merchants,
the months.

Invariants: every figure is a sum of integers over journal legs, so that a second run over the same journal gives the
same figures; nothing is written. Points of different issuers are never added up, AU are. Who may call: the demo's
report and tests.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ledger.answers import Leg, parse_receipt
from ledger.journal import ENTRIES_PER_READ_MAX, Connection, JournalEntry, read
from proofs.accounts import OPERATOR_ID
from proofs.kinds import Kind

ISSUED = frozenset({Kind.EARN, Kind.REFERRAL, Kind.ADJUST_UP, Kind.EXCHANGE_IN})
TAKEN_BACK = frozenset({Kind.REFUND_EARN, Kind.ADJUST_DOWN, Kind.EXPIRE, Kind.EXCHANGE_OUT})
ACCEPTED = {Kind.REDEEM: 1, Kind.REFUND_REDEEM: -1}
"""Legs that an acceptor signs, and whether points go to it or come back. Transfers change no issuer's sums."""
PAYING = frozenset({"redeem", "capture"})


@dataclass(slots=True)
class Points:
    """One issuer's points: `taken_back` with what expired or was exchanged away, `used` less what was cancelled.

    issued − used − taken_back = outstanding, which is below zero where members owe more than others hold.
    """

    issued: int = 0
    used: int = 0
    used_at_home: int = 0
    taken_back: int = 0

    @property
    def outstanding(self) -> int:
        """Points in members' hands, debts deducted."""
        return self.issued - self.used - self.taken_back


@dataclass(slots=True)
class Month:
    """One calendar month (UTC) of the alliance: purchases and refunds taken, AU paid with points."""

    purchases: int = 0
    refunds: int = 0
    redeemed_au: int = 0


@dataclass(slots=True)
class Figures:
    """The alliance in sums.

    Points by issuer id; AU by (issuer id, accepting merchant's id), on us included; months as 2025-01; fees charged by
    merchant id; members, payments with points and leaves in the journal.
    """

    points: dict[int, Points] = field(default_factory=lambda: defaultdict(Points))
    flows: Counter[tuple[int, int]] = field(default_factory=Counter)
    months: dict[str, Month] = field(default_factory=lambda: defaultdict(Month))
    fees: Counter[int] = field(default_factory=Counter)
    members: int = 0
    payments: int = 0
    legs: int = 0


def gather(conn: Connection) -> Figures:
    """All of the journal, added up."""
    figures = Figures()
    for entry in entries(conn):
        figures.legs += len(entry.legs)
        figures.members += entry.verb == "enrol"
        figures.payments += entry.verb in PAYING
        for leg in entry.legs:
            _add_points(figures.points, leg)
            _add_fee(figures.fees, leg)
        month = figures.months[datetime.fromtimestamp(entry.at_ms // 1_000, UTC).strftime("%Y-%m")]
        _add_redemption(figures, month, entry)
        month.purchases += entry.verb == "earn"
        month.refunds += entry.verb == "refund"
    return figures


def entries(conn: Connection) -> Iterator[JournalEntry]:
    """Every journal entry in order, read in pages."""
    seq = 0
    while page := read(conn, seq):
        yield from page
        seq = page[-1].seq
        if len(page) < ENTRIES_PER_READ_MAX:
            return


def _add_points(points: Mapping[int, Points], leg: Leg) -> None:
    if leg.kind in ISSUED:
        points[leg.issuer].issued += leg.points
    elif leg.kind in TAKEN_BACK:
        points[leg.issuer].taken_back += leg.points
    elif sign := ACCEPTED.get(Kind(leg.kind)):
        points[leg.issuer].used += sign * leg.points
        points[leg.issuer].used_at_home += sign * leg.points if leg.issuer == leg.signer else 0


def _add_fee(fees: Counter[int], leg: Leg) -> None:
    """What a merchant was charged; a cycle in which more was reversed than accrued pays the merchant."""
    if leg.kind == Kind.FEE:
        payer, sign = (leg.issuer, -1) if leg.signer == OPERATOR_ID else (leg.signer, 1)
        fees[payer] += sign * leg.au


def _add_redemption(figures: Figures, month: Month, entry: JournalEntry) -> None:
    """The lots say what was applied, or given back, on us included; the legs carry only what changes hands."""
    acceptors = [leg.signer for leg in entry.legs if leg.kind in ACCEPTED]
    if not acceptors:
        return
    receipt = parse_receipt(entry.canonical.split(b"\n", 1)[1])
    for move in receipt.lots:
        figures.flows[move.issuer, acceptors[0]] += move.au
        month.redeemed_au += move.au

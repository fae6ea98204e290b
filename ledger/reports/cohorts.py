"""The fold that finds each cohort's figures: which month's sales every used, expired or taken-back point came from.
Pure.

A lot belongs to the cohort of the order that made it, for its buyer; a transferred lot keeps its cohort. Lots that no
sale to their owner made (referral rewards, adjustments, opening balances, exchanged points) are no deferred revenue and
stay out. Held points remain; a redemption in dispute counts as used until it is decided against the acceptor. An array
of one small number per journal entry finds an order's cohort, so that tens of millions of entries fit in memory; only
lots that are not their entry's are kept one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import UTC, datetime

from ledger.answers import LotId, LotMove, Receipt
from ledger.commands import (
    Adjust,
    ApproveAdjustment,
    Authorize,
    CancelPending,
    CancelRedemption,
    Capture,
    Command,
    Configuring,
    Confirm,
    Dispute,
    Earn,
    Exchange,
    Expire,
    LapseHold,
    Merge,
    Redeem,
    Refund,
    ResolveDispute,
    Transfer,
    Unmerge,
    Void,
)
from ledger.points import orders
from ledger.registry import Registry
from ledger.reports.recorded import Recorded
from ledger.reports.revenue import Cohort
from proofs.kinds import Kind

_OUTSIDE = 0
"""The cohort number of what no sale made."""


def month_of(at_ms: int) -> str:
    """The calendar month in UTC, as 2026-07."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m")


class Cohorts:
    """All cohorts so far. `add` takes the journal's entries in order, none left out."""

    def __init__(self) -> None:
        self.registry = Registry()
        self._numbers: dict[tuple[int, str, int], int] = {}
        self._cohorts: list[Cohort] = []
        self._outside: dict[int, Cohort] = {}
        self._of_entry = array("I", [_OUTSIDE])
        self._of_lot: dict[LotId, int] = {}
        self._open: dict[tuple[int, str], tuple[LotMove, ...]] = {}

    def of(self, issuer: int) -> list[Cohort]:
        """An issuer's cohorts by month and terms."""
        return sorted(
            (each for each in self._cohorts if each.issuer == issuer), key=lambda each: (each.month, each.terms_id)
        )

    def add(self, recorded: Recorded) -> None:
        """Take the next entry in."""
        command, receipt, order_seq = recorded
        assert receipt.seq == len(self._of_entry), "entries come in journal order, none left out"
        self._of_entry.append(_OUTSIDE)
        match command:
            case Earn():
                self._earned(command, receipt)
            case Refund():
                self._refunded(command, receipt, order_seq)
            case CancelPending():
                self._unsold(order_seq, int(receipt.why["amount_minor"]))
                self._take(receipt.lots, "clawed_back")
            case Transfer():
                self._transferred(receipt.lots)
            case Redeem():
                self._use(command.merchant_id, receipt.lots)
            case Authorize() | Dispute():
                self._open[command.merchant_id, command.redemption] = receipt.lots
            case Capture() | Void() | LapseHold():
                self._resolved(command.merchant_id, command.redemption, receipt)
            case CancelRedemption():
                self._returned(command.merchant_id, receipt, [-move.au for move in receipt.lots])
            case ResolveDispute():
                disputed = self._open.pop((command.merchant_id, command.redemption))
                if not command.stands:
                    self._returned(command.merchant_id, receipt, [-move.au for move in disputed])
            case _:
                if isinstance(command, Configuring):
                    self.registry.play(command)
                self._other(command, receipt)

    def outside(self, issuer: int) -> Cohort:
        """What no sale to their owners made, of all months: kept so that the issuer's points add up."""
        return self._outside.setdefault(issuer, Cohort(issuer=issuer, month="", terms_id=0))

    def _cohort(self, move: LotMove) -> Cohort:
        number = self._of_lot.get(move.lot, self._of_entry[move.lot.seq])
        return self._cohorts[number - 1] if number else self.outside(move.issuer)

    def _number(self, issuer: int, month: str, terms_id: int) -> int:
        name = (issuer, month, terms_id)
        if name not in self._numbers:
            self._cohorts.append(Cohort(issuer=issuer, month=month, terms_id=terms_id))
            self._numbers[name] = len(self._cohorts)
        return self._numbers[name]

    def _earned(self, command: Earn, receipt: Receipt) -> None:
        """The buyer's lots make the cohort; whoever else got lots by this order is outside. The first lot is what the
        purchase earned by itself, if it did; its owner may have been merged out of the name in the command.
        """
        earned = orders.points_for(self.registry.merchants[command.merchant_id], command.amount_minor)
        buyer = receipt.lots[0].member if earned else command.member
        confirmed = len(receipt.legs) == len(receipt.lots)
        given = [each.points for each in (receipt.legs if confirmed else receipt.lots)]
        for move, points in zip(receipt.lots, given, strict=True):
            if move.member != buyer:
                self._of_lot[move.lot] = _OUTSIDE
                self._leave_out([move])
                continue
            cohort = self._sold(command, receipt.seq, move.terms_id)
            cohort.issued += points
            cohort.repaid += points - move.points
            cohort.remaining += move.points

    def _sold(self, command: Earn, seq: int, terms_id: int) -> Cohort:
        """The cohort of this order, which counts the sale once."""
        if not self._of_entry[seq]:
            self._of_entry[seq] = self._number(command.merchant_id, month_of(command.at_ms), terms_id)
            self._cohorts[self._of_entry[seq] - 1].sales += command.amount_minor
        return self._cohorts[self._of_entry[seq] - 1]

    def _refunded(self, command: Refund, receipt: Receipt, order_seq: int | None) -> None:
        self._unsold(order_seq, command.amount_minor)
        self._take(receipt.lots, "clawed_back")

    def _unsold(self, order_seq: int | None, amount_minor: int) -> None:
        number = self._of_entry[order_seq] if order_seq is not None else _OUTSIDE
        if number:
            self._cohorts[number - 1].sales -= amount_minor

    def _transferred(self, moves: Iterable[LotMove]) -> None:
        """Each lot that gave is followed by one that received, in the same order, but for the first points: those
        repaid what the receiver owed.
        """
        for mine in _by_terms(moves).values():
            received = iter([move for move in mine if move.points > 0])
            repaid = -sum(move.points for move in mine)
            for gave in (move for move in mine if move.points < 0):
                swallowed = min(repaid, -gave.points)
                repaid -= swallowed
                self._change(gave, "repaid", swallowed)
                if swallowed < -gave.points:
                    self._of_lot[next(received).lot] = self._of_lot.get(gave.lot, self._of_entry[gave.lot.seq])

    def _use(self, acceptor: int, moves: Iterable[LotMove]) -> None:
        """Points of an acceptor that is paid at once."""
        for move in moves:
            self._change(move, _where(acceptor, move), -move.points)
            self._pay(acceptor, move, move.au)

    def _resolved(self, acceptor: int, redemption: str, receipt: Receipt) -> None:
        """A hold ends. What is captured is drawn from the lots in their order; what neither was captured nor came
        back to its lot repaid a debt, or was forfeited by a member who had left.
        """
        restored = {move.lot: move.points for move in receipt.lots if move.points}
        captured = {leg.terms_id: leg.points for leg in receipt.legs if leg.kind == Kind.REDEEM}
        gone = "adjusted" if "forfeited" in receipt.why else "repaid"
        for move in self._open.pop((acceptor, redemption)):
            used = min(-move.points, captured.get(move.terms_id, 0))
            captured[move.terms_id] = captured.get(move.terms_id, 0) - used
            self._change(move, _where(acceptor, move), used)
            self._change(move, gone, -move.points - used - restored.get(move.lot, 0))
        for move in receipt.lots:
            if not move.points:
                self._pay(acceptor, move, move.au)

    def _returned(self, acceptor: int, receipt: Receipt, au: Iterable[int]) -> None:
        """Used points came back to their lots; those that repaid a debt instead count with the first lot."""
        left = int(receipt.why["repaid"])
        for move, paid in zip(receipt.lots, au, strict=True):
            self._change(move, _where(acceptor, move), -move.points - left)
            self._change(move, "repaid", left)
            self._pay(acceptor, move, -paid)
            left = 0

    def _exchanged(self, receipt: Receipt) -> None:
        """Points given for another issuer's: used elsewhere, for what that issuer was paid."""
        paid = {leg.terms_id: leg.au for leg in receipt.legs if leg.kind == Kind.EXCHANGE_OUT}
        for terms_id, mine in _by_terms(move for move in receipt.lots if move.points < 0).items():
            total, seen = -sum(move.points for move in mine), 0
            for move in mine:
                before, seen = seen, seen - move.points
                au = paid[terms_id] * seen // total - paid[terms_id] * before // total
                self._change(move, "used_elsewhere", -move.points)
                self._cohort(move).paid_au += au
        self._leave_out(move for move in receipt.lots if move.points > 0)

    def _other(self, command: Command, receipt: Receipt) -> None:
        match command:
            case Confirm() | Merge() | Unmerge():
                self._take(receipt.lots, "repaid")
            case Expire():
                self._take(receipt.lots, "expired")
            case Exchange():
                self._exchanged(receipt)
            case Adjust() | ApproveAdjustment():
                self._take([move for move in receipt.lots if move.points < 0], "adjusted")
                self._leave_out(move for move in receipt.lots if move.points > 0)
            case _:
                self._leave_out(receipt.lots)

    def _leave_out(self, moves: Iterable[LotMove]) -> None:
        for move in moves:
            outside = self.outside(move.issuer)
            outside.issued += move.points
            outside.remaining += move.points

    def _take(self, moves: Iterable[LotMove], line: str) -> None:
        """Points that leave lots, counted in a line of their cohorts."""
        for move in moves:
            self._change(move, line, -move.points)

    def _change(self, move: LotMove, line: str, points: int) -> None:
        """`points` more in a line of the lot's cohort, and as many fewer remain."""
        cohort = self._cohort(move)
        setattr(cohort, line, getattr(cohort, line) + points)
        cohort.remaining -= points

    def _pay(self, acceptor: int, move: LotMove, au: int) -> None:
        if move.issuer != acceptor:
            self._cohort(move).paid_au += au


def _where(acceptor: int, move: LotMove) -> str:
    return "used_on_us" if move.issuer == acceptor else "used_elsewhere"


def _by_terms(moves: Iterable[LotMove]) -> dict[int, list[LotMove]]:
    groups: dict[int, list[LotMove]] = {}
    for move in moves:
        groups.setdefault(move.terms_id, []).append(move)
    return groups

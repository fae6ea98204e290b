"""The fold behind statements and liability reports: what every party has, and what moved since the cycle began. Pure.

`Tally.add` takes entries in journal order; `begin` starts a cycle. It keeps sums by party, issuer and terms, never by
member or lot, so that its size does not grow with the journal. What members owe an issuer follows from the sums:
debt = points in lots + held − outstanding. Points are worth floor(points · num / den) per set of terms.
`ledger.reports.cycles` drives it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from ledger.accounts import CHAIN, Family
from ledger.answers import JournalPosting, Leg, LotMove, Receipt
from ledger.commands import (
    Authorize,
    Capture,
    ChargeFees,
    Configuring,
    Confirm,
    Dispute,
    LapseHold,
    ResolveDispute,
    Void,
)
from ledger.points.lots import value_au
from ledger.registry import Registry
from ledger.reports.peaks import Peaks
from ledger.reports.recorded import Recorded
from proofs.kinds import ADDS, TAKES, Kind

_MONEY = frozenset({Family.CASH, Family.FEES, Family.SETTLED, Family.PROMISED})
_ISSUERS = frozenset({Family.OUTSTANDING, Family.PENDINGS, Family.HOLDS})

ON_US, BY_OTHERS = "on us", "by others"
PENDING_ADDED, PENDING_CONFIRMED, PENDING_CANCELLED = "added", "confirmed", "cancelled"
REDEEMING = frozenset({Kind.REDEEM, Kind.REFUND_REDEEM})


class Flows:
    """What moved since a cycle began.

    points, worth  by (issuer, leg kind, on us or by others): points, and the AU they were worth or were applied for
    accepted_*     by acceptor and issuer, others' points only, less what was cancelled
    pending        by (issuer, what happened)
    interchange    by party and counterparty: cash that legs moved to the party, but for fees
    fees           by party and leg kind; every accrual by party is in `accrued`
    peaks          positions entry by entry
    """

    def __init__(self, positions: dict[int, int]) -> None:
        self.points: Counter[tuple[int, int, str]] = Counter()
        self.worth: Counter[tuple[int, int, str]] = Counter()
        self.accepted_points: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.accepted_au: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.pending: Counter[tuple[int, str]] = Counter()
        self.interchange: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.fees: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.accrued: Counter[int] = Counter()
        self.charged: Counter[int] = Counter()
        self.settled: Counter[int] = Counter()
        self.peaks = Peaks(positions)


class Tally:
    """Everything at journal position `seq`, and the flows of the cycle that is open there."""

    def __init__(self) -> None:
        self.seq = 0
        self.at_ms = 0  # the latest that any entry happened at: entries may be backdated
        self.registry = Registry()
        self.money: Counter[tuple[int, int]] = Counter()
        self.points: Counter[tuple[int, int]] = Counter()
        self.lots: Counter[int] = Counter()
        self.pending_lots: Counter[int] = Counter()
        self.held_by_terms: Counter[int] = Counter()
        self.disputes: dict[tuple[int, str], Counter[int]] = {}
        self._holds: dict[tuple[int, str], Counter[int]] = {}
        self.flows = Flows({})

    def begin(self) -> None:
        """A cycle begins after this entry."""
        self.flows = Flows({party: self.position(party) for party in self.parties()})

    def parties(self) -> list[int]:
        """Everybody who ever had money posted, ascending."""
        return sorted({party for family, party in self.money if family != Family.PROMISED and party != CHAIN})

    def position(self, party: int) -> int:
        """What a party is owed in AU: cash + fees − settled."""
        cash, fees = self.money[Family.CASH, party], self.money[Family.FEES, party]
        return cash + fees - self.money[Family.SETTLED, party]

    def add(self, recorded: Recorded) -> None:
        """Take the next entry in."""
        command, receipt, _ = recorded
        assert receipt.seq == self.seq + 1, "entries come in journal order, none left out"
        self.seq, self.at_ms = receipt.seq, max(self.at_ms, receipt.at_ms)
        if isinstance(command, Configuring):
            self.registry.play(command)
        self._add_lots(receipt.lots, confirms=isinstance(command, Confirm))
        self._add_hold(recorded)
        for leg in receipt.legs:
            self._add_leg(leg, receipt)
        for posting in receipt.postings:
            self._add_posting(posting, charges=isinstance(command, ChargeFees), confirms=isinstance(command, Confirm))
        self._add_interchange(receipt)
        self._note(recorded)

    def _add_lots(self, moves: Iterable[LotMove], *, confirms: bool) -> None:
        """Points in lots by terms: a lot without an expiry is pending; a confirmation says what the lot now holds."""
        for move in moves:
            if move.expires_at_ms is None:
                self.pending_lots[move.terms_id] += move.points
            elif confirms:
                self.pending_lots[move.terms_id] -= move.remaining - move.points
                self.lots[move.terms_id] += move.remaining
            else:
                self.lots[move.terms_id] += move.points

    def _add_hold(self, recorded: Recorded) -> None:
        """What open authorisations and disputes hold, by terms: in no lot, and still its members'."""
        receipt = recorded.receipt
        match recorded.command:
            case Authorize(merchant_id=acceptor, redemption=name):
                self._hold((acceptor, name), [(move.terms_id, -move.points) for move in receipt.lots])
            case Dispute(merchant_id=acceptor, redemption=name):
                returned = [leg for leg in receipt.legs if leg.kind == Kind.REFUND_REDEEM]
                self._hold((acceptor, name), [(leg.terms_id, leg.points) for leg in returned])
            case (
                Capture(merchant_id=acceptor, redemption=name)
                | Void(merchant_id=acceptor, redemption=name)
                | LapseHold(merchant_id=acceptor, redemption=name)
                | ResolveDispute(merchant_id=acceptor, redemption=name)
            ):
                self.held_by_terms.subtract(self._holds.pop((acceptor, name)))
            case _:
                pass

    def _hold(self, name: tuple[int, str], parts: Iterable[tuple[int, int]]) -> None:
        held = Counter[int]()
        for terms_id, points in parts:
            held[terms_id] += points
        self._holds[name] = held
        self.held_by_terms.update(held)

    def _add_leg(self, leg: Leg, receipt: Receipt) -> None:
        flows, kind = self.flows, Kind(leg.kind)
        if leg.fee_au:
            flows.fees[leg.signer][kind] -= leg.fee_au
        if kind not in ADDS and kind not in TAKES:
            return
        where = ON_US if leg.signer == leg.issuer else BY_OTHERS
        au = self._applied(leg, receipt)
        flows.points[leg.issuer, kind, where] += leg.points
        flows.worth[leg.issuer, kind, where] += au
        if where == BY_OTHERS:
            sign = -1 if kind == Kind.REFUND_REDEEM else 1
            flows.accepted_points[leg.signer][leg.issuer] += sign * leg.points
            flows.accepted_au[leg.signer][leg.issuer] += sign * leg.au

    def _applied(self, leg: Leg, receipt: Receipt) -> int:
        """AU of a leg: what changed hands, else what lots say was applied, else what the points are worth."""
        if leg.au:
            return leg.au
        applied = abs(sum(move.au for move in receipt.lots if move.terms_id == leg.terms_id))
        return applied or value_au(leg.points, self.registry.terms[leg.terms_id])

    def _add_posting(self, posting: JournalPosting, *, charges: bool, confirms: bool) -> None:
        (family, unit, party), amount = posting.account, posting.amount
        if family in _MONEY:
            self.money[family, party] += amount
        elif family in _ISSUERS:
            self.points[family, unit] += amount
        if family == Family.FEES:
            (self.flows.charged if charges else self.flows.accrued)[party] += amount
        elif family == Family.SETTLED:
            self.flows.settled[party] += amount
        elif family == Family.PENDINGS:
            ended = PENDING_CONFIRMED if confirms else PENDING_CANCELLED
            self.flows.pending[unit, PENDING_ADDED if amount < 0 else ended] += abs(amount)

    def _add_interchange(self, receipt: Receipt) -> None:
        """Postings come in pairs, a debit and its credit: of cash, they name who was paid by whom."""
        if receipt.verb == "charge_fees":
            return
        for debit, credit in zip(receipt.postings[::2], receipt.postings[1::2], strict=True):
            if debit.account.family == Family.CASH:
                self.flows.interchange[debit.account.party][credit.account.party] += debit.amount
                self.flows.interchange[credit.account.party][debit.account.party] += credit.amount

    def _note(self, recorded: Recorded) -> None:
        """After everything is posted: positions, disputes begun and ended."""
        changed = self.flows.peaks.add(recorded.receipt)
        match recorded.command:
            case Dispute(merchant_id=acceptor, redemption=name):
                self.disputes[acceptor, name] = changed
            case ResolveDispute(merchant_id=acceptor, redemption=name):
                self.disputes.pop((acceptor, name), None)
            case _:
                pass

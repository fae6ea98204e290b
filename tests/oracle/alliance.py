"""The rule book's earning, redeeming, refunding and clearing, written a second time: slow, in memory, with one
dictionary per idea.

It exists to disagree. Nothing here is imported from the program, and nothing in the program may import it; only tests
call it. Every amount is an integer:
purchases in minor units, points whole, AU whole (1 AU = 1 minor unit). Times are milliseconds since the epoch.
Invariants: a lot never holds less than 0; a member owes an issuer only when no lot of that issuer holds anything;
positions sum to zero after every event.
Source: the rule book ("Points and lots", "Clearing" 1, 2, 5) and the replay conditions of the sample purchases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from math import ceil, floor

DAY_MS = 86_400_000
OPERATOR = "operator"


@dataclass(frozen=True)
class Conditions:
    """What one merchant promised: points per minor units, the AU one point is worth, days of validity, fees in basis
    points.
    """

    points: int = 1
    per_minor: int = 100
    au_per_point: Fraction = Fraction(1)
    validity_days: int = 365
    redemption_fee_bps: int = 200
    issuance_fee_bps: int = 100


@dataclass(frozen=True)
class Event:
    """One line of the events file, understood. `origin` is the purchase that a refund undoes, None where nobody knows
    it.
    """

    event_id: str
    at_ms: int
    kind: str
    merchant: str
    member: str
    amount: int
    origin: str | None = None


@dataclass
class Lot:
    """Points of one purchase as they stand; lots are compared by (expires, confirmed, number)."""

    issuer: str
    order: str
    expires_ms: int
    confirmed_ms: int
    number: int
    left: int


@dataclass
class Order:
    """A purchase and how much of it has been given back."""

    member: str
    amount: int
    earned: int
    refunded: int = 0

    def standing(self) -> int:
        """Points that the part not refunded still justifies."""
        return self.earned * (self.amount - self.refunded) // self.amount if self.amount else 0


@dataclass
class Alliance:
    """All books of the alliance. `play` feeds it; the properties and dictionaries are what a test compares."""

    conditions: dict[str, Conditions]
    lots: dict[str, list[Lot]] = field(default_factory=lambda: defaultdict(list))
    debts: Counter[tuple[str, str]] = field(default_factory=Counter)
    orders: dict[tuple[str, str], Order] = field(default_factory=dict)
    cash: Counter[str] = field(default_factory=Counter)
    fees: Counter[str] = field(default_factory=Counter)
    issued: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    taken_back: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, str]] = field(default_factory=list)
    redeemed_au: Counter[str] = field(default_factory=Counter)
    lots_made: int = 0

    def play(self, events: Iterable[Event]) -> Alliance:
        """All events in file order, each purchase followed by the redemption that the rule derives from it."""
        for event in events:
            if event.kind == "purchase":
                self.purchase(event)
                wanted = event.amount * 30 // 100
                if int.from_bytes(sha256(event.event_id.encode()).digest(), "big") % 20 == 0 and wanted >= 1:
                    self.redeem(event.event_id, event.at_ms, event.merchant, event.member, wanted)
            else:
                self.refund(event)
        return self

    def purchase(self, event: Event) -> None:
        """Points at once, debts repaid first, the issuance fee on the whole order."""
        terms = self.conditions[event.merchant]
        earned = event.amount * terms.points // terms.per_minor
        self.orders[event.merchant, event.event_id] = Order(event.member, event.amount, earned)
        if not earned:
            return
        repaid = min(earned, self.debts[event.member, event.merchant])
        self.debts[event.member, event.merchant] -= repaid
        self.lots_made += 1
        expires = event.at_ms + terms.validity_days * DAY_MS
        self.lots[event.member].append(
            Lot(event.merchant, event.event_id, expires, event.at_ms, self.lots_made, earned - repaid)
        )
        self.issued[event.merchant] += earned
        self._charge(event.merchant, self._issuance_fee(event.merchant, earned))

    def redeem(self, name: str, at_ms: int, merchant: str, member: str, wanted: int) -> int:
        """Draw up to `wanted` AU over all issuers; answers what was applied, 0 when refused."""
        drawn = self._draw(at_ms, member, wanted)
        if not drawn:
            self.refused.append((name, "nothing-to-redeem"))
        for issuer, (lots, au) in drawn.items():
            points = ceil(Fraction(au) / self.conditions[issuer].au_per_point)
            assert self._take(lots, points) == points
            self.used[issuer] += points
            self.redeemed_au[merchant] += au
            if issuer != merchant:
                self.cash[issuer] -= au
                self.cash[merchant] += au
                self._charge(merchant, au * self.conditions[merchant].redemption_fee_bps // 10_000)
        return sum(au for _, au in drawn.values())

    def refund(self, event: Event) -> None:
        """Take earned points back in proportion: the order's lot, then the issuer's other lots, then debt; the
        issuance fee falls with them.
        """
        merchant, terms = event.merchant, self.conditions[event.merchant]
        if event.origin is None:
            points = event.amount * terms.points // terms.per_minor
            fee = self._issuance_fee(merchant, points)
        else:
            order = self.orders.get((merchant, event.origin))
            if order is None or order.member != event.member:
                self.refused.append((event.event_id, "order-unknown"))
                return
            if order.refunded + event.amount > order.amount:
                self.refused.append((event.event_id, "refund-exceeds-order"))
                return
            before = order.standing()
            order.refunded += event.amount
            points = before - order.standing()
            fee = self._issuance_fee(merchant, before) - self._issuance_fee(merchant, order.standing())
        mine = [lot for lot in self._in_order(event.member) if lot.issuer == merchant]
        mine.sort(key=lambda lot: lot.order != event.origin)
        self.debts[event.member, merchant] += points - self._take(mine, points)
        self.taken_back[merchant] += points
        self._charge(merchant, -fee)

    def charge_fees(self) -> None:
        """The end of the cycle: accrued fees become cash."""
        self.cash.update(self.fees)
        self.fees.clear()

    def balances(self) -> dict[tuple[str, str], int]:
        """(member, issuer) -> points, debts as negative; zeros left out."""
        total: Counter[tuple[str, str]] = Counter()
        for member, lots in self.lots.items():
            for lot in lots:
                total[member, lot.issuer] += lot.left
        total.subtract(self.debts)
        return {pair: points for pair, points in total.items() if points}

    def open_debts(self) -> dict[tuple[str, str], int]:
        """(member, issuer) -> points owed; zeros left out."""
        return {pair: points for pair, points in self.debts.items() if points}

    def outstanding(self) -> dict[str, int]:
        """Issuer -> points that members hold, less what they owe."""
        return {code: self.issued[code] - self.used[code] - self.taken_back[code] for code in self.conditions}

    def positions(self) -> dict[str, int]:
        """Party -> AU it is owed (+) or owes (-), accrued fees included."""
        return {code: self.cash[code] + self.fees[code] for code in [*self.conditions, OPERATOR]}

    def nets(self) -> dict[str, int]:
        """Party -> AU that settling moves once fees were charged; zeros left out."""
        assert not any(self.fees.values()), "charge_fees comes first"
        return {code: amount for code, amount in self.cash.items() if amount}

    def _draw(self, at_ms: int, member: str, wanted: int) -> dict[str, tuple[list[Lot], int]]:
        seen: Counter[str] = Counter()
        drawn: dict[str, tuple[list[Lot], int]] = {}
        for lot in self._in_order(member):
            if wanted == 0:
                break
            if lot.left == 0 or at_ms >= lot.expires_ms:
                continue
            lots, au = drawn.get(lot.issuer, ([], 0))
            seen[lot.issuer] += lot.left
            more = min(wanted, floor(seen[lot.issuer] * self.conditions[lot.issuer].au_per_point) - au)
            drawn[lot.issuer] = ([*lots, lot], au + more)
            wanted -= more
        return {issuer: (lots, au) for issuer, (lots, au) in drawn.items() if au}

    def _in_order(self, member: str) -> list[Lot]:
        return sorted(self.lots[member], key=lambda lot: (lot.expires_ms, lot.confirmed_ms, lot.number))

    def _take(self, lots: list[Lot], points: int) -> int:
        taken = 0
        for lot in lots:
            part = min(lot.left, points - taken)
            lot.left -= part
            taken += part
        return taken

    def _issuance_fee(self, merchant: str, points: int) -> int:
        terms = self.conditions[merchant]
        return floor(points * terms.au_per_point) * terms.issuance_fee_bps // 10_000

    def _charge(self, merchant: str, fee: int) -> None:
        self.fees[merchant] -= fee
        self.fees[OPERATOR] += fee

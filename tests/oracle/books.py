"""What the oracle knows: one dictionary per idea, and the few sums that everything else asks of them.

It exists to disagree with the ledger, so it is written from the rule book alone, imports nothing of the program and is
slow on purpose: whatever can be added up is added up when it is asked. Every amount is an integer: points whole, AU
whole (1 AU = 1 minor unit), times in milliseconds since the epoch. Who may change the books: the verbs in the modules
beside this one, through the functions here. Tests read them.

Where points stand:

    pending   earned, the order not confirmed             Lot.left of an unconfirmed lot
    spendable confirmed, in a lot                         Lot.left
    held      taken out of lots, promised or in dispute   Draw.parts
    debt      clawed back after it was spent              debts[member, issuer]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BPS = 10_000
DAY_MS = 86_400_000
AMOUNT_MAX = 10**15
OPERATOR, RESERVE, GUARANTEE = 900_000_001, 900_000_002, 900_000_003
ON_REDEMPTION, ON_ISSUANCE = 0, 1

Command = dict[str, Any]


class No(Exception):
    """A refusal: its code is all that is compared."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def refuse_if(wrong: object, code: str) -> None:
    """Say no with `code` when something is wrong."""
    if wrong:
        raise No(code)


@dataclass(eq=False)
class Lot:
    """Points of one issuer, terms and expiry in one member's hands. `number` counts the lots as they were made."""

    number: int
    member: str
    issuer: int
    terms_id: int
    left: int
    role: str = "base"
    points: int = 0
    """As earned."""
    standing: int = 0
    """As earned, less what was clawed back of it."""
    confirmed_ms: int | None = None
    expires_ms: int | None = None

    def turn(self) -> tuple[int, int, int]:
        """Lots are drawn in this order."""
        assert self.expires_ms is not None
        assert self.confirmed_ms is not None
        return self.expires_ms, self.confirmed_ms, self.number


@dataclass(eq=False)
class Order:
    """A purchase, the lots it made for the buyer and up to two referrers, and what was given back of it."""

    merchant: int
    member: str
    amount: int
    terms_id: int
    fee_bps: int
    campaign: int
    confirm_from_ms: int
    lots: list[Lot]
    refunded: int = 0
    confirmed_ms: int | None = None

    def is_pending(self) -> bool:
        """Whether anything of it is still to be confirmed."""
        return self.confirmed_ms is None and self.refunded < self.amount


@dataclass(eq=False)
class Part:
    """What one lot is asked for in a draw: it had `had` points then, and bears `au` of the price."""

    lot: Lot
    had: int
    au: int


@dataclass(eq=False)
class Draw:
    """Points promised or paid at `merchant`: a hold while it is open, a redemption once it is captured."""

    merchant: int
    member: str
    fee_bps: int
    parts: list[Part]
    hold_until_ms: int
    state: str = "held"
    """held, captured, released, disputed."""

    def is_held(self) -> bool:
        """Whether its points are neither in lots nor spent: promised, or argued about."""
        return self.state in {"held", "disputed"}

    def au(self) -> int:
        return sum(part.au for part in self.parts)


@dataclass(eq=False)
class Pool:
    """A family: who is in it, and what each may give of one issuer's points in a day."""

    day_points_max: int
    members: set[str]


@dataclass(eq=False)
class Rule:
    """One number: its merchant, its versions, what it granted."""

    merchant: int
    versions: list[dict[str, Any]] = field(default_factory=list)
    withdrawn_ms: int | None = None
    points: int = 0
    """Counted against the budget."""
    of_member: Counter[str] = field(default_factory=Counter)
    times: Counter[str] = field(default_factory=Counter)
    days: dict[str, Counter[int]] = field(default_factory=dict)
    """Member -> day -> points."""
    day_times: dict[str, Counter[int]] = field(default_factory=dict)
    done: dict[str, list[list[int]]] = field(default_factory=dict)
    """Of a task: member -> for each step the days on which something was done for it."""
    completed: set[str] = field(default_factory=set)

    def in_force(self, at_ms: int) -> dict[str, Any] | None:
        """The newest version that has begun, if it is not over."""
        if self.withdrawn_ms is not None and at_ms >= self.withdrawn_ms:
            return None
        begun = [version for version in self.versions if version["valid_from_ms"] <= at_ms]
        over = not begun or (begun[-1]["valid_until_ms"] is not None and at_ms >= begun[-1]["valid_until_ms"])
        return None if over else begun[-1]


@dataclass(eq=False)
class Merged:
    """What a merge did, for taking it back: which lots passed with how many points, which of the other side's stayed
    with how many, debts that one side paid for the other, whom the other side was referred by, who meant the member.
    """

    into: str
    referrer: str | None
    followers: list[str]
    moved: dict[Lot, int]
    kept: dict[Lot, int]
    paid: list[Paid]


@dataclass(eq=False)
class Paid:
    """`points` that `debtor` owed the issuer and `payer` paid, `parts` of them out of lots."""

    issuer: int
    points: int
    debtor: str
    payer: str
    parts: dict[Lot, int]


@dataclass
class Books:
    """All of the alliance."""

    merchants: dict[int, Command] = field(default_factory=dict)
    terms: dict[int, Command] = field(default_factory=dict)
    members: dict[str, list[Lot]] = field(default_factory=dict)
    """Member -> confirmed lots that hold something, in no order."""
    orders: dict[tuple[int, str], Order] = field(default_factory=dict)
    draws: dict[tuple[int, str], Draw] = field(default_factory=dict)
    names: set[tuple[str, int, str]] = field(default_factory=set)
    """(purpose, merchant, name) of what was used once."""
    debts: Counter[tuple[str, int]] = field(default_factory=Counter)
    cash: Counter[int] = field(default_factory=Counter)
    fees: Counter[int] = field(default_factory=Counter)
    settled: Counter[int] = field(default_factory=Counter)
    dust: Counter[int] = field(default_factory=Counter)
    """Terms -> dust the issuer kept, in 1/au_den AU; of terms paid on issuance it is in the reserve."""
    reserve: Counter[int] = field(default_factory=Counter)
    """Terms paid on issuance -> AU in the reserve for them."""
    sent: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    """(member, issuer, day) -> points transferred."""
    frozen: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    leaving: set[int] = field(default_factory=set)
    """Issuers that issue no more."""
    left: set[int] = field(default_factory=set)
    """Issuers whose run-off is over."""
    exchanges: list[Command] = field(default_factory=list)
    campaigns: dict[int, Command] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)
    """Campaign -> when its kill switch was pulled."""
    tiers: Command | None = None
    rules: dict[int, Rule] = field(default_factory=dict)
    check_ins: dict[tuple[int, str], set[int]] = field(default_factory=dict)
    """(merchant, member) -> the member's days on which it checked in."""
    watching: set[int] = field(default_factory=set)
    """Merchants of which a rule ever asked for first orders."""
    customers: dict[tuple[str, int], bool] = field(default_factory=dict)
    """(member, merchant that watches) -> whether the member ever ordered there."""
    touched: set[tuple[str, int]] = field(default_factory=set)
    """(member, issuer) that ever had to do with each other in points: pending, in lots, owed."""
    said: dict[str, tuple[int, int, str] | tuple[int, int]] = field(default_factory=dict)
    """What rules said of the command: (asked, granted, why) of each that asked, (done, of) of each task that moved."""
    pools: dict[str, Pool] = field(default_factory=dict)
    alone: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    """(issuer, person, day) -> points corrected without a second person."""
    waiting: dict[tuple[int, str], Command] = field(default_factory=dict)
    """Adjustments that wait for a second person."""
    referrers: dict[str, str] = field(default_factory=dict)
    decided: set[str] = field(default_factory=set)
    """Members whose referral is decided for good: bound, or bought before."""
    means: dict[str, str] = field(default_factory=dict)
    """Merged member -> whom its name means now."""
    merges: dict[str, Merged] = field(default_factory=dict)
    """Member -> what its last merge did."""
    tier: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Member -> the tier last recorded, and since when."""
    issued: Counter[int] = field(default_factory=Counter)
    redeemed: Counter[int] = field(default_factory=Counter)
    clawed_back: Counter[int] = field(default_factory=Counter)
    expired: Counter[int] = field(default_factory=Counter)
    adjusted: Counter[int] = field(default_factory=Counter)
    """Issuer -> points brought in as opening balances and corrections, less those taken out."""
    exchanged: Counter[int] = field(default_factory=Counter)
    """Issuer -> points that came by exchange, less those that went."""
    interchange: int = 0
    """AU that changed hands between issuers and other merchants, cancellations deducted."""
    lots_made: int = 0

    def who(self, name: str) -> str:
        """Whom a member's name means."""
        return self.means.get(name, name)

    def referrer(self, member: str) -> str | None:
        """The person above a member."""
        above = self.referrers.get(member)
        return None if above is None else self.who(above)

    def position(self, party: int) -> int:
        """AU the party is owed (+) or owes (−), accrued fees included."""
        return self.cash[party] + self.fees[party] - self.settled[party]

    def positions(self) -> dict[int, int]:
        """Party -> position; zeros left out."""
        parties = {*self.cash, *self.fees, *self.settled}
        return {party: self.position(party) for party in parties if self.position(party)}

    def is_backed(self, terms_id: int) -> bool:
        """Whether points of these terms are paid for on issuance."""
        return bool(self.terms[terms_id]["mode"] == ON_ISSUANCE)

    def all_lots(self) -> Iterator[Lot]:
        """Confirmed lots of everybody."""
        for lots in self.members.values():
            yield from lots

    def pending(self) -> dict[tuple[str, int], int]:
        """(member, issuer) -> points of unconfirmed orders; zeros left out."""
        total: Counter[tuple[str, int]] = Counter()
        for order in self.orders.values():
            if order.confirmed_ms is None:
                for lot in order.lots:
                    total[self.who(lot.member), lot.issuer] += lot.left
        return {pair: points for pair, points in total.items() if points}

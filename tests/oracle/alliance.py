"""Purchases and refunds of real merchants played on the oracle, under the conditions that the sample states.

A thin shell: it words events as commands, derives the redemptions that the conditions ask for, and answers by the
merchants' codes. What anything means is the oracle's. Only tests call it; nothing of the program is imported.
Source: the replay conditions of the sample purchases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any

from tests.oracle import books
from tests.oracle.books import Lot
from tests.oracle.oracle import Oracle

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

    def commands(self, number: int, code: str) -> list[dict[str, Any]]:
        """The merchant and its terms."""
        merchant = {
            "verb": "open_merchant",
            "key": f"open {code}",
            "merchant_id": number,
            "code": code,
            "earn": {"points": self.points, "per_minor": self.per_minor},
            "hold_ms": 0,
            "validity": {"days": self.validity_days},
            "redemption_fee_bps": self.redemption_fee_bps,
            "issuance_fee_bps": self.issuance_fee_bps,
            "refund_policy": "debt",
            "credit_limit_au": None,
        }
        terms = {
            "verb": "publish_terms",
            "key": f"terms {code}",
            "terms_id": number,
            "issuer_id": number,
            "au_num": self.au_per_point.numerator,
            "au_den": self.au_per_point.denominator,
            "mode": books.ON_REDEMPTION,
            "from_ms": None,
        }
        return [{"at_ms": 0, **merchant}, {"at_ms": 0, **terms}]


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
class Alliance:
    """The oracle, asked by codes. `play` feeds it; what it answers is what a test compares."""

    conditions: dict[str, Conditions]
    oracle: Oracle = field(default_factory=Oracle)
    refused: list[tuple[str, str]] = field(default_factory=list)
    redeemed_au: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.numbers = {code: number for number, code in enumerate(self.conditions, start=1)}
        for code, number in self.numbers.items():
            for command in self.conditions[code].commands(number, code):
                assert self.oracle.apply(command)["done"]
        self.numbers[OPERATOR] = books.OPERATOR

    def play(self, events: Iterable[Event]) -> Alliance:
        """All events in file order, each purchase followed by the redemption that the rule derives from it.

        Whoever is named first, in a purchase or in a refund, is enrolled.
        """
        for event in events:
            if event.member not in self.oracle.books.members:
                self._ask("enrol", event.member, event.at_ms, member=event.member)
            if event.kind == "purchase":
                self.purchase(event)
                wanted = event.amount * 30 // 100
                if int.from_bytes(sha256(event.event_id.encode()).digest(), "big") % 20 == 0 and wanted >= 1:
                    self.redeem(event.event_id, event.at_ms, event.merchant, event.member, wanted)
            else:
                self.refund(event)
        return self

    def purchase(self, event: Event) -> None:
        """Points at once, debts repaid first."""
        self._of(event, "earn", order=event.event_id)

    def refund(self, event: Event) -> None:
        """Earned points are taken back."""
        self._of(event, "refund", refund=event.event_id, order=event.origin)

    def redeem(self, name: str, at_ms: int, merchant: str, member: str, wanted: int) -> int:
        """Draw up to `wanted` AU over all issuers; answers what was applied, 0 when refused."""
        number = self.numbers[merchant]
        asked = {"merchant_id": number, "member": member, "redemption": name, "au": wanted, "at_most": True}
        if not self._ask("redeem", name, at_ms, over_limit="skip", **asked):
            return 0
        applied = self.oracle.books.draws[number, name].au()
        self.redeemed_au[merchant] += applied
        return applied

    def charge_fees(self) -> None:
        """The end of the cycle: accrued fees become cash."""
        self._ask("charge_fees", "cycle", 0, cycle="cycle")

    def lots(self, member: str) -> list[Lot]:
        """The member's lots as they were made, empty ones too."""
        made = (lot for order in self.oracle.books.orders.values() for lot in order.lots)
        return [lot for lot in made if lot.member == member]

    def buyers(self) -> set[str]:
        """Who bought anything."""
        return {order.member for order in self.oracle.books.orders.values()}

    def balances(self) -> dict[tuple[str, str], int]:
        """(member, issuer) -> points, debts as negative; zeros left out."""
        return self._by_code(self.oracle.balances())

    def open_debts(self) -> dict[tuple[str, str], int]:
        """(member, issuer) -> points owed; zeros left out."""
        return self._by_code(self.oracle.debts())

    def issued(self) -> dict[str, int]:
        """Issuer -> points confirmed."""
        return self._counted(self.oracle.books.issued)

    def used(self) -> dict[str, int]:
        """Issuer -> points redeemed."""
        return self._counted(self.oracle.books.redeemed)

    def taken_back(self) -> dict[str, int]:
        """Issuer -> points clawed back."""
        return self._counted(self.oracle.books.clawed_back)

    def outstanding(self) -> dict[str, int]:
        """Issuer -> points that members hold, less what they owe."""
        return {code: self.oracle.closing(self.numbers[code]) for code in self.conditions}

    def cash(self) -> dict[str, int]:
        """Party -> what legs and charged fees moved; zeros left out."""
        return {code: au for code, number in self.numbers.items() if (au := self.oracle.books.cash[number])}

    def fees(self) -> dict[str, int]:
        """Party -> what accrued since; zeros left out."""
        return {code: au for code, number in self.numbers.items() if (au := self.oracle.books.fees[number])}

    def positions(self) -> dict[str, int]:
        """Party -> AU it is owed (+) or owes (-), accrued fees included."""
        return {code: self.oracle.books.position(number) for code, number in self.numbers.items()}

    def nets(self) -> dict[str, int]:
        """Party -> AU that settling moves once fees were charged; zeros left out."""
        assert not self.fees(), "charge_fees comes first"
        return self.cash()

    def _of(self, event: Event, verb: str, **fields: Any) -> None:
        where = {"merchant_id": self.numbers[event.merchant], "member": event.member, "amount_minor": event.amount}
        self._ask(verb, event.event_id, event.at_ms, **where, **fields)

    def _ask(self, verb: str, name: str, at_ms: int, **fields: Any) -> bool:
        outcome = self.oracle.apply({"verb": verb, "key": f"{verb} {name}", "at_ms": at_ms, **fields})
        if "refused" in outcome:
            self.refused.append((name, outcome["refused"]))
        return "done" in outcome

    def _counted(self, counted: Counter[int]) -> dict[str, int]:
        return {code: counted[self.numbers[code]] for code in self.conditions}

    def _by_code(self, figures: dict[tuple[str, int], int]) -> dict[tuple[str, str], int]:
        codes = {number: code for code, number in self.numbers.items()}
        return {(member, codes[issuer]): points for (member, issuer), points in figures.items()}

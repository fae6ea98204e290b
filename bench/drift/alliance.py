"""The alliance on which drift is looked for, and the random commands that are played on it.

Rates are chosen so that hardly anything divides; each changes once, half-way. What a command gives back is picked from
what `exact` holds open, and whose points move from the slice, so that most commands are done and not refused. Seeded;
called by `bench.drift.play` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from bench.drift.exact import Exact
from ledger.commands import (
    AnyCommand,
    CancelRedemption,
    Earn,
    EarnRate,
    Enrol,
    Exchange,
    Expire,
    ForDays,
    OpenMerchant,
    PublishExchange,
    PublishTerms,
    Redeem,
    Refund,
    Transfer,
)
from ledger.points.lots import is_over, spendable
from ledger.slice import Lot, Slice
from proofs.kinds import ON_ISSUANCE, ON_REDEMPTION

MEMBERS = 400
RATES = ((1, 1), (7, 3), (3, 7), (99, 100), (13, 10), (1, 9), (997, 1000), (3, 2))
"""AU a point is worth, by merchant from 1."""
LATER_RATES = ((10, 9), (5, 2), (4, 9), (100, 99), (17, 13), (2, 17), (1009, 1000), (11, 7))
EARNED = ((1, 97), (3, 700), (2, 89), (1, 101), (5, 313), (7, 83), (1, 99), (1, 131))
"""Points for so many minor units."""
BACKED = frozenset({6, 7, 8})
"""Who pays for points when they are issued."""
FEES_BPS = ((200, 137), (33, 100), (175, 7), (250, 90), (1, 1), (499, 250), (123, 61), (80, 303))
"""Of redeeming and of issuing."""
BREAKAGE_BPS = 3_333
LATER_TERMS = 100
"""What is added to a number of terms by those that follow."""
AMOUNT_MINOR_MAX = 100_000
SMALL_MINOR_MAX = 400
AU_ASKED_MAX = 4_000
STEP_MS_MAX = 40_000
LOOKS_MAX = 8
WHOLE_ONE_IN = 3
SMALL_ONE_IN = 10


def founding(later_ms: int) -> Iterator[AnyCommand]:
    """Merchants, their terms up to `later_ms` and from then on, a rate for each pair, members."""
    for number, (points, per_minor) in enumerate(EARNED, start=1):
        redeeming, issuing = FEES_BPS[number - 1]
        yield OpenMerchant(
            key=f"open {number}",
            at_ms=0,
            merchant_id=number,
            code=f"c{number}",
            name=f"Merchant {number}",
            earn=EarnRate(points=points, per_minor=per_minor),
            hold_ms=0,
            validity=ForDays(days=1 + number % 4),
            redemption_fee_bps=redeeming,
            issuance_fee_bps=issuing,
            refund_policy="debt",
            transfers="all",
            breakage_bps=BREAKAGE_BPS,
        )
        mode = ON_ISSUANCE if number in BACKED else ON_REDEMPTION
        for terms_id, rates, from_ms in ((number, RATES, None), (number + LATER_TERMS, LATER_RATES, later_ms)):
            num, den = rates[number - 1]
            yield PublishTerms(
                key=f"terms {terms_id}",
                at_ms=0,
                terms_id=terms_id,
                issuer_id=number,
                au_num=num,
                au_den=den,
                mode=mode,
                from_ms=from_ms,
            )
    yield from _pairs()
    for number in range(MEMBERS):
        yield Enrol(key=f"enrol {number}", at_ms=0, member=_name(number))


def _pairs() -> Iterator[AnyCommand]:
    everybody = range(1, len(RATES) + 1)
    for one in everybody:
        for other in everybody:
            if one != other:
                key = f"rate {one} {other}"
                num, den = 3 + 5 * one, 2 + 7 * other
                yield PublishExchange(key=key, at_ms=0, from_issuer_id=one, to_issuer_id=other, num=num, den=den)


def _name(number: int) -> str:
    return f"m{number}"


@dataclass(slots=True)
class Stream:
    """One command after the other; `at_ms` is when the last one happened."""

    dice: Random
    state: Slice
    exact: Exact
    at_ms: int = 0
    serial: int = 0
    _key: str = field(default="", init=False)
    _makers: Sequence[tuple[float, Callable[[], AnyCommand | None]]] = field(init=False)
    """What is made below which chance."""

    def __post_init__(self) -> None:
        self._makers = (
            (0.30, self._earn),
            (0.46, self._refund),
            (0.66, self._redeem),
            (0.84, self._cancel),
            (0.89, self._transfer),
            (0.94, self._exchange),
            (1.0, self._expire),
        )

    def command(self) -> AnyCommand:
        """The next one."""
        self.serial += 1
        self.at_ms += self._below(STEP_MS_MAX)
        self._key = f"e{self.serial}"
        chance = self.dice.random()
        make = next(make for upto, make in self._makers if chance < upto)
        return make() or self._earn()

    def _below(self, bound: int) -> int:
        return int(self.dice.random() * bound)

    def _member(self) -> str:
        return _name(self._below(MEMBERS))

    def _merchant(self) -> int:
        return 1 + self._below(len(RATES))

    def _part_of(self, left: int) -> int:
        """All of it every third time, else anything from 1 on."""
        return left if not self._below(WHOLE_ONE_IN) else 1 + self._below(left)

    def _lot(self) -> Lot | None:
        """One of somebody's that can be spent."""
        lots = spendable(self.state.lots_of[self.state.members[self._member()] or 0], self.at_ms)
        return lots[self._below(len(lots))] if lots else None

    def _earn(self) -> AnyCommand:
        largest = AMOUNT_MINOR_MAX if self._below(SMALL_ONE_IN) else SMALL_MINOR_MAX
        return Earn(
            key=self._key,
            at_ms=self.at_ms,
            merchant_id=self._merchant(),
            member=self._member(),
            order=self._key,
            amount_minor=1 + self._below(largest),
        )

    def _refund(self) -> AnyCommand | None:
        orders = self.exact.orders.items
        if not orders:
            return None
        order = orders[self._below(len(orders))]
        return Refund(
            key=self._key,
            at_ms=self.at_ms,
            merchant_id=order.issuer,
            member=order.member,
            refund=self._key,
            order=order.name,
            amount_minor=self._part_of(order.left),
        )

    def _redeem(self) -> AnyCommand:
        return Redeem(
            key=self._key,
            at_ms=self.at_ms,
            merchant_id=self._merchant(),
            member=self._member(),
            redemption=self._key,
            au=1 + self._below(AU_ASKED_MAX),
            at_most=True,
        )

    def _cancel(self) -> AnyCommand | None:
        redemptions = self.exact.redemptions.items
        if not redemptions:
            return None
        spent = redemptions[self._below(len(redemptions))]
        au = self._part_of(spent.left)
        return CancelRedemption(
            key=self._key,
            at_ms=self.at_ms,
            merchant_id=spent.acceptor,
            redemption=spent.name,
            cancellation=self._key,
            au=None if au == spent.left else au,
        )

    def _transfer(self) -> AnyCommand | None:
        lot, to = self._lot(), self._member()
        if lot is None or to == lot.member:
            return None
        return Transfer(
            key=self._key,
            at_ms=self.at_ms,
            transfer=self._key,
            issuer_id=lot.issuer,
            from_member=lot.member,
            to_member=to,
            points=1 + self._below(lot.remaining),
        )

    def _exchange(self) -> AnyCommand | None:
        lot, to = self._lot(), self._merchant()
        if lot is None or to == lot.issuer:
            return None
        return Exchange(
            key=self._key,
            at_ms=self.at_ms,
            exchange=self._key,
            member=lot.member,
            from_issuer_id=lot.issuer,
            to_issuer_id=to,
            points=1 + self._below(lot.remaining),
        )

    def _expire(self) -> AnyCommand | None:
        for _ in range(LOOKS_MAX):
            member = self._member()
            if any(is_over(lot, self.at_ms) for lot in self.state.lots_of[self.state.members[member] or 0]):
                return Expire(key=self._key, at_ms=self.at_ms, member=member)
        return None

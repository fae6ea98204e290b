"""Exact books beside the ledger's: what every receipt must say, and what every account must hold.

An oracle of integers that shares no arithmetic with the ledger: a receipt's figures are worked out again from the
command and the rates, from them follow the balances, and remainders are kept as what is left in 1/den AU. A figure that
differs raises `Drifted`. It does not choose lots (the differential test does, `tests.properties.long_run`): which
lots gave is taken from the receipt, and how much they may give is held against the rule. Called by `bench.drift.play`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.drift.balances import Balances, Drifted, same
from bench.drift.given import BPS, Bought, Priced, Spent, Window, points_of, share, worth_of
from bench.drift.naive import PARTS, Miss, Naive
from ledger.accounts import CHAIN
from ledger.answers import Leg, Receipt
from ledger.commands import (
    AnyCommand,
    CancelRedemption,
    ChargeFees,
    Earn,
    Enrol,
    Exchange,
    Expire,
    OpenMerchant,
    PublishExchange,
    PublishTerms,
    Redeem,
    Refund,
    SettleNets,
    Transfer,
)
from ledger.slice import Slice
from proofs.accounts import OPERATOR_ID
from proofs.kinds import ON_ISSUANCE, Kind

GIVEN_BACK_MAX = 2_000
"""Orders, and redemptions, that are remembered for giving parts back."""


class Exact:
    """The books so far. `orders` and `redemptions` are those of which a part may still be given back."""

    def __init__(self) -> None:
        self.balances = Balances()
        self.merchants: dict[int, OpenMerchant] = {}
        self.rates: dict[tuple[int, int], PublishExchange] = {}
        self.orders: Window[Bought] = Window(GIVEN_BACK_MAX)
        self.redemptions: Window[Spent] = Window(GIVEN_BACK_MAX)
        self.orders_whole, self.points_whole, self.fees_whole = Miss(), Miss(), Miss()
        self.parts_max = 0

    def see(self, command: AnyCommand, receipt: Receipt) -> None:
        """One command that was done."""
        self.balances.see_postings(receipt)
        for move in receipt.lots:
            self.balances.in_lots[move.terms_id] += move.points
        self._check(command, receipt)
        for leg in receipt.legs:
            self.balances.see_leg(leg)
        if isinstance(command, ChargeFees) and any(self.balances.fees.values()):
            raise Drifted(f"fees left after a charge: {self.balances.fees}")

    def _check(self, command: AnyCommand, receipt: Receipt) -> None:
        """The receipt's figures by its verb, the most frequent first."""
        match command:
            case Earn():
                self._earn(command, receipt)
            case Refund():
                self._refund(command, receipt)
            case CancelRedemption():
                self._cancel(command, receipt)
            case Redeem():
                self._redeem(command, receipt)
            case Transfer():
                self._transfer(command, receipt)
            case Exchange():
                self._exchange(command, receipt)
            case Expire():
                self._expire(command, receipt)
            case ChargeFees():
                self._charge(receipt)
            case SettleNets():
                self._settle(command)
            case _:
                self._configure(command)

    def _configure(self, command: AnyCommand) -> None:
        match command:
            case OpenMerchant():
                self.merchants[command.merchant_id] = command
            case PublishTerms():
                self.balances.terms[command.terms_id] = command
                self.balances.terms_of[command.issuer_id].append(command)
            case PublishExchange():
                self.rates[command.from_issuer_id, command.to_issuer_id] = command
            case Enrol():
                pass
            case _:
                raise Drifted(f"{type(command).__name__} is played, and nothing is exact about it")

    def _in_force(self, issuer: int, at_ms: int) -> PublishTerms:
        return next(each for each in reversed(self.balances.terms_of[issuer]) if (each.from_ms or 0) <= at_ms)

    def _earn(self, command: Earn, receipt: Receipt) -> None:
        merchant = self.merchants[command.merchant_id]
        points = command.amount_minor * merchant.earn.points // merchant.earn.per_minor
        order = Bought(
            issuer=command.merchant_id,
            member=command.member,
            name=command.order,
            amount=command.amount_minor,
            points=points,
            terms=self._in_force(command.merchant_id, command.at_ms),
            fee_bps=merchant.issuance_fee_bps,
            left=command.amount_minor,
            fee=0,
        )
        order.fee = order.fee_of(points)
        same("points earned", receipt.why["points"], points)
        same("issuance fee", receipt.why["fee_au"], order.fee)
        legs = [(Kind.EARN, order.terms.terms_id, points, order.fee)] if points else []
        same("legs of an earn", [(leg.kind, leg.terms_id, leg.points, leg.fee_au) for leg in receipt.legs], legs)
        self.orders.add(order)

    def _refund(self, command: Refund, receipt: Receipt) -> None:
        """What stands is in proportion to what is left; so is the fee to what stands."""
        order = self.orders.by_name[str(command.order)]
        order.left -= command.amount_minor
        standing = order.standing(order.left)
        taken, fee = order.points - order.taken - standing, order.fee - order.fee_of(standing)
        same("points of a refund", (receipt.why["asked"], receipt.why["taken"]), (taken, taken))
        same("fee of a refund", receipt.why["fee_au"], -fee)
        same("legs of a refund", [sum(leg.points for leg in receipt.legs)], [taken])
        same("fees of a refund's legs", sum(leg.fee_au for leg in receipt.legs), -fee)
        order.taken += int(receipt.why["taken"])
        order.fee += int(receipt.why["fee_au"])
        order.parts += 1
        self._compare_refund(order, command.amount_minor)

    def _compare_refund(self, order: Bought, amount: int) -> None:
        earn = self.merchants[order.issuer].earn
        for at, books in enumerate(self.balances.naive):
            order.naive[at] += books.part(amount * earn.points, earn.per_minor)
        if order.left:
            return
        self.orders.remove(order)
        same("fee left of an order given back whole", order.fee, 0)
        self._whole(order.parts)
        self.orders_whole.add(order.points - order.taken)
        for books, taken in zip(self.balances.naive, order.naive, strict=True):
            books.orders.add(books.part(order.amount * earn.points, earn.per_minor) - taken)

    def _whole(self, parts: int) -> None:
        self.parts_max = max(self.parts_max, parts)

    def _redeem(self, command: Redeem, receipt: Receipt) -> None:
        """Of each leg's AU the ceiling in points and the floor in fees, out of the lots that the receipt names."""
        applied: Counter[int] = Counter()
        drawn: Counter[int] = Counter()
        for move in receipt.lots:
            applied[move.terms_id] += move.au
            drawn[move.terms_id] -= move.points
        bps = self.merchants[command.merchant_id].redemption_fee_bps
        legs = []
        for leg in receipt.legs:
            terms, au = self.balances.terms[leg.terms_id], applied[leg.terms_id]
            fee = 0 if leg.issuer == command.merchant_id else share(au, bps)
            legs.append(Priced(leg.issuer, terms, au, points_of(au, terms), fee))
        self._same_legs(Kind.REDEEM, command.merchant_id, receipt, legs, 1)
        same("points out of lots", list(drawn.values()), [leg.points for leg in legs])
        au = sum(leg.au for leg in legs)
        same("AU and fee of a redemption", (receipt.why["au"], receipt.why["fee_au"]), (au, sum(x.fee for x in legs)))
        if not 0 < au <= command.au:
            raise Drifted(f"{au} AU applied where {command.au} were asked")
        self.redemptions.add(Spent(command.merchant_id, command.redemption, bps, legs, au))

    def _same_legs(self, kind: Kind, acceptor: int, receipt: Receipt, legs: Sequence[Priced], sign: int) -> None:
        """Terms, points, AU that change hands and fees; what points are worth above the AU is dust."""
        said = [(leg.kind, leg.terms_id, leg.points, leg.au, leg.fee_au) for leg in receipt.legs]
        exact = []
        for leg in legs:
            paid = leg.issuer != acceptor or leg.terms.mode == ON_ISSUANCE
            exact.append((kind, leg.terms.terms_id, leg.points, leg.au if paid else 0, sign * leg.fee))
            self.balances.leave_dust(leg.terms, sign * leg.points, sign * leg.au)
        same(f"legs {kind.name}", said, exact)

    def _cancel(self, command: CancelRedemption, receipt: Receipt) -> None:
        """The difference between what it was and what it would have been without this part."""
        spent = self.redemptions.by_name[command.redemption]
        before = list(spent.standing(spent.left))
        spent.left -= command.au or spent.left
        after = spent.standing(spent.left)
        back = [was.less(now) for was, now in zip(before, after, strict=True) if was.au != now.au]
        self._same_legs(Kind.REFUND_REDEEM, spent.acceptor, receipt, back, -1)
        points, fee = sum(leg.points for leg in back), sum(leg.fee for leg in back)
        why = receipt.why
        same("AU left", why["left_au"], spent.left)
        same("points given back", int(why["restored"]) + int(why["repaid"]), points)
        same("fee given back", why["fee_au"], -fee)
        spent.restored += int(why["restored"]) + int(why["repaid"])
        spent.fee -= int(why["fee_au"])
        spent.parts += 1
        for terms_id, repaid in self._in_no_lot(receipt).items():
            self.balances.free(self.balances.terms[terms_id], repaid)
        self._compare_cancel(spent, back)

    def _in_no_lot(self, receipt: Receipt) -> Counter[int]:
        """Points by terms that came back and reached no lot, for they repaid a debt."""
        points: Counter[int] = Counter()
        for leg in receipt.legs:
            points[leg.terms_id] += leg.points
        for move in receipt.lots:
            points[move.terms_id] -= move.points
        return +points

    def _compare_cancel(self, spent: Spent, back: Sequence[Priced]) -> None:
        for at, books in enumerate(self.balances.naive):
            points, fee = _priced(books, spent, back)
            spent.naive_points[at] += points
            spent.naive_fees[at] += fee
        if spent.left:
            return
        self.redemptions.remove(spent)
        self._whole(spent.parts)
        self.points_whole.add(sum(leg.points for leg in spent.legs) - spent.restored)
        self.fees_whole.add(sum(leg.fee for leg in spent.legs) - spent.fee)
        for at, books in enumerate(self.balances.naive):
            points, fee = _priced(books, spent, spent.legs)
            books.points.add(points - spent.naive_points[at])
            books.fees.add(fee - spent.naive_fees[at])

    def _transfer(self, command: Transfer, receipt: Receipt) -> None:
        """What leaves one member arrives at the other, under the same terms."""
        moved: dict[Kind, list[tuple[int, int]]] = {Kind.TRANSFER_OUT: [], Kind.TRANSFER_IN: []}
        for leg in receipt.legs:
            moved[Kind(leg.kind)].append((leg.terms_id, leg.points))
        same("points that arrive", moved[Kind.TRANSFER_IN], moved[Kind.TRANSFER_OUT])
        same("points transferred", sum(points for _, points in moved[Kind.TRANSFER_OUT]), command.points)

    def _exchange(self, command: Exchange, receipt: Receipt) -> None:
        """No more is given than the rate gives for what is taken, and where every number of points can be a leg no
        point is taken that gives nothing.
        """
        rate = self.rates[command.from_issuer_id, command.to_issuer_id]
        outs = [leg for leg in receipt.legs if leg.kind == Kind.EXCHANGE_OUT]
        for leg in outs:
            terms = self.balances.terms[leg.terms_id]
            same(
                "AU of what is taken in", (leg.au, leg.points), (worth_of(leg.points, terms), points_of(leg.au, terms))
            )
            self.balances.leave_dust(terms, leg.points, leg.au)
        taken, given = sum(leg.points for leg in outs), int(receipt.why["given"])
        same("points taken", receipt.why["taken"], taken)
        same("points given", [leg.points for leg in receipt.legs if leg.kind == Kind.EXCHANGE_IN], [given])
        if not 0 < taken <= command.points or given * rate.den > taken * rate.num:
            raise Drifted(f"{given} given for {taken} of {command.points} at {rate.num}/{rate.den}")
        if all(self.balances.terms[leg.terms_id].au_num >= self.balances.terms[leg.terms_id].au_den for leg in outs):
            same("the fewest points for as many", taken, -(-given * rate.den // rate.num))

    def _expire(self, command: Expire, receipt: Receipt) -> None:
        """All that the lots had, and of what returns from the reserve all but the issuer's floored part."""
        same("points that end", sum(x.points for x in receipt.legs), -sum(move.points for move in receipt.lots))
        for leg in receipt.legs:
            same(f"lots of {command.member} that are over", leg.member, command.member)
            kept = self.merchants[leg.issuer].breakage_bps
            same("the operator's share", leg.fee_au, leg.au - share(leg.au, BPS - kept))

    def _charge(self, receipt: Receipt) -> None:
        """Whatever accrued, to the AU, in one leg of each merchant that has any."""
        accrued = {party: au for party, au in self.balances.fees.items() if au and party != OPERATOR_ID}
        same("fees charged", {_other(leg): _into_operator(leg) for leg in receipt.legs}, _negated(accrued))

    def _settle(self, command: SettleNets) -> None:
        for net in command.nets:
            self.balances.settled[net.merchant_id] += net.au
            self.balances.settled[CHAIN] -= net.au

    def told(self, state: Slice) -> dict[str, Any]:
        """The ledger's figures and those of the other books, for the record."""
        own = self.balances
        ledger = {
            "orders, points": self.orders_whole.told(),
            "redemptions, points": self.points_whole.told(),
            "redemptions, fees in AU": self.fees_whole.told(),
            "worthOffAu": own.rounding_off(state),
        }
        others = zip(PARTS, own.naive, strict=True)
        return {"ledger": ledger} | {name: books.told(own.terms, own.points) for name, books in others}


def _priced(books: Naive, spent: Spent, legs: Sequence[Priced]) -> tuple[Any, Any]:
    """Points and fees of these legs as the naive books have them, each leg on its own."""
    points = sum(books.part(leg.au * leg.terms.au_den, leg.terms.au_num) for leg in legs)
    fees = sum(books.part(leg.au * spent.fee_bps, BPS) for leg in legs if leg.issuer != spent.acceptor)
    return points, fees


def _other(leg: Leg) -> int:
    return leg.issuer if leg.signer == OPERATOR_ID else leg.signer


def _into_operator(leg: Leg) -> int:
    return -leg.au if leg.signer == OPERATOR_ID else leg.au


def _negated(accrued: dict[int, int]) -> dict[int, int]:
    return {party: -au for party, au in accrued.items()}

"""Random commands: one maker for each verb, aimed at what exists so that most commands can be done, and not always."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache

from tests.oracle.limits import headroom, promised
from tests.oracle.tiers import bought
from tests.properties.promises import HOUR_MS
from tests.properties.settings import Settings
from tests.properties.worlds import DAY_MS, Plain

HOLDS_MS = (HOUR_MS,) * 3 + (DAY_MS, 2 * DAY_MS, 5 * DAY_MS) * 4 + (31 * DAY_MS, 0, 31 * DAY_MS + 1)
STAFF = ("ann", "bob", "eve")
STEPS_MS = (0, 0, 0, 1, HOUR_MS // 6, HOUR_MS // 3, HOUR_MS, -HOUR_MS // 2)


class Choices(Settings):
    """What may be asked next: the clock leaps forward, often to somebody's midnight, and sometimes a little back."""

    def command(self, verbs: Collection[str]) -> Plain:
        """The next command, of one of `verbs`."""
        if self.oracle.answers and self.chance(4):
            return self.again()
        self.serial += 1
        self.at_ms = self.later()
        verb = self.dice.choice(weighted(frozenset(verbs)))
        fields = MAKERS[verb](self)
        return {"key": f"k{self.serial}", "at_ms": self.at_ms, "verb": verb, **fields}

    def later(self) -> int:
        if self.chance(9):
            return self.midnight() if self.chance(50) else self.end_of_something()
        return max(0, self.at_ms + (DAY_MS if self.chance(1) else self.dice.choice(STEPS_MS)))

    def end_of_something(self) -> int:
        """Round about the moment at which points or a hold are over, or an order can be confirmed, if that is to come
        and not far away.
        """
        books = self.oracle.books
        ends = [lot.expires_ms or 0 for lot in books.all_lots()]
        ends += [draw.hold_until_ms for draw in books.draws.values() if draw.is_held()]
        ends += [order.confirm_from_ms for order in books.orders.values() if order.is_pending()]
        soon = [end for end in ends if self.at_ms < end < self.at_ms + DAY_MS]
        return (self.dice.choice(soon) if soon else self.at_ms + 1) + self.dice.choice((-1, 0, 1))

    def again(self) -> Plain:
        """An earlier command once more: as it was, at another time, or under another key."""
        command, _ = self.oracle.answers[self.one_of(list(self.oracle.answers))]
        self.serial += 1
        changes: tuple[Plain, ...] = ({}, {"at_ms": command["at_ms"] + 1}, {"key": f"k{self.serial}"})
        return {**command, **self.dice.choice(changes)}

    def earn(self) -> Plain:
        amount = self.dice.choice((1, 99, 2_999, 10_000, self.dice.randrange(1, 60_000)))
        member = self.member()
        told = {"merchant_id": self.merchant(), "member": member, "order": self.name(), "amount_minor": amount}
        return told | ({"particulars": self.particulars(member, self.at_ms)} if self.chance(80) else {})

    def of_order(self) -> Plain:
        """An order, most likely pending; the clock most likely leaps to the end of its hold."""
        anything = self.chance(8)
        orders = [name for name, order in self.oracle.books.orders.items() if anything or order.is_pending()]
        merchant, order = self.one_of(orders) if orders and self.chance(98) else (self.merchant(), "missing")
        if (merchant, order) in self.oracle.books.orders and self.chance(50):
            self.at_ms = max(self.at_ms, self.oracle.books.orders[merchant, order].confirm_from_ms)
        return {"order_merchant_id": merchant, "order": order}

    def refund(self) -> Plain:
        name = self.order()
        order = self.oracle.books.orders.get(name)
        amount, member = (order.amount, order.member) if order else (100, self.member())
        part = max(1, amount // self.dice.choice((1, 2, 3, 7)))
        return {
            "merchant_id": name[0],
            "member": member if self.chance(97) else self.member(),
            "refund": self.name(),
            "order": name[1] if self.chance(92) else None,
            "amount_minor": part,
        }

    def redeem(self) -> Plain:
        """Of whoever, for whatever; or of somebody with points of an issuer whose collateral is bounded, for just what
        that bears; or with a lot that is just over.
        """
        asked = {
            "merchant_id": self.merchant(),
            "member": self.member(),
            "redemption": self.name(),
            "au": self.dice.choice((1, 2, 50, self.dice.randrange(1, 900))),
            "at_most": self.chance(60),
            "over_limit": self.dice.choice(("skip", "decline")),
        }
        if self.chance(25):
            return asked | self.up_to_the_limit()
        return asked | (self.just_over() if self.chance(15) else {})

    def up_to_the_limit(self) -> Plain:
        """Of an issuer of whom most is held, if there is one; as much as it bears, or a little more."""
        books = self.oracle.books
        rooms = {number: room for number in books.merchants if (room := headroom(books, number)) is not None}
        holders = [pair for pair, points in self.oracle.balances().items() if points > 0 and pair[1] in rooms]
        if not holders:
            return {}
        held = {pair[1]: promised(books, pair[1]) for pair in holders}
        most = max(held.values())
        member, issuer = self.dice.choice([pair for pair in holders if held[pair[1]] == most or self.chance(30)])
        more = self.dice.choice((0, 0, 1, max(1, held[issuer])))
        au = max(1, rooms[issuer] + more) // self.dice.choice((1, 1, 2))
        return {"merchant_id": 1 + issuer % 6, "member": member, "au": max(1, au), "at_most": self.chance(90)}

    def just_over(self) -> Plain:
        lots = [lot for lot in self.oracle.books.all_lots() if lot.left]
        if not lots:
            return {}
        lot = self.dice.choice(lots)
        return {"member": lot.member, "at_ms": max(0, (lot.expires_ms or 0) + self.dice.choice((-1, 0, 1)))}

    def authorize(self) -> Plain:
        asked = self.redeem()
        return asked | {"hold_until_ms": asked.get("at_ms", self.at_ms) + self.dice.choice(HOLDS_MS)}

    def of_hold(self) -> Plain:
        merchant, redemption = self.draw("held")
        return {"merchant_id": merchant, "redemption": redemption} | self.at_the_end(merchant, redemption)

    def capture(self) -> Plain:
        """Mostly of one that is not over."""
        draws = self.oracle.books.draws.items()
        running = [name for name, draw in draws if draw.state == "held" and draw.hold_until_ms > self.at_ms]
        asked = self.of_hold()
        if running and self.chance(75):
            merchant, redemption = self.dice.choice(running)
            asked = {"merchant_id": merchant, "redemption": redemption}
        return asked | {"au": self.part_of((asked["merchant_id"], asked["redemption"]))}

    def at_the_end(self, merchant: int, redemption: str) -> Plain:
        """Now and then round about the moment at which the hold is over."""
        draw = self.oracle.books.draws.get((merchant, redemption))
        if draw is None or not self.chance(15):
            return {}
        return {"at_ms": max(0, draw.hold_until_ms + self.dice.choice((-1, 0, 1)))}

    def cancel_redemption(self) -> Plain:
        name = self.draw("captured")
        return {
            "merchant_id": name[0],
            "redemption": name[1],
            "cancellation": self.name(),
            "au": self.part_of(name),
        }

    def dispute(self) -> Plain:
        name = self.draw("captured")
        draw = self.oracle.books.draws.get(name)
        issuers = [part.lot.issuer for part in draw.parts] if draw and draw.parts else [self.merchant()]
        by = self.dice.choice(issuers) if self.chance(90) else self.merchant()
        return {"merchant_id": name[0], "redemption": name[1], "by_merchant_id": by}

    def resolve_dispute(self) -> Plain:
        name = self.draw("disputed")
        return {"merchant_id": name[0], "redemption": name[1], "stands": self.chance(50)}

    def transfer(self) -> Plain:
        giver, issuer = self.holder()
        asked = {"transfer": self.name_for("transfer", issuer), "issuer_id": issuer, "points": self.points()}
        if self.chance(20):
            family = self.dice.choice(("m4", "m5"))
            return asked | {"issuer_id": 4, "from_member": family, "to_member": "m5" if family == "m4" else "m4"}
        return asked | {"from_member": giver, "to_member": self.member()}

    def exchange(self) -> Plain:
        member, issuer = self.holder()
        rates = [rate["to_issuer_id"] for rate in self.oracle.books.exchanges if rate["from_issuer_id"] == issuer]
        return {
            "exchange": self.name_for("exchange", issuer),
            "member": member,
            "from_issuer_id": issuer,
            "to_issuer_id": self.dice.choice(rates) if rates and self.chance(90) else self.merchant(),
            "points": self.points(),
        }

    def adjust(self) -> Plain:
        issuer = self.dice.choice((1, 4)) if self.chance(40) else self.merchant()
        return {
            "adjustment": self.name_for("adjustment", issuer),
            "issuer_id": issuer,
            "member": self.member(),
            "points": self.points() * self.dice.choice((1, -1)) if self.chance(98) else 0,
            "reason": "counted again",
            "by": self.dice.choice(STAFF),
        }

    def of_adjustment(self) -> Plain:
        waiting = list(self.oracle.books.waiting)
        issuer, name = self.one_of(waiting) if waiting and self.chance(95) else (self.merchant(), "missing")
        if name == "missing" and self.chance(50):
            name = self.name_for("adjustment", issuer, again=100)
        return {"adjustment": name, "issuer_id": issuer, "by": self.dice.choice(STAFF)}

    def open_balance(self) -> Plain:
        expires = self.at_ms + self.dice.choice((0, DAY_MS, 3 * DAY_MS))
        return {
            "source": "old" if self.chance(30) else self.name(),
            "issuer_id": self.merchant(),
            "member": self.member(),
            "points": self.points(),
            "expires_at_ms": self.dice.choice((None, expires)),
        }

    def bind_referral(self) -> Plain:
        return {"member": self.member(), "referrer": self.member()}

    def evaluate_tier(self) -> Plain:
        """Mostly of somebody who has a tier to lose, when a purchase leaves the window, or when the grace is over."""
        settings, tiers = self.oracle.books.tiers, self.oracle.books.tier
        known = [lot for member in tiers for lot in bought(self.oracle.books, member)]
        if settings is None or not known or self.chance(30):
            return self.of_member()
        lot = self.one_of(known)
        leaves = (lot.confirmed_ms or 0) + settings["window_ms"] + self.dice.choice((-1, 0, 1))
        return {"member": lot.member, "at_ms": leaves + self.dice.choice((0, settings["grace_ms"]))}

    def of_member(self) -> Plain:
        return {"member": self.member()}

    def unfreeze_member(self) -> Plain:
        frozen = sorted(self.oracle.books.frozen)
        return {"member": self.dice.choice(frozen) if frozen and self.chance(90) else self.member()}

    def freeze_member(self) -> Plain:
        return {"member": self.member(), "reason": "asked"}

    def merge(self) -> Plain:
        """Mostly a newcomer and somebody, one way or the other."""
        pair = [self.newcomer(), self.member()]
        self.dice.shuffle(pair)
        return {"member": pair[0], "into": pair[1]}

    def unmerge(self) -> Plain:
        merged = sorted(self.oracle.books.means)
        return {"member": self.dice.choice(merged) if merged and self.chance(90) else self.member()}

    def open_pool(self) -> Plain:
        return {"pool": self.name(), "owner": self.member(), "day_points_max": self.points()}

    def of_pool(self) -> Plain:
        pools = list(self.oracle.books.pools)
        pool = self.one_of(pools) if pools and self.chance(97) else "missing"
        return {"pool": pool, "member": self.member()}

    def enrol(self) -> Plain:
        return {"member": self.member() if self.chance(50) else self.name()}

    def close_member(self) -> Plain:
        """Mostly somebody who came only to go, or has used up everything."""
        paid = [draw.member for draw in self.oracle.books.draws.values() if draw.state == "captured"]
        return {"member": self.one_of(paid) if paid and self.chance(30) else self.newcomer()}


MAKERS: dict[str, Callable[[Choices], Plain]] = {
    "earn": Choices.earn,
    "confirm": Choices.of_order,
    "cancel_pending": Choices.of_order,
    "refund": Choices.refund,
    "redeem": Choices.redeem,
    "authorize": Choices.authorize,
    "capture": Choices.capture,
    "void": Choices.of_hold,
    "lapse_hold": Choices.of_hold,
    "cancel_redemption": Choices.cancel_redemption,
    "dispute": Choices.dispute,
    "resolve_dispute": Choices.resolve_dispute,
    "transfer": Choices.transfer,
    "exchange": Choices.exchange,
    "expire": Choices.of_member,
    "adjust": Choices.adjust,
    "approve_adjustment": Choices.of_adjustment,
    "reject_adjustment": Choices.of_adjustment,
    "publish_rule": Choices.publish_rule,
    "withdraw_rule": Choices.withdraw_rule,
    "observe": Choices.observe,
    "open_balance": Choices.open_balance,
    "open_merchant": Choices.open_merchant,
    "set_tiers": Choices.set_tiers,
    "enrol": Choices.enrol,
    "bind_referral": Choices.bind_referral,
    "freeze_member": Choices.freeze_member,
    "unfreeze_member": Choices.unfreeze_member,
    "close_member": Choices.close_member,
    "merge": Choices.merge,
    "unmerge": Choices.unmerge,
    "open_pool": Choices.open_pool,
    "join_pool": Choices.of_pool,
    "leave_pool": Choices.of_pool,
    "evaluate_tier": Choices.evaluate_tier,
    "publish_terms": Choices.publish_terms,
    "publish_exchange": Choices.publish_exchange,
    "publish_campaign": Choices.publish_campaign,
    "stop_campaign": Choices.stop_campaign,
    "set_collateral": Choices.set_collateral,
    "freeze_merchant": Choices.freeze_merchant,
    "unfreeze_merchant": Choices.unfreeze_merchant,
    "close_merchant": Choices.of_merchant,
    "charge_fees": Choices.charge_fees,
    "settle_nets": Choices.settle_nets,
}
"""Every verb that happens after the opening."""
WEIGHTS = dict.fromkeys(MAKERS, 2) | {
    "earn": 24,
    "confirm": 12,
    "refund": 12,
    "redeem": 14,
    "authorize": 10,
    "capture": 6,
    "void": 1,
    "lapse_hold": 1,
    "cancel_redemption": 8,
    "transfer": 6,
    "exchange": 6,
    "expire": 6,
    "open_merchant": 1,
    "set_tiers": 1,
    "stop_campaign": 1,
    "freeze_merchant": 2,
    "unfreeze_merchant": 3,
    "unmerge": 8,
    "close_merchant": 1,
    "close_member": 1,
    "publish_campaign": 1,
    "publish_exchange": 1,
    "publish_rule": 8,
    "withdraw_rule": 1,
    "observe": 16,
    "evaluate_tier": 4,
    "freeze_member": 1,
    "settle_nets": 4,
    "adjust": 4,
    "approve_adjustment": 3,
}
"""How often each is thrown, against the others."""


@cache
def weighted(verbs: frozenset[str]) -> list[str]:
    """Each of `verbs` as often as it weighs."""
    return [verb for verb, weight in WEIGHTS.items() if verb in verbs for _ in range(weight)]

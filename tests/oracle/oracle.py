"""The oracle: a plain command in, `done` or a refusal's code out, and everything a test may want to compare.

A command is a dictionary with the ledger's field names, `verb` among them, every field present. What it must satisfy by
its type alone is not asked again here. Invariants: a key is answered once; what is refused changes nothing.

The two modes differ in who pays when. On redemption the issuer pays who accepts its points. On issuance it pays the
reserve, and the reserve pays: a confirmation costs par for what becomes a lot and nothing for what repays a debt, a
claw-back or an expiry returns what came out of lots. July's finals agree in every figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.oracle import correcting, earning, founding, merging, moving, observing, people, spending, tiers
from tests.oracle.books import Books, Command, No
from tests.oracle.pricing import balances, given, held, legs, points_in_lots, worth
from tests.oracle.reserve import slack

Outcome = dict[str, Any]

VERBS: dict[str, Callable[[Books, Command], None]] = {
    verb.__name__: verb
    for verb in (
        founding.open_merchant,
        founding.publish_terms,
        founding.publish_campaign,
        founding.stop_campaign,
        founding.freeze_merchant,
        founding.set_collateral,
        founding.unfreeze_merchant,
        founding.close_merchant,
        founding.publish_exchange,
        tiers.set_tiers,
        tiers.evaluate_tier,
        merging.merge,
        merging.unmerge,
        people.enrol,
        people.bind_referral,
        people.freeze_member,
        people.unfreeze_member,
        people.close_member,
        people.open_pool,
        people.join_pool,
        people.leave_pool,
        founding.charge_fees,
        founding.settle_nets,
        earning.earn,
        earning.confirm,
        earning.cancel_pending,
        earning.refund,
        correcting.open_balance,
        correcting.adjust,
        correcting.approve_adjustment,
        correcting.reject_adjustment,
        spending.redeem,
        spending.authorize,
        spending.capture,
        spending.void,
        spending.lapse_hold,
        spending.cancel_redemption,
        spending.dispute,
        spending.resolve_dispute,
        observing.publish_rule,
        observing.withdraw_rule,
        observing.observe,
        moving.transfer,
        moving.exchange,
        moving.expire,
    )
}


@dataclass
class Oracle:
    """The books and the answers given so far."""

    books: Books = field(default_factory=Books)
    answers: dict[str, tuple[Command, Outcome]] = field(default_factory=dict)

    def apply(self, command: Command) -> Outcome:
        """`{"done": True, "clearing": {party: AU}}`, with what rules said where they said anything, or
        `{"refused": code}`; the first answer when the key is known.
        """
        first = self.answers.get(command["key"])
        if first is None:
            outcome = self._first_time(command)
            self.answers[command["key"]] = (command, outcome)
            return outcome
        return first[1] if first[0] == command else {"refused": "key-reused"}

    def _first_time(self, command: Command) -> Outcome:
        before, self.books.said = self.books.positions(), {}
        try:
            VERBS[command["verb"]](self.books, command)
        except No as no:
            return {"refused": no.code}
        assert not slack(self.books)
        self.books.touched |= self.debts().keys()
        cleared = {"done": True, "clearing": difference(before, self.books.positions())}
        return cleared | {"rules": self.books.said} if self.books.said else cleared

    def dust(self) -> dict[int, int]:
        """Terms -> what belongs to their issuer below a point, in 1/au_den AU; zeros left out."""
        return {terms_id: rest for terms_id, rest in self.books.dust.items() if rest}

    def positive_lots_au(self) -> int:
        """What all lots are worth."""
        return sum(worth(points, self.books.terms[terms_id]) for terms_id, points in points_in_lots(self.books).items())

    def balances(self) -> dict[tuple[str, int], int]:
        """(member, issuer) -> points in lots and held, less debts; zeros left out."""
        return balances(self.books)

    def held(self) -> dict[tuple[str, int], int]:
        """(member, issuer) -> points promised or in dispute; zeros left out."""
        return held(self.books)

    def debts(self) -> dict[tuple[str, int], int]:
        """(member, issuer) -> points owed; zeros left out."""
        return {pair: points for pair, points in self.books.debts.items() if points}

    def legs(self, merchant: int, redemption: str) -> list[tuple[int, int, int]]:
        """(issuer, points, AU) of each leg of a redemption as it stands, in the order drawn."""
        parts = self.books.draws[merchant, redemption].parts
        points: Counter[int] = Counter()
        for lot, each in given(self.books, parts).items():
            points[lot.terms_id] += each
        return [(self.books.terms[terms_id]["issuer_id"], points[terms_id], au) for terms_id, au in legs(parts).items()]

    def closing(self, issuer: int) -> int:
        """Points of the issuer in members' hands, less what they owe: its roll-forward."""
        books = self.books
        came = books.issued[issuer] + books.adjusted[issuer] + books.exchanged[issuer]
        return came - books.redeemed[issuer] - books.clawed_back[issuer] - books.expired[issuer]


def difference(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    """What changed, zeros left out."""
    return {
        key: after.get(key, 0) - before.get(key, 0) for key in {*before, *after} if after.get(key) != before.get(key)
    }

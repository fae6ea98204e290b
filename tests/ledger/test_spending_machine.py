"""The machine of `test_book_machine` with holds, captures, cancellations and disputes on top, and one issuer that pays
on issuance: every invariant of before, and that records, accounts, lots and the reserve tell the same story.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from typing_extensions import override

from ledger.answers import Answer, Receipt
from ledger.commands import (
    Authorize,
    CancelRedemption,
    Capture,
    Command,
    Confirm,
    Dispute,
    Earn,
    LapseHold,
    Redeem,
    ResolveDispute,
    Void,
)
from ledger.points.redemptions import CAPTURED, DISPUTED, HELD, name
from ledger.records import Redemption
from proofs.kinds import ON_ISSUANCE
from tests.ledger.promises import expect_promises_kept
from tests.ledger.random_commands import MEMBERS, MERCHANTS
from tests.ledger.scene import DAY, rate
from tests.ledger.test_book_machine import BookMachine, merchants

MADE = tuple[int, str]
RICH = MEMBERS[:3]
rich = st.sampled_from(RICH)
indices = st.integers(0, 1_000)
parts = st.one_of(st.none(), st.integers(1, 400))


def some_made(machine: SpendingMachine) -> bool:
    return bool(machine.made)


class SpendingMachine(BookMachine):
    """Redemptions by (acceptor, name), however they were made; a few members have points of everybody to start with."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[MADE] = []

    @initialize()
    @override
    def open(self) -> None:
        super().open()
        answer = self.scene.book.apply(rate(1, 5, 2, key="backed", terms_id=11, mode=ON_ISSUANCE))
        assert isinstance(answer.outcome, Receipt)
        for member in RICH:
            for merchant in MERCHANTS:
                self.fund(merchant, member)

    def fund(self, merchant: int, member: str) -> None:
        order, amount = f"fund-{member}", 20_000
        self.paid[merchant, order] = amount
        command = Earn(key=self.key(), at_ms=0, merchant_id=merchant, member=member, order=order, amount_minor=amount)
        assert isinstance(self.ask(command).outcome, Receipt)
        self.ask(Confirm(key=self.key(), at_ms=DAY, order_merchant_id=merchant, order=order))

    @rule(member=rich, merchant=merchants, amount=st.one_of(st.just(20_000), st.integers(1, 20_000)))
    def refund_what_was_funded(self, member: str, merchant: int, amount: int) -> None:
        self.refund((merchant, member, f"fund-{member}"), amount)

    def record(self, made: MADE) -> Redemption:
        record = self.scene.book.slice.records[name(*made)]
        assert isinstance(record, Redemption)
        return record

    def pick(self, index: int, *states: str) -> MADE:
        """One of the redemptions made, mostly one in these states; of every few any one, whatever became of it."""
        wanted = [made for made in self.made if self.record(made).state in states]
        among = wanted if wanted and index % 7 else self.made
        return among[index % len(among)]

    def ask_about(self, made: MADE, command: Command) -> Answer:
        """Apply; what is left of the redemption adds up."""
        answer = self.ask(command)
        draws = self.record(made).draws
        assert all(each.points > 0 and each.au > 0 for each in draws)
        assert all(sum(lot.points for lot in each.lots) == each.points for each in draws)
        assert all(sum(lot.au for lot in each.lots) == each.au for each in draws)
        return answer

    @rule(member=rich, merchant=merchants, au=st.integers(1, 300), at_most=st.booleans())
    def authorize(self, member: str, merchant: int, au: int, *, at_most: bool) -> None:
        key = self.key()
        answer = self.ask(
            Authorize(
                key=key,
                at_ms=self.at,
                merchant_id=merchant,
                member=member,
                redemption=key,
                au=au,
                hold_until_ms=self.at + DAY,
                at_most=at_most,
            )
        )
        if isinstance(answer.outcome, Receipt):
            self.made.append((merchant, key))

    @rule(member=rich, merchant=merchants, au=st.integers(1, 300))
    def redeem_to_argue_about(self, member: str, merchant: int, au: int) -> None:
        key = self.key()
        answer = self.ask(
            Redeem(key=key, at_ms=self.at, merchant_id=merchant, member=member, redemption=key, au=au, at_most=True)
        )
        if isinstance(answer.outcome, Receipt):
            self.made.append((merchant, key))

    @precondition(some_made)
    @rule(index=indices, au=parts)
    def capture(self, index: int, au: int | None) -> None:
        made = self.pick(index, HELD)
        before = self.record(made)
        answer = self.ask_about(
            made, Capture(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1], au=au)
        )
        if isinstance(answer.outcome, Receipt):
            assert before.state == HELD

    @precondition(some_made)
    @rule(index=indices)
    def void(self, index: int) -> None:
        made = self.pick(index, HELD)
        self.ask_about(made, Void(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1]))

    @precondition(some_made)
    @rule(index=indices)
    def lapse(self, index: int) -> None:
        made = self.pick(index, HELD)
        self.ask_about(made, LapseHold(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1]))

    @precondition(some_made)
    @rule(index=indices, au=parts)
    def cancel(self, index: int, au: int | None) -> None:
        made = self.pick(index, CAPTURED)
        key = self.key()
        self.ask_about(
            made,
            CancelRedemption(key=key, at_ms=self.at, merchant_id=made[0], redemption=made[1], cancellation=key, au=au),
        )

    @precondition(some_made)
    @rule(index=indices, by=merchants)
    def dispute(self, index: int, by: int) -> None:
        made = self.pick(index, CAPTURED)
        command = Dispute(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1], by_merchant_id=by)
        self.ask_about(made, command)

    @precondition(some_made)
    @rule(index=indices, stands=st.booleans())
    def resolve(self, index: int, *, stands: bool) -> None:
        made = self.pick(index, DISPUTED)
        before = self.record(made)
        command = ResolveDispute(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1], stands=stands)
        answer = self.ask_about(made, command)
        after = self.record(made)
        if isinstance(answer.outcome, Receipt) and stands:
            assert after.state == CAPTURED
            assert [(each.points, each.au) for each in after.draws] == [(each.points, each.au) for each in before.draws]

    @invariant()
    def promises_are_kept(self) -> None:
        expect_promises_kept(self.scene.book.slice)

    @override
    def key(self) -> str:
        return f"s{super().key()}"


SpendingMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, suppress_health_check=[HealthCheck.too_slow]
)
TestSpending = SpendingMachine.TestCase

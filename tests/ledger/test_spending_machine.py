"""The machine of `test_book_machine` with holds, captures, cancellations and disputes on top, and one issuer that pays
on issuance: every invariant of before, and that records, accounts, lots and the reserve tell the same story.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, rule
from typing_extensions import override

from ledger.answers import Answer, Receipt
from ledger.commands import Authorize, CancelRedemption, Capture, Command, Dispute, LapseHold, ResolveDispute, Void
from ledger.records import Redemption
from ledger.redemptions import CAPTURED, HELD, name
from proofs.kinds import ON_ISSUANCE
from tests.ledger.promises import expect_promises_kept
from tests.ledger.scene import DAY, rate
from tests.ledger.test_book_machine import BookMachine, members, merchants

MADE = tuple[int, str]
parts = st.one_of(st.none(), st.integers(1, 400))


class SpendingMachine(BookMachine):
    """Redemptions by (acceptor, name), however they were made."""

    made: Bundle[MADE] = Bundle("made")

    @initialize()
    @override
    def open(self) -> None:
        super().open()
        answer = self.scene.book.apply(rate(1, 5, 2, key="backed", terms_id=11, mode=ON_ISSUANCE))
        assert isinstance(answer.outcome, Receipt)

    def record(self, made: MADE) -> Redemption | None:
        return self.scene.book.slice.records[name(*made)]

    def ask_about(self, made: MADE, command: Command) -> Answer:
        """Apply; a redemption that was refused or is gone is told so, and what is left is never below nothing."""
        before = self.record(made)
        answer = self.ask(command)
        after = self.record(made)
        if before is None:
            assert getattr(answer.outcome, "code", None) == "redemption-unknown"
        if after is not None:
            assert all(each.points > 0 and each.au > 0 for each in after.draws)
            assert all(sum(lot.points for lot in each.lots) == each.points for each in after.draws)
            assert all(sum(lot.au for lot in each.lots) == each.au for each in after.draws)
        return answer

    @rule(target=made, member=members, merchant=merchants, au=st.integers(1, 900), at_most=st.booleans())
    def authorize(self, member: str, merchant: int, au: int, *, at_most: bool) -> MADE:
        key = self.key()
        self.ask(
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
        return merchant, key

    @rule(target=made, member=members, merchant=merchants, au=st.integers(1, 900))
    def redeem_to_argue_about(self, member: str, merchant: int, au: int) -> MADE:
        command, _ = self.redeem(member, merchant, au, at_most=True)
        return merchant, command.key

    @rule(made=made, au=parts)
    def capture(self, made: MADE, au: int | None) -> None:
        before = self.record(made)
        answer = self.ask_about(
            made, Capture(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1], au=au)
        )
        if isinstance(answer.outcome, Receipt):
            assert before is not None
            assert before.state == HELD

    @rule(made=made)
    def void(self, made: MADE) -> None:
        self.ask_about(made, Void(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1]))

    @rule(made=made)
    def lapse(self, made: MADE) -> None:
        self.ask_about(made, LapseHold(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1]))

    @rule(made=made, au=parts)
    def cancel(self, made: MADE, au: int | None) -> None:
        key = self.key()
        self.ask_about(
            made,
            CancelRedemption(key=key, at_ms=self.at, merchant_id=made[0], redemption=made[1], cancellation=key, au=au),
        )

    @rule(made=made, by=merchants)
    def dispute(self, made: MADE, by: int) -> None:
        command = Dispute(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1], by_merchant_id=by)
        self.ask_about(made, command)

    @rule(made=made, stands=st.booleans())
    def resolve(self, made: MADE, *, stands: bool) -> None:
        before = self.record(made)
        command = ResolveDispute(key=self.key(), at_ms=self.at, merchant_id=made[0], redemption=made[1], stands=stands)
        answer = self.ask_about(made, command)
        after = self.record(made)
        if isinstance(answer.outcome, Receipt) and stands:
            assert before is not None
            assert after is not None
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

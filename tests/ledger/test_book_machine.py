"""Hypothesis plays random commands on the pure book and asks for every invariant of the rule book after each step.

The refund target is what matters most: the machine remembers orders, so that most refunds and confirmations hit one.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from ledger.accounts import CHAIN, Family, cash, held, rounding, settled
from ledger.answers import Answer, Receipt
from ledger.commands import (
    Adjust,
    CancelPending,
    ChargeFees,
    Command,
    Confirm,
    Earn,
    Exchange,
    Expire,
    JoinPool,
    LeavePool,
    Net,
    OpenBalance,
    OpenPool,
    Redeem,
    Refund,
    SettleNets,
    Transfer,
)
from ledger.records import Redemption
from proofs.accounts import RESERVE_ID
from proofs.kinds import ADDS, MAY_OWE, ON_ISSUANCE, Kind
from tests.ledger.random_commands import MEMBERS, MERCHANTS, opening_commands
from tests.ledger.random_moves import PAIRS
from tests.ledger.scene import DAY, Scene, changed

ORDER = tuple[int, str, str]
members, merchants = st.sampled_from(MEMBERS), st.sampled_from(MERCHANTS)
amounts = st.one_of(st.integers(1, 60_000), st.sampled_from([1, 99, 100, 10_000]))


class BookMachine(RuleBasedStateMachine):
    """A book, everything it was asked with its first answer, and a clock that may jump back."""

    orders: Bundle[ORDER] = Bundle("orders")
    asked: Bundle[tuple[Command, Answer]] = Bundle("asked")

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.at = 0
        self.serial = 0
        self.issued: Counter[int] = Counter()
        self.paid_in: Counter[int] = Counter()
        self.refunded: Counter[tuple[int, str]] = Counter()
        self.paid: dict[tuple[int, str], int] = {}

    @initialize()
    def open(self) -> None:
        assert all(isinstance(answer.outcome, Receipt) for answer in self.scene.play(*opening_commands()))

    def ask(self, command: Command) -> Answer:
        """Apply, and check what every answer must satisfy."""
        state = self.scene.book.slice
        seq = state.seq
        answer = self.scene.book.apply(command)
        self.scene.book.take_effects()
        if isinstance(answer.outcome, Receipt):
            assert answer.outcome.seq == state.seq == seq + 1
            self.check_receipt(answer.outcome)
        else:
            assert state.seq == seq
        return answer

    def check_receipt(self, receipt: Receipt) -> None:
        """Postings of an entry balance per unit; its legs move exactly what they say on the public accounts."""
        sums: Counter[int] = Counter()
        for posting in receipt.postings:
            sums[posting.account.unit] += posting.amount
        assert not any(sums.values())
        for leg in receipt.legs:
            sign = 1 if leg.kind in ADDS else -1
            mine = {p.account.family: p.amount for p in receipt.postings if p.leg == leg.no}
            assert mine.get(Family.MEMBER, 0) == sign * leg.points == -mine.get(Family.OUTSTANDING, 0)
            if leg.kind != Kind.FEE:
                self.issued[leg.issuer] += sign * leg.points
            if self.terms_mode(leg.terms_id) == ON_ISSUANCE:
                self.paid_in[leg.terms_id] += -leg.au if leg.kind == Kind.TRANSFER_IN else sign * leg.au
            if leg.kind in {Kind.REDEEM, Kind.EXCHANGE_OUT} and leg.au:
                terms = self.scene.book.slice.registry.terms[leg.terms_id]
                assert (leg.points - 1) * terms.au_num < leg.au * terms.au_den <= leg.points * terms.au_num
            if leg.kind == Kind.REFUND_REDEEM and leg.au:
                terms = self.scene.book.slice.registry.terms[leg.terms_id]
                assert abs(leg.au * terms.au_den - leg.points * terms.au_num) < terms.au_num
        for posting in receipt.postings:
            if posting.account.family == Family.MEMBER and posting.balance < 0 and posting.amount < 0:
                assert receipt.legs[posting.leg - 1].kind in MAY_OWE

    def terms_mode(self, terms_id: int) -> int | None:
        terms = self.scene.book.slice.registry.terms.get(terms_id)
        return terms.mode if terms else None

    def key(self) -> str:
        self.serial += 1
        return f"k{self.serial}"

    @rule(ms=st.integers(-DAY, 3 * DAY))
    def time_passes(self, ms: int) -> None:
        self.at = max(0, self.at + ms)

    @rule(target=orders, member=members, merchant=merchants, amount=amounts)
    def earn(self, member: str, merchant: int, amount: int) -> ORDER:
        key = self.key()
        answer = self.ask(
            Earn(key=key, at_ms=self.at, merchant_id=merchant, member=member, order=key, amount_minor=amount)
        )
        assert isinstance(answer.outcome, Receipt)
        self.paid[merchant, key] = amount
        return merchant, member, key

    @rule(target=asked, order=orders)
    def confirm(self, order: ORDER) -> tuple[Command, Answer]:
        command = Confirm(key=self.key(), at_ms=self.at, order_merchant_id=order[0], order=order[2])
        return command, self.ask(command)

    @rule(target=asked, order=orders, amount=amounts)
    def refund(self, order: ORDER, amount: int) -> tuple[Command, Answer]:
        merchant, member, name = order
        key = self.key()
        command = Refund(
            key=key, at_ms=self.at, merchant_id=merchant, member=member, refund=key, order=name, amount_minor=amount
        )
        answer = self.ask(command)
        if isinstance(answer.outcome, Receipt):
            self.refunded[merchant, name] += amount
        assert self.refunded[merchant, name] <= self.paid[merchant, name]
        return command, answer

    @rule(target=asked, member=members, merchant=merchants, amount=amounts)
    def refund_of_unknown_origin(self, member: str, merchant: int, amount: int) -> tuple[Command, Answer]:
        key = self.key()
        command = Refund(
            key=key, at_ms=self.at, merchant_id=merchant, member=member, refund=key, order=None, amount_minor=amount
        )
        return command, self.ask(command)

    @rule(target=asked, member=members, merchant=merchants, au=st.integers(1, 2_000), at_most=st.booleans())
    def redeem(self, member: str, merchant: int, au: int, *, at_most: bool) -> tuple[Command, Answer]:
        key = self.key()
        command = Redeem(
            key=key, at_ms=self.at, merchant_id=merchant, member=member, redemption=key, au=au, at_most=at_most
        )
        answer = self.ask(command)
        if isinstance(answer.outcome, Receipt):
            applied = sum(move.au for move in answer.outcome.lots)
            assert applied == answer.outcome.why["au"]
            assert applied <= au
            assert applied == au or at_most
            assert all(self.at < (move.expires_at_ms or 0) for move in answer.outcome.lots)
        return command, answer

    @rule(target=asked, giver=members, receiver=members, issuer=merchants, points=st.integers(1, 300))
    def transfer(self, giver: str, receiver: str, issuer: int, points: int) -> tuple[Command, Answer]:
        key = self.key()
        command = Transfer(
            key=key,
            at_ms=self.at,
            transfer=key,
            issuer_id=issuer,
            from_member=giver,
            to_member=receiver,
            points=points,
        )
        before = self.scene.positions()
        answer = self.ask(command)
        if self.scene.positions() != before:
            assert isinstance(answer.outcome, Receipt)
            assert answer.outcome.why["repaid"], "only what repays a debt moves money"
        return command, answer

    @rule(member=members, pool=st.sampled_from(["p", "q"]), joins=st.booleans())
    def pool(self, member: str, pool: str, *, joins: bool) -> None:
        self.ask(OpenPool(key=self.key(), at_ms=self.at, pool=pool, owner=member, day_points_max=200))
        kind = JoinPool if joins else LeavePool
        self.ask(kind(key=self.key(), at_ms=self.at, pool=pool, member=member))

    @rule(target=asked, member=members, pair=st.sampled_from(PAIRS), points=st.integers(1, 300))
    def exchange(self, member: str, pair: tuple[int, int, int, int], points: int) -> tuple[Command, Answer]:
        key, (giving, getting, num, den) = self.key(), pair
        command = Exchange(
            key=key,
            at_ms=self.at,
            exchange=key,
            member=member,
            from_issuer_id=giving,
            to_issuer_id=getting,
            points=points,
        )
        answer = self.ask(command)
        if isinstance(answer.outcome, Receipt):
            taken, given = answer.outcome.why["taken"], answer.outcome.why["given"]
            assert isinstance(taken, int)
            assert given == taken * num // den
            assert taken <= points
        return command, answer

    @rule(target=asked, member=members)
    def expire(self, member: str) -> tuple[Command, Answer]:
        command = Expire(key=self.key(), at_ms=self.at, member=member)
        answer = self.ask(command)
        lots = self.scene.book.slice.lots_of[self.scene.number(member)]
        assert all(self.at < (lot.expires_at_ms or self.at + 1) for lot in lots if lot.remaining)
        return command, answer

    @rule(target=asked, member=members, issuer=merchants, points=st.integers(-300, 300))
    def adjust(self, member: str, issuer: int, points: int) -> tuple[Command, Answer]:
        key = self.key()
        command = Adjust(
            key=key, at_ms=self.at, adjustment=key, issuer_id=issuer, member=member, points=points, reason="r", by="a"
        )
        return command, self.ask(command)

    @rule(target=asked, member=members, issuer=merchants, points=st.integers(1, 300))
    def open_balance(self, member: str, issuer: int, points: int) -> tuple[Command, Answer]:
        key = self.key()
        command = OpenBalance(key=key, at_ms=self.at, source=key, issuer_id=issuer, member=member, points=points)
        return command, self.ask(command)

    @rule(target=asked, order=orders)
    def cancel_pending(self, order: ORDER) -> tuple[Command, Answer]:
        merchant, _, name = order
        command = CancelPending(key=self.key(), at_ms=self.at, order_merchant_id=merchant, order=name)
        answer = self.ask(command)
        if isinstance(answer.outcome, Receipt):
            again = Confirm(key=self.key(), at_ms=self.at + 9 * DAY, order_merchant_id=merchant, order=name)
            assert getattr(self.ask(again).outcome, "code", None) == "order-cancelled"
        return command, answer

    @rule()
    def charge_fees(self) -> None:
        key = self.key()
        before = self.scene.positions()
        self.ask(ChargeFees(key=key, at_ms=self.at, cycle=key))
        assert self.scene.positions() == before

    @rule()
    def settle(self) -> None:
        nets = tuple(Net(party, au) for party, au in sorted(self.scene.positions().items()))
        answer = self.ask(SettleNets(key=self.key(), at_ms=self.at, batch_no=self.serial, nets=nets))
        assert isinstance(answer.outcome, Receipt)
        assert self.scene.positions() == {}

    @rule(target=asked, first=consumes(asked))
    def ask_again(self, first: tuple[Command, Answer]) -> tuple[Command, Answer]:
        command, answer = first
        again = self.ask_unchanged(command)
        assert (again.body, again.replayed) == (answer.body, True)
        other = self.ask_unchanged(changed(command, at_ms=command.at_ms + 1))
        assert getattr(other.outcome, "code", None) == "key-reused"
        assert getattr(other.outcome, "field", None) == "at_ms"
        return first

    def ask_unchanged(self, command: Command) -> Answer:
        before = dict(self.scene.book.slice.accounts)
        answer = self.scene.book.apply(command)
        assert dict(self.scene.book.slice.accounts) == before
        return answer

    @invariant()
    def positions_sum_to_zero(self) -> None:
        assert sum(self.scene.positions().values()) == 0

    @invariant()
    def lots_explain_balances(self) -> None:
        confirmed: Counter[tuple[int, int]] = Counter()
        pending: Counter[tuple[int, int]] = Counter()
        for lot in self.scene.book.slice.lots.values():
            assert 0 <= lot.remaining <= lot.points
            assert 0 <= lot.standing <= lot.points
            kind = confirmed if lot.confirmed_at_ms is not None else pending
            kind[lot.issuer, lot.member_no] += lot.remaining
        for account, (_, balance) in self.scene.book.slice.accounts.items():
            if account.family == Family.MEMBER:
                free = balance - self.scene.balance(held(account.unit, account.party))
                assert confirmed[account.unit, account.party] == max(0, free)
            if account.family == Family.PENDING:
                assert pending[account.unit, account.party] == balance

    @invariant()
    def reserve_equals_positive_lots(self) -> None:
        state = self.scene.book.slice
        backed = {each.terms_id: each for each in state.registry.terms.values() if each.mode == ON_ISSUANCE}
        there: Counter[int] = Counter()
        for lot in state.lots.values():
            if lot.confirmed_at_ms is not None:
                there[lot.terms_id] += lot.remaining
        for record in state.records.values():
            if isinstance(record, Redemption) and record.state in {"held", "disputed"}:
                there.update({each.terms_id: each.points for each in record.draws})
        for number, terms in backed.items():
            dust = self.scene.balance(rounding(terms.issuer_id, number))
            assert self.paid_in[number] * terms.au_den == there[number] * terms.au_num + dust
        assert self.scene.balance(cash(RESERVE_ID)) == sum(self.paid_in.values())

    @invariant()
    def issuer_roll_forward_closes(self) -> None:
        for account, (_, balance) in self.scene.book.slice.accounts.items():
            if account.family == Family.OUTSTANDING:
                assert -balance == self.issued[account.party]

    @invariant()
    def every_unit_balances(self) -> None:
        sums: dict[tuple[int, bool], int] = defaultdict(int)
        for account, (_, balance) in self.scene.book.slice.accounts.items():
            sums[account.unit, account.family in {Family.PENDING, Family.PENDINGS}] += balance
        assert not any(sums.values())
        assert self.scene.balance(settled(CHAIN)) == 0


BookMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=50, suppress_health_check=[HealthCheck.too_slow]
)
TestBook = BookMachine.TestCase

"""The book's machine with everything about people: members that join by a referral and buy, bonds, merges and their
undoing, freezes, tiers; after each step the graph, the rewards and the merged accounts are what they must be.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from ledger.accounts import Family
from ledger.answers import Answer, Receipt
from ledger.commands import (
    BindReferral,
    Command,
    Earn,
    Enrol,
    EvaluateTier,
    FreezeMember,
    Merge,
    UnfreezeMember,
    Unmerge,
)
from ledger.members import referral
from ledger.points.orders import stands
from ledger.slice import Role
from tests.ledger.test_book_machine import ORDER, BookMachine, amounts, members, merchants

OF_MEMBERS = {Family.MEMBER, Family.PENDING, Family.HELD}
Asked = tuple[Command, Answer]


class PeopleMachine(BookMachine):
    """As the book's machine, with people who turn out to be others."""

    @rule(target=BookMachine.orders, merchant=merchants, referrer=members, amount=amounts)
    def join_by_a_referral_and_buy(self, merchant: int, referrer: str, amount: int) -> ORDER:
        key = self.key()
        self.ask(Enrol(key=f"j{key}", at_ms=self.at, member=f"n{key}"))
        bound = self.ask(BindReferral(key=f"b{key}", at_ms=self.at, member=f"n{key}", referrer=referrer))
        assert isinstance(bound.outcome, Receipt)
        bought = Earn(key=key, at_ms=self.at, merchant_id=merchant, member=f"n{key}", order=key, amount_minor=amount)
        assert isinstance(self.ask(bought).outcome, Receipt)
        self.paid[merchant, key] = amount
        return merchant, f"n{key}", key

    @rule(target=BookMachine.asked, member=members, referrer=members)
    def bind(self, member: str, referrer: str) -> Asked:
        command = BindReferral(key=self.key(), at_ms=self.at, member=member, referrer=referrer)
        return command, self.ask(command)

    @rule(target=BookMachine.asked, member=members, into=members)
    def merge(self, member: str, into: str) -> Asked:
        command = Merge(key=self.key(), at_ms=self.at, member=member, into=into)
        return command, self.ask(command)

    @rule(target=BookMachine.asked, member=members)
    def unmerge(self, member: str) -> Asked:
        command = Unmerge(key=self.key(), at_ms=self.at, member=member)
        return command, self.ask(command)

    @rule(member=members, into=members)
    def merging_and_taking_it_back_changes_nothing(self, member: str, into: str) -> None:
        before, person = self.held(), self.scene.book.slice.member(member)
        assert person is not None
        if isinstance(self.ask(Merge(key=self.key(), at_ms=self.at, member=member, into=into)).outcome, Receipt):
            assert isinstance(self.ask(Unmerge(key=self.key(), at_ms=self.at, member=person.name)).outcome, Receipt)
        assert self.held() == before

    @rule(target=BookMachine.asked, member=members, freeze=st.booleans())
    def freeze(self, member: str, *, freeze: bool) -> Asked:
        command: Command = UnfreezeMember(key=self.key(), at_ms=self.at, member=member)
        if freeze:
            command = FreezeMember(key=self.key(), at_ms=self.at, member=member, reason="watched")
        return command, self.ask(command)

    @rule(target=BookMachine.asked, member=members)
    def judge(self, member: str) -> Asked:
        command = EvaluateTier(key=self.key(), at_ms=self.at, member=member)
        answer = self.ask(command)
        assert isinstance(answer.outcome, Receipt)
        tiers = self.scene.book.slice.registry.tiers
        assert tiers is not None
        au = int(answer.outcome.why["qualifying_au"])
        assert answer.outcome.why["reached"] == [tier.code for tier in tiers.tiers if tier.qualifying_au <= au][-1]
        return command, answer

    def held(self) -> tuple[object, ...]:
        """What every member has, and whom every name means."""
        state = self.scene.book.slice
        balances = {name: last for name, (_, last) in state.accounts.items() if last and name.family in OF_MEMBERS}
        lots = {lot.id: (lot.member_no, lot.remaining, lot.standing) for lot in state.lots.values()}
        return balances, lots, {each.name: (each.referrer, each.merged_into) for each in state.people.values()}

    @invariant()
    def rewards_follow_rule_and_graph(self) -> None:
        """No cycle; at most two levels; what stands of a reward is the rule's, unless policy left more of it."""
        state = self.scene.book.slice
        for person in state.people.values():
            assert person not in referral.above(state, person)
        for order in state.orders.values():
            assert order is not None
            left = order.amount_minor - order.refunded_minor
            assert [lot.role for lot in order.lots] == sorted({lot.role for lot in order.lots})
            for lot in order.lots:
                assert lot.role in {Role.BASE, Role.LEVEL_1, Role.LEVEL_2}
                assert not lot.standing or lot.standing >= stands(state.registry, order, lot, left)

    @invariant()
    def who_was_merged_has_nothing(self) -> None:
        state = self.scene.book.slice
        merged = {person.no for person in state.people.values() if person.merged_into is not None}
        assert all(state.people[state.identity(no)].merged_into is None for no in merged)
        assert not any(lot.remaining for lot in state.lots.values() if lot.member_no in merged)
        for account, (_, balance) in state.accounts.items():
            assert not (balance and account.party in merged and account.family in OF_MEMBERS)


PeopleMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=50, suppress_health_check=[HealthCheck.too_slow]
)
TestPeople = PeopleMachine.TestCase

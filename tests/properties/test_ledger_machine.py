"""Hypothesis plays every verb there is on the pure book and on the oracle, and asks for the rule book's invariants.

After each command both answers are equal, and what it cleared; after each command too every figure both hold. A failure
shrinks to the few commands that show it.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.properties import invariants
from tests.properties.choices import MAKERS, Choices
from tests.properties.pair import VERBS, Pair
from tests.properties.worlds import opening

PLAYED = sorted(VERBS & set(MAKERS))


class LedgerMachine(RuleBasedStateMachine):
    """A ledger, an oracle, and dice that Hypothesis throws."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair.opened()
        self.choices = Choices(Random(0), self.pair.oracle)

    @rule(dice=st.randoms(use_true_random=False), verb=st.sampled_from(PLAYED))
    def play(self, dice: Random, verb: str) -> None:
        self.choices.dice = dice
        self.pair.apply(self.choices.command([verb]))

    @rule(dice=st.randoms(use_true_random=False), verbs=st.lists(st.sampled_from(PLAYED), min_size=5, max_size=20))
    def play_many(self, dice: Random, verbs: list[str]) -> None:
        self.choices.dice = dice
        for verb in verbs:
            self.pair.apply(self.choices.command([verb]))

    @precondition(lambda self: self.choices.serial)
    @invariant()
    def both_hold_the_same(self) -> None:
        self.pair.compare()

    @invariant()
    def the_rule_book_holds(self) -> None:
        invariants.check(self.pair.book.slice)


LedgerMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)
TestLedger = LedgerMachine.TestCase


def test_every_verb_that_both_know_is_played() -> None:
    opening_only = {command["verb"] for command in opening()} - set(MAKERS)
    assert VERBS - opening_only <= set(MAKERS)


def test_a_seeded_history_reaches_every_verb() -> None:
    """The makers aim well enough: each verb is done, not only refused."""
    pair = Pair.opened()
    choices = Choices(Random(20260701), pair.oracle)
    for _ in range(3_000):
        pair.apply(choices.command(PLAYED))
    pair.compare()
    invariants.check(pair.book.slice)
    assert {verb for verb in PLAYED if not pair.done[verb]} == set()

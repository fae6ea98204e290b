"""Hypothesis plays every verb there is on the pure book and on the oracle, and asks for the rule book's invariants.

After each command both answers are equal, and what it cleared; after each command too every figure both hold. A failure
shrinks to the few commands that show it.
"""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.properties.choices import MAKERS, Choices, weighted
from tests.properties.pair import TYPES, VERBS, Pair

PLAYED = sorted(VERBS & set(MAKERS))
COMPARE_EVERY_COMMANDS = 10
OFTEN = weighted(frozenset(PLAYED))
BUDGET = settings(
    max_examples=30,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)
"""What every test run plays."""


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

    @rule(dice=st.randoms(use_true_random=False), verbs=st.lists(st.sampled_from(OFTEN), min_size=5, max_size=20))
    def play_many(self, dice: Random, verbs: list[str]) -> None:
        self.choices.dice = dice
        for verb in verbs:
            self.pair.apply(self.choices.command([verb]))

    @rule(seed=st.integers(0, 2**32), commands=st.integers(20, 120))
    def play_on(self, seed: int, commands: int) -> None:
        """Far, with dice that Hypothesis only seeds: what it throws itself stays near the beginning."""
        self.choices.dice = Random(seed)
        for number in range(commands):
            self.pair.apply(self.choices.command(PLAYED))
            if number % COMPARE_EVERY_COMMANDS == 0:
                self.pair.compare()

    @invariant()
    def both_hold_the_same_and_the_rule_book_holds(self) -> None:
        self.pair.compare()

    def teardown(self) -> None:
        self.pair.rebuild()


LedgerMachine.TestCase.settings = BUDGET
TestLedger = LedgerMachine.TestCase


def test_every_verb_of_the_ledger_is_known_to_the_oracle_and_played() -> None:
    assert set(PLAYED) == set(MAKERS) == set(TYPES)


def test_a_seeded_history_reaches_every_verb() -> None:
    """The makers aim well enough: each verb is done, not only refused."""
    pair = Pair.opened()
    choices = Choices(Random(20260701), pair.oracle)
    for _ in range(5_000):
        pair.apply(choices.command(PLAYED))
    pair.compare()
    pair.rebuild()
    assert {verb for verb in PLAYED if not pair.done[verb]} == set()

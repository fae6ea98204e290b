"""Concurrent callers: whatever order the ledger gives their commands, the oracle agrees with it in that order.

A Hypothesis machine throws rounds of commands at one real poster, from one thread or several; after each round every
answer, every figure and every invariant of the rule book are compared, at the end the stored books are verified and
rebuilt. What interleaving comes about is not Hypothesis's to choose, so that it draws seeds alone and nothing that
depends on the outcome.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from ledger.postgres.embedded import EmbeddedServer
from tests.properties import grouping
from tests.properties.callers import CALLERS_MAX, Callers
from tests.properties.choices import MAKERS, Choices
from tests.properties.pair import VERBS

SEEDS = st.integers(0, 2**32)


class CallersMachine(RuleBasedStateMachine):
    """A poster, its callers, and dice of their own."""

    server: ClassVar[EmbeddedServer]
    template: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._database = grouping.fresh_database(self.server, self.template)
        self.callers = Callers(self._database.__enter__())
        self.choices = Choices(Random(0), self.callers.pair.oracle)

    @rule(seed=SEEDS, callers=st.integers(1, CALLERS_MAX), commands=st.integers(1, 60))
    def post(self, seed: int, callers: int, commands: int) -> None:
        self.choices.dice = Random(seed)
        plain = [self.choices.command(VERBS & set(MAKERS)) for _ in range(commands)]
        self.callers.together(plain, callers, self.choices.dice)
        self.callers.pair.compare()

    @rule(seed=SEEDS)
    def try_and_do(self, seed: int) -> None:
        self.choices.dice = Random(seed)
        self.callers.foreseen(self.choices.command(VERBS & set(MAKERS)))

    @precondition(lambda self: self.choices.serial > 200)
    @rule()
    def ask_everything(self) -> None:
        self.callers.ask_everything()

    def teardown(self) -> None:
        try:
            self.callers.ask_everything()
        finally:
            self.callers.__exit__()
            self._database.__exit__(None, None, None)


def test_callers_hear_what_the_oracle_says_in_the_order_they_came(postgres: EmbeddedServer, migrated: str) -> None:
    few = settings(
        max_examples=6,
        stateful_step_count=12,
        suppress_health_check=[HealthCheck.too_slow],
        deadline=None,
    )
    CallersMachine.server, CallersMachine.template = postgres, migrated
    run_state_machine_as_test(CallersMachine, settings=few)


def test_interleavings_vary(postgres: EmbeddedServer, migrated: str) -> None:
    """The same rounds twice: callers meet in one batch, and not in the same order."""
    orders = []
    for _ in range(2):
        with grouping.fresh_database(postgres, migrated) as dsn, Callers(dsn) as callers:
            choices = Choices(Random(20261126), callers.pair.oracle)
            for _ in range(4):
                plain = [choices.command(VERBS & set(MAKERS)) for _ in range(100)]
                callers.together(plain, CALLERS_MAX, choices.dice)
            callers.ask_everything()
            assert callers.counted["mixed"], callers.counted
            orders.append([each["key"] for each in callers.played])
    assert orders[0] != orders[1]

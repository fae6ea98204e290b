"""What the store keeps of a batch: while it is being asked for, and while it is on its way to being durable.

Data only. Invariants: whoever handed in a batch hears of it exactly once; a flight keeps what later batches must know
as long as the database may not show it yet. Called by `ledger.store`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ledger.answers import Answer
from ledger.book import VERBS, Admitted, Book, admit
from ledger.commands import Command
from ledger.effects import Effects
from ledger.slice import Remembered
from ledger.storage.wire import Reply
from ledger.wants import Wants

Outcome = list[Answer] | Exception
"""The answers to a batch, in order and durable, or why there are none."""
Tell = Callable[[Outcome], None]
"""Hears the outcome."""


class Batch:
    """Commands that were handed in together, those admitted apart; `attempts` counts how often the database was asked
    in vain.
    """

    __slots__ = ("_admitted", "_tell", "asked", "attempts", "keys")

    def __init__(self, commands: Iterable[Command], tell: Tell) -> None:
        self._admitted = [admit(command) for command in commands]
        self._tell = tell
        self.asked = [each for each in self._admitted if isinstance(each, Admitted)]
        self.keys = [each.command.key for each in self.asked]
        self.attempts = 0

    @property
    def malformed(self) -> Answer:
        """The answer to the first command that was not admitted."""
        return next(each for each in self._admitted if isinstance(each, Answer))

    def wants(self) -> Wants:
        """Everything that deciding will look at."""
        want = Wants()
        for command, _ in self.asked:
            VERBS[type(command)].wants(command, want)
        return want

    def decide(self, book: Book) -> list[Answer]:
        """On a book that holds what is wanted."""
        return [book.decide(each) for each in self.asked]

    def tell(self, outcome: Outcome) -> None:
        """Tell whoever handed it in, with the answers to what was malformed between those to the rest."""
        if isinstance(outcome, list) and len(outcome) < len(self._admitted):
            answers = iter(outcome)
            outcome = [each if isinstance(each, Answer) else next(answers) for each in self._admitted]
        self._tell(outcome)


class Flight(NamedTuple):
    """A batch that was sent and is not known to be committed: `remembered` by key, `effects` as they were
    written, `ahead` if nobody held the lock while it was decided.
    """

    batch: Batch
    answers: list[Answer]
    remembered: dict[str, Remembered | None]
    effects: Effects
    committed: Reply
    ahead: bool

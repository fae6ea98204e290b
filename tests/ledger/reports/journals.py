"""Journals to report on: a scene that keeps what it recorded, and the same journal posted to a real store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg

from ledger.answers import Answer, Receipt
from ledger.commands import CancelPending, ChargeFees, Command, Refund
from ledger.journal import head_seq
from ledger.reports.reading import stream
from ledger.reports.recorded import Recorded
from ledger.store import open_store
from tests.ledger.scene import Scene


@dataclass
class Journal(Scene):
    """A scene whose entries can be read again, as the store's journal would give them."""

    entries: list[Recorded] = field(default_factory=list)

    def play(self, *commands: Command) -> list[Answer]:
        return [self._kept(command) for command in commands]

    def done(self, command: Command) -> Receipt:
        outcome = self._kept(command).outcome
        assert isinstance(outcome, Receipt), outcome
        return outcome

    def charged(self, cycle: str, at: int) -> Receipt:
        return self.done(ChargeFees(key=f"cycle-{cycle}", at_ms=at, cycle=cycle))

    def _kept(self, command: Command) -> Answer:
        answer = self.book.apply(command)
        if isinstance(answer.outcome, Receipt) and not answer.replayed:
            self.entries.append(Recorded(command, answer.outcome, self._order_seq(command)))  # type: ignore[arg-type]
        return answer

    def _order_seq(self, command: Command) -> int | None:
        match command:
            case Refund(merchant_id=merchant, order=str(name)):
                pass
            case CancelPending(order_merchant_id=merchant, order=name):
                pass
            case _:
                return None
        order = self.book.slice.orders[merchant, name]
        return None if order is None else order.seq


def posted(dsn: str, commands: Sequence[Command]) -> list[Recorded]:
    """The commands through a real store, and its journal read back."""
    with open_store(dsn) as store:
        store.post(list(commands))
    with psycopg.connect(dsn, autocommit=True) as conn:
        return list(stream(conn, upto_seq=head_seq(conn)))

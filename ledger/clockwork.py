"""The hand of the clock: posts what time alone brings about, in bounded pages, as often as anybody likes.

Invariants: nothing is done that is not due at the time given; doing it twice, or in two processes at once, does nothing
twice (`ledger.due`); a run ends after `PAGES_PER_RUN_MAX` pages, and the next one goes on. Whoever owns a clock calls:
the periodic tasks, and the door of a sandbox.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import psycopg

from ledger import due, tiers_due
from ledger.answers import Answer, Receipt
from ledger.commands import Command

PAGES_PER_RUN_MAX = 1_000

Post = Callable[[Sequence[Command]], Sequence[Answer]]
Reading = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
"""Opens a connection whose statements all see one moment."""


class Stuck(RuntimeError):
    """The ledger does not do what is due: `count` commands stay, `key` is the first; `done` was done before."""

    def __init__(self, count: int, key: str, done: Counter[str]) -> None:
        super().__init__(f"{count} commands are due and none of them is done, the first is {key}")
        self.count, self.key, self.done = count, key, done


class Walk(NamedTuple):
    """How many evaluations were recorded, and the member number to go on after; None at the end."""

    done: int
    next_no: int | None


def run(reading: Reading, post: Post, at_ms: int, *, per_page: int = due.DUE_PER_READ_MAX) -> Counter[str]:
    """Post what is due until nothing is; how many of each verb were done. Raises `Stuck`."""
    done: Counter[str] = Counter()
    for _page in range(PAGES_PER_RUN_MAX):
        with reading() as connection:
            commands = due.due(connection, at_ms, limit=per_page)
        if not commands:
            break
        receipts, new = _posted(post, commands)
        if not receipts:
            raise Stuck(len(commands), commands[0].key, done)
        if not new:  # another process is at it
            break
        done += new
    return done


def evaluate(
    reading: Reading, post: Post, at_ms: int, *, after_no: int = 0, pages_max: int = PAGES_PER_RUN_MAX
) -> Walk:
    """Look at the tiers of the members after number `after_no`, page by page, and record those that changed."""
    done = 0
    for _page in range(pages_max):
        with reading() as connection:
            page = tiers_due.changed(connection, at_ms, after_no=after_no, limit=tiers_due.MEMBERS_PER_READ_MAX)
        if page.commands:
            done += _posted(post, page.commands)[1].total()
        if page.next_no is None:
            return Walk(done, None)
        after_no = page.next_no
    return Walk(done, after_no)


def _posted(post: Post, commands: Sequence[Command]) -> tuple[int, Counter[str]]:
    """How many of them are done, and how many of each verb were done by this very call."""
    answers = [answer for answer in post(commands) if isinstance(answer.outcome, Receipt)]
    new = [answer.outcome for answer in answers if not answer.replayed]
    return len(answers), Counter(outcome.verb for outcome in new if isinstance(outcome, Receipt))

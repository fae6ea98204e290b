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
from ledger.answers import Answer, Receipt, Refusal
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
    """Post what is due until nothing is; how many of each verb were done. Orders whose issuer is at its limit are left
    for a later run. Raises `Stuck`.
    """
    done: Counter[str] = Counter()
    waiting: set[int] = set()
    for _page in range(PAGES_PER_RUN_MAX):
        with reading() as connection:
            commands = due.due(connection, at_ms, limit=per_page, waiting=waiting)
        if not commands:
            break
        answers = post(commands)
        new, at_limit = _new(answers), _at_limit(answers) - waiting
        if not new and not at_limit:
            if any(isinstance(answer.outcome, Receipt) for answer in answers):
                break  # another process is at it
            raise Stuck(len(commands), commands[0].key, done)
        waiting |= at_limit
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
            done += _new(post(page.commands)).total()
        if page.next_no is None:
            return Walk(done, None)
        after_no = page.next_no
    return Walk(done, after_no)


def _new(answers: Sequence[Answer]) -> Counter[str]:
    """How many of each verb were done now."""
    return Counter(
        answer.outcome.verb for answer in answers if isinstance(answer.outcome, Receipt) and not answer.replayed
    )


def _at_limit(answers: Sequence[Answer]) -> set[int]:
    """Issuers whose orders wait until they may issue again: the others of theirs are not asked for in this run."""
    refused = (answer.outcome for answer in answers if isinstance(answer.outcome, Refusal))
    return {int(each.data["issuer"]) for each in refused if each.code == "issuer-over-limit"}

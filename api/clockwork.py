"""The hand of the clock: posts what time alone brings about, in bounded pages, as often as anybody likes.

Invariants: nothing is done that was not due by the door's own clock; doing it twice, or in two processes at once, does
nothing twice (`ledger.due`); a run ends after `PAGES_PER_RUN_MAX` pages, and the next one goes on. In production a
thread of the serving process ticks (`ticking`); in a sandbox the test clock runs it when it is moved. Called by
`api.serve` and `api.sandbox`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeGuard

import psycopg
import structlog

from api.clock import now_ms
from api.door import Door
from ledger import due, tiers_due
from ledger.answers import Receipt, Refusal

DUE_PER_PAGE = due.DUE_PER_READ_MAX
PAGES_PER_RUN_MAX = 1_000
MEMBERS_PER_PAGE = tiers_due.MEMBERS_PER_READ_MAX
TICK_SECONDS = 10.0
TICKS_PER_EVALUATION = 360
"""Tiers are looked at once an hour, all of them, page by page."""
log = structlog.get_logger(__name__)
_one_at_a_time = threading.Lock()


def run(door: Door) -> Mapping[str, int]:
    """Post what is due until nothing is; how many of each verb were done. Runs of one process wait for each other."""
    done: Counter[str] = Counter()
    waiting: set[int] = set()
    with _one_at_a_time:
        for _page in range(PAGES_PER_RUN_MAX):
            with door.reading() as connection:
                commands = due.due(connection, now_ms(door.now()), limit=DUE_PER_PAGE, waiting=waiting)
            if not commands:
                break
            outcomes = [(answer.outcome, answer.replayed) for answer in door.poster.post(commands)]
            taken = _taken(outcomes)
            at_limit = {int(each.data["issuer"]) for each, _ in outcomes if _is_over_limit(each)} - waiting
            if not taken and not at_limit:
                log.warning("stuck", due=len(commands), first=commands[0].key)
                break
            waiting |= at_limit
            done += taken
    return done


def _is_over_limit(outcome: Receipt | Refusal) -> TypeGuard[Refusal]:
    """Whether an order waits for its issuer: the others of that issuer are not asked for in this run."""
    return isinstance(outcome, Refusal) and outcome.code == "issuer-over-limit"


def evaluate(door: Door) -> Mapping[str, int]:
    """Look at every member's tier and record those that changed; how many were."""
    done: Counter[str] = Counter()
    with _one_at_a_time:
        at_ms, after_no = now_ms(door.now()), 0
        for _page in range(PAGES_PER_RUN_MAX):
            with door.reading() as connection:
                page = tiers_due.changed(connection, at_ms, after_no=after_no, limit=MEMBERS_PER_PAGE)
            if page.commands:
                done += _taken((answer.outcome, answer.replayed) for answer in door.poster.post(page.commands))
            if page.next_no is None:
                break
            after_no = page.next_no
    return done


def _taken(outcomes: Iterable[tuple[Receipt | Refusal, bool]]) -> Counter[str]:
    """How many of each verb were done now."""
    return Counter(each.verb for each, replayed in outcomes if isinstance(each, Receipt) and not replayed)


@contextmanager
def ticking(door: Door, *, every_seconds: float = TICK_SECONDS) -> Iterator[None]:
    """While inside, a thread runs it again and again; a database that is away is tried again at the next tick."""
    over = threading.Event()

    def tick() -> None:
        ticks = 0
        while not over.wait(every_seconds):
            try:
                run(door)
                if ticks % TICKS_PER_EVALUATION == 0:
                    evaluate(door)
                ticks += 1
            except psycopg.Error as error:
                log.warning("clockwork", error=type(error).__name__)

    thread = threading.Thread(target=tick, name="clockwork", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

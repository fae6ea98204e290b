"""The door's own hand of the clock: what falls due by the clock that the door goes by.

Invariants: as `ledger.clockwork`; runs of one process wait for each other. Where the door's clock is a sandbox's, a
thread of the serving process ticks (`ticking`), and the clock runs it when it is moved; in production periodic tasks do
(decision 0140). Called by `api.serve` and `api.sandbox`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
import structlog

from api.clock import now_ms
from api.door import Door
from ledger import clockwork, due
from ledger.clockwork import Stuck

DUE_PER_PAGE = due.DUE_PER_READ_MAX
TICK_SECONDS = 10.0
TICKS_PER_EVALUATION = 360
"""Tiers are looked at once an hour, all of them, page by page."""
log = structlog.get_logger(__name__)
_one_at_a_time = threading.Lock()


def run(door: Door) -> Mapping[str, int]:
    """Post what is due until nothing is; how many of each verb were done. What cannot be done is logged."""
    with _one_at_a_time:
        try:
            return clockwork.run(door.reading, door.poster.post, now_ms(door.now()), per_page=DUE_PER_PAGE)
        except Stuck as stuck:
            log.warning("stuck", due=stuck.count, first=stuck.key)
            return stuck.done


def evaluate(door: Door) -> Mapping[str, int]:
    """Look at every member's tier and record those that changed; how many were."""
    with _one_at_a_time:
        walk = clockwork.evaluate(door.reading, door.poster.post, now_ms(door.now()))
    return {"evaluate_tier": walk.done} if walk.done else {}


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

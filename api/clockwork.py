"""The door's own hand of the clock: what falls due by the clock that the door goes by.

Invariants: as `ledger.clockwork`; runs of one process wait for each other. Where the door's clock is a sandbox's, a
thread of the serving process ticks (`ticking`), and the clock runs it when it is moved; in production periodic tasks do
(decision 0140). Called by `api.serve` and `api.sandbox`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import psycopg
import structlog

from api.clock import now_ms
from api.door import Door
from ledger import clockwork, due, queries
from ledger.answers import Receipt
from ledger.clockwork import Stuck
from settlement.sealing.cadence import Month

MS_PER_SECOND = 1_000
DUE_PER_PAGE = due.DUE_PER_READ_MAX
TICK_SECONDS = 10.0
TICKS_PER_EVALUATION = 360
"""Tiers are looked at once an hour, all of them, page by page."""
log = structlog.get_logger(__name__)
_one_at_a_time = threading.Lock()


def run(door: Door, *, since_ms: int | None = None) -> Mapping[str, int]:
    """Post what is due until nothing is; how many of each verb were done. What cannot be done is logged. Where months
    end cycles, those that ended after `since_ms` are charged, and the epoch of tiers that has begun since is sealed,
    each between what fell due before its second and after.
    """
    until_ms, done = now_ms(door.now()), Counter[str]()
    with _one_at_a_time:
        for second, work in (
            [] if since_ms is None else _stops(door, since_ms // MS_PER_SECOND, until_ms // MS_PER_SECOND)
        ):
            done += _due(door, second * MS_PER_SECOND)
            done += Counter(work())
        return done + _due(door, until_ms)


Stop = tuple[int, Callable[[], Mapping[str, int]]]


def _stops(door: Door, since: int, until: int) -> list[Stop]:
    """The seconds at which something ends, after one and by another, and what is done then."""
    stops: list[Stop] = [(month.over_at, partial(_charge, door, month)) for month in door.months_over(since, until)]
    seal, begins = door.tiers.seal, door.tiers.clock.begins(door.tiers.clock.epoch_at(until))
    if seal is not None and begins > since:  # of several that have passed the newest: those in between were missed
        stops.append((begins, partial(seal, begins)))
    return sorted(stops, key=_second_of)


def _second_of(stop: Stop) -> int:
    return stop[0]


def _due(door: Door, at_ms: int) -> Counter[str]:
    try:
        return clockwork.run(door.reading, door.poster.post, at_ms, per_page=DUE_PER_PAGE)
    except Stuck as stuck:
        log.warning("stuck", due=stuck.count, first=stuck.key)
        return stuck.done


def _charge(door: Door, month: Month) -> Mapping[str, int]:
    """The month's fees, if any accrued and nobody has charged them."""
    with door.reading() as connection:
        accrued = any(position.fees for position in queries.positions(connection).values())
    if not accrued:
        return {}
    (answer,) = door.poster.post([due.charge(month.name, month.over_at * MS_PER_SECOND)])
    return {"charge_fees": 1} if isinstance(answer.outcome, Receipt) and not answer.replayed else {}


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
        ticks, since_ms = 0, now_ms(door.now())
        while not over.wait(every_seconds):
            try:
                until_ms = now_ms(door.now())
                run(door, since_ms=since_ms)
                since_ms = until_ms
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

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
from datetime import datetime
from functools import partial
from operator import itemgetter

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


def run(door: Door) -> Mapping[str, int]:
    """Post what is due until nothing is; how many of each verb were done. What cannot be done is logged. Where months
    end cycles, those that ended since the door was opened are charged; where a sandbox's clock ends epochs of tiers,
    the newest that has begun is sealed. Each between what fell due before its second and after, and each once: a month
    that ended without a fee is over as well.
    """
    with _one_at_a_time:
        return _run(door, now_ms(door.now()))


def move(door: Door, to: datetime) -> Mapping[str, int]:
    """Let it be `to`, if that is later than now, and do what falls due on the way; how many of each verb were done. The
    clock moves when everything is done: whatever goes wrong before, moving it again goes on.
    """
    assert door.move_clock is not None
    with _one_at_a_time:
        at_ms = now_ms(max(to, door.now()))
        done = _run(door, at_ms) + _evaluate(door, at_ms)
        if to > door.now():
            door.move_clock(to)
        return done


def evaluate(door: Door) -> Mapping[str, int]:
    """Look at every member's tier and record those that changed; how many were."""
    with _one_at_a_time:
        return _evaluate(door, now_ms(door.now()))


def _run(door: Door, until_ms: int) -> Counter[str]:
    done = Counter[str]()
    for second, work in _stops(door, until_ms // MS_PER_SECOND):
        done += _due(door, second * MS_PER_SECOND)
        done += work()
    return done + _due(door, until_ms)


Stop = tuple[int, Callable[[], Counter[str]]]


def _stops(door: Door, until_s: int) -> list[Stop]:
    """The seconds by then at which something ends, and what is done about it."""
    stops: list[Stop] = [(month.over_at, partial(_end, door, month)) for month in door.months.over(until_s)]
    if (begins := door.epochs.begun(until_s)) is not None:
        stops.append((begins, partial(door.epochs.seal, begins)))
    return sorted(stops, key=itemgetter(0))


def _end(door: Door, month: Month) -> Counter[str]:
    done = _charge(door, month)
    door.months.ended(month)
    return done


def _evaluate(door: Door, at_ms: int) -> Counter[str]:
    walk = clockwork.evaluate(door.reading, door.poster.post, at_ms)
    return Counter({"evaluate_tier": walk.done} if walk.done else {})


def _due(door: Door, at_ms: int) -> Counter[str]:
    try:
        return clockwork.run(door.reading, door.poster.post, at_ms, per_page=DUE_PER_PAGE)
    except Stuck as stuck:
        log.warning("stuck", due=stuck.count, first=stuck.key)
        return stuck.done


def _charge(door: Door, month: Month) -> Counter[str]:
    """The month's fees, if any accrued and nobody has charged them."""
    with door.reading() as connection:
        accrued = any(position.fees for position in queries.positions(connection).values())
    if not accrued:
        return Counter()
    (answer,) = door.poster.post([due.charge(month.name, month.over_at * MS_PER_SECOND)])
    return Counter({"charge_fees": 1} if isinstance(answer.outcome, Receipt) and not answer.replayed else {})


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

"""Several alliances at once, a process each, and their figures added up. Called by `python -m bench.drift`."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from typing import Any

from rich.console import Console

from bench.drift.play import Played

ALLIANCES = 2
SECONDS_BETWEEN_WORDS = 10

_so_far: Any = None


def _begin(so_far: Any) -> None:
    """In a process of its own: where it tells how far it is."""
    global _so_far  # noqa: PLW0603  # set once, before the process plays
    _so_far = so_far


def _play(number: int, seed: int, events: int) -> tuple[dict[str, Any], float]:
    """One alliance; its record, with the memory of its process, and the processor time it took."""

    def tell(count: int) -> None:
        _so_far[number] = count

    gc.disable()  # swept now and then instead, as the store does it between batches
    begun = time.process_time()
    told = Played(f"{seed}/{number}", events).play(tell).told()
    _so_far[number] = events
    told["megabytesMost"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return told, time.process_time() - begun


def played(seed: int, events: int, say: Console) -> tuple[list[dict[str, Any]], float]:
    """Every alliance's record, and processor seconds of all."""
    context = multiprocessing.get_context("spawn")
    so_far = context.Array("q", ALLIANCES)
    workers = min(ALLIANCES, os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(so_far,)) as pool:
        halves = [pool.submit(_play, number, seed, events // ALLIANCES) for number in range(ALLIANCES)]
        begun = time.monotonic()
        while wait(halves, timeout=SECONDS_BETWEEN_WORDS).not_done:
            if any(half.done() and half.exception() for half in halves):
                pool.shutdown(wait=False, cancel_futures=True)
                break
            _say_so_far(say, sum(so_far[:]), events, time.monotonic() - begun)
        results = [half.result() for half in halves]
    return [told for told, _ in results], sum(seconds for _, seconds in results)


def _say_so_far(say: Console, done: int, events: int, seconds: float) -> None:
    rate = int(done / seconds)
    if rate:
        say.print(f"{done:,} of {events:,} events, {rate:,} a second, {(events - done) // rate} s to go")


def together(halves: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures of all alliances added up; of those that say how far it went the largest."""
    names: dict[str, Any] = halves[0]
    return {name: _added(name, [half[name] for half in halves]) for name in names if name != "seed"}


def _added(name: str, values: Sequence[Any]) -> Any:
    if isinstance(values[0], dict):
        names = dict.fromkeys(name for value in values for name in value)
        return {each: _added(each, [value[each] for value in values if each in value]) for each in names}
    return max(values) if name.endswith(("Most", "Used")) else sum(values)

"""Long answers, kept apart from short ones: so many are worked on, so many wait, and others are told to come again.

A statement folds a journal. Were it read where keys are looked up, many at once would leave no thread and no connection
for anything else. Invariants: at most `AT_ONCE_MAX` threads and connections are taken, beside those of everybody; of
the places one caller has at most `EACH_MAX`, so that nobody keeps the others out. One event loop, hence no lock. A
`Door` has one; handlers run their reading through it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from api.problems import Problem

AT_ONCE_MAX = 1
WAITING_MAX = 8
EACH_MAX = 3
"""Long answers that one merchant, with all its keys, has worked on or waits for."""
RETRY_AFTER_SECONDS = 2

T = TypeVar("T")


class SlowReads:
    """Threads for long answers, and the queue in front of them. `code` is what those are told who come too many."""

    def __init__(
        self, *, at_once_max: int = AT_ONCE_MAX, waiting_max: int = WAITING_MAX, code: str = "reading-busy"
    ) -> None:
        self._limiter = anyio.CapacityLimiter(at_once_max)
        self._places_max = at_once_max + waiting_max
        self._code = code
        self._taken: Counter[int] = Counter()

    @property
    def taken(self) -> int:
        """How many are worked on or wait."""
        return self._taken.total()

    async def run(self, read: Callable[[], T], *, merchant_id: int) -> T:
        """What `read` answers this merchant, in a thread of its own. Refuses with `code` when too many wait."""
        if self.taken >= self._places_max:
            raise self._busy(f"{self._places_max} others are answered, or wait for it.")
        if self._taken[merchant_id] >= EACH_MAX:
            raise self._busy(f"You wait for {EACH_MAX} answers already.")
        self._taken[merchant_id] += 1
        try:
            return await anyio.to_thread.run_sync(read, limiter=self._limiter)
        finally:
            self._taken[merchant_id] -= 1
            if not self._taken[merchant_id]:
                del self._taken[merchant_id]

    def _busy(self, detail: str) -> Problem:
        return Problem(self._code, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})

"""Long answers, kept apart from short ones: so many are worked on, so many wait, and others are told to come again.

A statement folds a journal. Were it read where keys are looked up, many at once would leave no thread and no connection
for anything else. Invariant: at most `AT_ONCE_MAX` threads and connections are taken, beside those of everybody. One
event loop, hence no lock. A `Door` has one; handlers run their reading through it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from api.problems import Problem

AT_ONCE_MAX = 1
WAITING_MAX = 8
RETRY_AFTER_SECONDS = 2

T = TypeVar("T")


class SlowReads:
    """Threads for long answers, and the queue in front of them."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(AT_ONCE_MAX)
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many are worked on or wait."""
        return self._taken

    async def run(self, read: Callable[[], T]) -> T:
        """What `read` answers, in a thread of its own. Refuses with reading-busy when too many wait."""
        if self._taken >= AT_ONCE_MAX + WAITING_MAX:
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            raise Problem("reading-busy", f"{WAITING_MAX} others wait for a long answer.", headers=headers)
        self._taken += 1
        try:
            return await anyio.to_thread.run_sync(read, limiter=self._limiter)
        finally:
            self._taken -= 1

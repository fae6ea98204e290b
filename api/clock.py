"""What the door's clock allows: nothing from the future, and from long ago nothing whose time decides what is left.

The ledger believes `occurred_at`, so the door bounds it: a redemption dated back could otherwise use points that have
expired since, and a worse rate could be published as if its notice had been given. A write that is already recorded is
never refused for its age: repeating it is always safe. Called by the handlers of writes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import anyio.to_thread

from api.door import Door
from api.problems import invalid
from ledger.commands import Command
from ledger.queries import answer_by_key

AHEAD_SECONDS_MAX = 300


class TestClock:
    """A clock that can be moved ahead and then runs on from there; it never goes back."""

    __test__ = False

    def __init__(self, real: Callable[[], datetime]) -> None:
        self._real = real
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        return self._real() + self._ahead

    def move_to(self, at: datetime) -> None:
        """Let it be `at` now."""
        self._ahead = max(self._ahead, at - self._real())


def now_ms(now: datetime) -> int:
    """Milliseconds since the epoch."""
    return (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def not_in_future(door: Door, at_ms: int) -> None:
    """Refuses with occurred-in-future."""
    if at_ms > now_ms(door.now()) + AHEAD_SECONDS_MAX * 1000:
        message = f"is more than {AHEAD_SECONDS_MAX} s ahead of our clock"
        raise invalid("/occurred_at", message, code="occurred-in-future")


async def not_too_old(door: Door, command: Command, *, age_seconds_max: int) -> None:
    """Refuses with occurred-too-long-ago, unless this very key was answered before."""
    if command.at_ms >= now_ms(door.now()) - age_seconds_max * 1_000:
        return
    if not await anyio.to_thread.run_sync(_known, door, command.key):
        message = f"is more than {age_seconds_max} s ago"
        raise invalid("/occurred_at", message, code="occurred-too-long-ago")


def _known(door: Door, key: str) -> bool:
    with door.reading() as connection:
        return answer_by_key(connection, key) is not None

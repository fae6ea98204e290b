"""What the door's clock allows: nothing from the future, no redemption from long ago.

The ledger believes `occurred_at`, so the door bounds it: a redemption dated back could otherwise use points that have
expired since. A write that is already recorded is never refused for its age: repeating it is always safe.
Called by `api.partners`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio.to_thread

from api.door import Door
from api.problems import invalid
from ledger.commands import Redeem
from ledger.queries import answer_by_key

AHEAD_SECONDS_MAX = 300
REDEMPTION_AGE_HOURS_MAX = 24
_HOUR_MS = 3_600_000


def now_ms(now: datetime) -> int:
    """Milliseconds since the epoch."""
    return (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def not_in_future(door: Door, at_ms: int) -> None:
    """Refuses with occurred-in-future."""
    if at_ms > now_ms(door.now()) + AHEAD_SECONDS_MAX * 1000:
        message = f"is more than {AHEAD_SECONDS_MAX} s ahead of our clock"
        raise invalid("/occurred_at", message, code="occurred-in-future")


async def not_too_old(door: Door, command: Redeem) -> None:
    """Refuses with occurred-too-long-ago, unless this very key was answered before."""
    if command.at_ms >= now_ms(door.now()) - REDEMPTION_AGE_HOURS_MAX * _HOUR_MS:
        return
    if not await anyio.to_thread.run_sync(_known, door, command.key):
        message = f"is more than {REDEMPTION_AGE_HOURS_MAX} h ago"
        raise invalid("/occurred_at", message, code="occurred-too-long-ago")


def _known(door: Door, key: str) -> bool:
    with door.reading() as connection:
        return answer_by_key(connection, key) is not None

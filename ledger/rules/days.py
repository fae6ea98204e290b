"""Days and hours in a fixed zone: integers from integers. No calendar of summer times: whoever saw the event says the
offset that held where the member was.

Everything in `ledger.rules` may call it.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000
OFFSET_MINUTES_MIN: Final = -720
"""The zone furthest west."""
OFFSET_MINUTES_MAX: Final = 840
"""The zone furthest east."""

OffsetMinutes = Annotated[int, Meta(ge=OFFSET_MINUTES_MIN, le=OFFSET_MINUTES_MAX)]
"""How far local time is ahead of UTC."""


def day_of(at_ms: int, utc_offset_minutes: int) -> int:
    """The local day that holds this instant, counted from 1970-01-01 as day 0; -1 can occur west of Greenwich."""
    return (at_ms + utc_offset_minutes * MINUTE_MS) // DAY_MS


def weekday_of(at_ms: int, utc_offset_minutes: int) -> int:
    """The local weekday as ISO 8601 counts: Monday 1 to Sunday 7."""
    return (day_of(at_ms, utc_offset_minutes) + 3) % 7 + 1


def hour_of(at_ms: int, utc_offset_minutes: int) -> int:
    """The local hour, 0 to 23."""
    return (at_ms + utc_offset_minutes * MINUTE_MS) % DAY_MS // HOUR_MS

"""When the day is cut off and the month ends, in a zone with a fixed offset. Integers from integers.

Pure; called by the periodic tasks and by a sandbox's clock. Source: docs/protocol §3.1.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

DAY_S: Final = 86_400
MINUTE_S: Final = 60
MONTHS_PER_YEAR: Final = 12


class Month(NamedTuple):
    """A month that is over: its name as cycles are called, and the first second after it."""

    name: str
    over_at: int


def cut_off_after(at: int, *, minute_of_day: int, utc_offset_minutes: int) -> int:
    """The first cut-off later than `at`: Unix seconds of that minute of the local day."""
    shift = (utc_offset_minutes - minute_of_day) * MINUTE_S
    return ((at + shift) // DAY_S + 1) * DAY_S - shift


def months_over(since: int, until: int, *, utc_offset_minutes: int) -> list[Month]:
    """Every month that ended after `since` and by `until`, oldest first."""
    found, month = list[Month](), last_month(until, utc_offset_minutes=utc_offset_minutes)
    while month.over_at > since:
        found.append(month)
        month = last_month(month.over_at - 1, utc_offset_minutes=utc_offset_minutes)
    return found[::-1]


def last_month(at: int, *, utc_offset_minutes: int) -> Month:
    """The last month that is over at `at` in local time."""
    shift = utc_offset_minutes * MINUTE_S
    local = datetime.fromtimestamp(at + shift, UTC)
    begins = int(datetime(local.year, local.month, 1, tzinfo=UTC).timestamp())
    year, month = (local.year, local.month - 1) if local.month > 1 else (local.year - 1, MONTHS_PER_YEAR)
    return Month(f"{year:04}-{month:02}", begins - shift)

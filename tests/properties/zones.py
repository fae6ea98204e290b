"""Where members live: how far their clocks are ahead of UTC at an instant, summer time included.

Real places with their offsets; the days on which their clocks change come sooner after each other than in any year, so
that every history meets some. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.properties.worlds import DAY_MS, MEMBERS

MINUTE_MS = 60_000
SEASON_DAYS = 5
"""From one change of the clocks to the next."""


@dataclass(frozen=True)
class Zone:
    """Minutes ahead of UTC in winter and in summer, and the UTC hour at which the clocks change."""

    winter: int
    summer: int
    changes_hour: int = 1

    def offset_at(self, at_ms: int) -> int:
        """Minutes ahead of UTC at this instant."""
        season = (at_ms // 60 // MINUTE_MS - self.changes_hour) // 24 // SEASON_DAYS
        return self.summer if season % 2 else self.winter

    def midnight_after(self, at_ms: int) -> int:
        """The first instant of the next day there."""
        offset_ms = self.offset_at(at_ms) * MINUTE_MS
        return ((at_ms + offset_ms) // DAY_MS + 1) * DAY_MS - offset_ms


SHANGHAI, BERLIN, NEW_YORK = Zone(480, 480), Zone(60, 120), Zone(-300, -240, changes_hour=7)
LORD_HOWE, KATHMANDU, KIRITIMATI = Zone(630, 660, changes_hour=15), Zone(345, 345), Zone(840, 840)
BAKER_ISLAND, CHATHAM = Zone(-720, -720), Zone(765, 825, changes_hour=14)
ZONES = (SHANGHAI, BERLIN, NEW_YORK, LORD_HOWE, KATHMANDU, KIRITIMATI, BAKER_ISLAND, CHATHAM)
HOMES = dict(zip(MEMBERS, ZONES, strict=True))
"""Where those live who were there from the beginning."""

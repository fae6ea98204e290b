"""When a cycle of clearing is over: settings that the periodic tasks and a sandbox's clock share.

Invariants: frozen after reading. Read by `settlement.settings` and `api.settings`, each once at its entry point.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from settlement.sealing.cadence import Month, months_over


class CycleSettings(BaseSettings):
    """Environment variables TONGDUI_CYCLES and TONGDUI_UTC_OFFSET_MINUTES."""

    model_config = SettingsConfigDict(env_prefix="TONGDUI_", frozen=True, hide_input_in_errors=True)

    cycles: Literal["monthly", "by-hand"] = "monthly"
    """Whether fees are charged for each month that is over, or only when the operator ends a cycle."""
    utc_offset_minutes: int = Field(default=480, ge=-720, le=840)
    """How far local time is ahead of UTC."""

    def over(self, since: int, until: int) -> list[Month]:
        """The months that ended after `since` and by `until`, in Unix seconds; none where cycles are ended by hand."""
        if self.cycles == "by-hand":
            return []
        return months_over(since, until, utc_offset_minutes=self.utc_offset_minutes)

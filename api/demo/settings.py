"""What a user may choose about the demonstration, from the environment. Read once, by the demo's entry point."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

EVENTS_MADE_DEFAULT = 20_000
MEMBERS_MADE_DEFAULT = 400


class DemoSettings(BaseSettings):
    """The environment's choices.

    EVENTS and REFUND_LINKS name files to replay (none: a generated year); SERVE=0 stops after the report; TIERS=0
    leaves the tier part out; TONGDUI_VAR is where everything is kept.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    events: Path | None = Field(default=None, validation_alias="EVENTS")
    refund_links: Path | None = Field(default=None, validation_alias="REFUND_LINKS")
    serve: bool = Field(default=True, validation_alias="SERVE")
    tiers: bool = Field(default=True, validation_alias="TIERS")
    var: Path = Field(default=Path("var"), validation_alias="TONGDUI_VAR")
    database_url: str | None = Field(default=None, validation_alias="TONGDUI_DATABASE_URL")
    seed: int = Field(default=2025, validation_alias="TONGDUI_DEMO_SEED")
    events_made: int = Field(default=EVENTS_MADE_DEFAULT, ge=500, le=200_000, validation_alias="TONGDUI_DEMO_EVENTS")
    members_made: int = Field(default=MEMBERS_MADE_DEFAULT, ge=10, le=20_000, validation_alias="TONGDUI_DEMO_MEMBERS")

"""What an operator can set for the serving process: environment variables TONGDUI_*, read once by the entry point.

Invariants: frozen after reading; every limit carries its unit in its name; a setting that would open the door wider
than loopback, or let test keys in, has to be made on purpose. Called by the entry points of this room only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseSettings):
    """Everything `python -m api.serve` and `python -m api.keys` are told from outside."""

    model_config = SettingsConfigDict(env_prefix="TONGDUI_", frozen=True)

    environment: Literal["development", "production"] = "development"
    """In production test keys are refused and a database of one's own has to be named."""
    database_url: str | None = None
    """A PostgreSQL address; without one an embedded server keeps its data under `var`."""
    var: Path = Path("var")
    """Where everything lives that is not in the repository."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    """0 takes any free port and says which."""
    public: bool = False
    """Has to be true to listen on anything but loopback: TLS ends in front of this process."""
    readers_max: int = Field(default=4, ge=1, le=64)
    """Database connections for reading; writes have one of their own."""

    @model_validator(mode="after")
    def consistent(self) -> Settings:
        if self.environment == "production" and not self.database_url:
            raise ValueError("TONGDUI_DATABASE_URL: has to name a database when TONGDUI_ENVIRONMENT=production")
        if self.host not in LOOPBACK and not self.public:
            raise ValueError(f"TONGDUI_HOST={self.host}: is not loopback; set TONGDUI_PUBLIC=true if that is meant")
        return self

"""Which mirrors there are: the environment variable TONGDUI_MIRRORS, a JSON list, read once by an entry point.

    [{"kind": "folder", "path": "/srv/published"},
     {"kind": "s3", "bucket": "alliance", "region": "cn-north-1", "access_key_id": "...", "secret_file": "/run/s3"},
     {"kind": "http", "address": "https://mirror.example/alliance", "token_file": "/run/mirror-token"}]

Invariants: a secret is in a file of its own and never in a setting, so no dump of settings shows one; in production at
least two mirrors whose places are different, and none over plain HTTP but on loopback. Called by the entry points of
settlement, and by `python -m settlement.mirrors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from settlement.mirrors import Mirror
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.s3 import S3Mirror
from settlement.mirrors.web import WebMirror

INDEPENDENT_MIN: Final = 2
MIRRORS_MAX: Final = 8
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
DEMO_FOLDERS: Final = ("published", "mirror")
"""Under `var`, where nothing else is said."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FolderSettings(_Strict):
    """A folder of this machine, or one that is mounted here."""

    kind: Literal["folder"]
    path: Path

    def open(self) -> FolderMirror:
        return FolderMirror(self.path)


class S3Settings(_Strict):
    """A bucket; `endpoint` for anything but the vendor's own."""

    kind: Literal["s3"]
    bucket: str = Field(min_length=3, max_length=63)
    region: str = Field(default="us-east-1", min_length=1)
    endpoint: str | None = None
    prefix: str = ""
    access_key_id: str = Field(min_length=1)
    secret_file: Path

    def open(self) -> S3Mirror:
        return S3Mirror(
            self.bucket,
            region=self.region,
            access_key_id=self.access_key_id,
            secret_access_key=_secret(self.secret_file),
            endpoint=self.endpoint,
            prefix=self.prefix,
        )


class WebSettings(_Strict):
    """An address that takes PUT; `token_file` holds a bearer token."""

    kind: Literal["http"]
    address: str
    token_file: Path | None = None

    def open(self) -> WebMirror:
        return WebMirror(self.address, token=_secret(self.token_file) if self.token_file else None)


MirrorSettings = Annotated[FolderSettings | S3Settings | WebSettings, Field(discriminator="kind")]


class MirrorsSettings(BaseSettings):
    """The mirrors of this alliance."""

    # What is wrong is said without what was set: addresses have passwords and keys in them.
    model_config = SettingsConfigDict(env_prefix="TONGDUI_", frozen=True, hide_input_in_errors=True)

    environment: Literal["development", "production"] = "development"
    var: Path = Path("var")
    mirrors: tuple[MirrorSettings, ...] = Field(default=(), max_length=MIRRORS_MAX)

    @model_validator(mode="after")
    def safe_in_production(self) -> MirrorsSettings:
        if self.environment == "production":
            for mirror in self.mirrors:
                _require_tls(mirror)
        return self

    def open(self) -> list[Mirror]:
        """Every mirror, ready. Raises ValueError for too few, OSError where a secret's file cannot be read."""
        chosen: list[Mirror] = [mirror.open() for mirror in self.mirrors]
        if not chosen and self.environment == "development":
            chosen = [FolderMirror(self.var / name) for name in DEMO_FOLDERS]
        if self.environment == "production":
            require_independent(chosen)
        return chosen


def require_independent(mirrors: Sequence[Mirror]) -> None:
    """Raises ValueError unless at least two places would have to fail for a batch to be lost."""
    places = {mirror.place for mirror in mirrors}
    if len(places) < INDEPENDENT_MIN:
        found = ", ".join(sorted(places)) or "none"
        raise ValueError(f"TONGDUI_MIRRORS: production wants {INDEPENDENT_MIN} independent mirrors; places: {found}")


def _require_tls(mirror: FolderSettings | S3Settings | WebSettings) -> None:
    address = getattr(mirror, "address", None) or getattr(mirror, "endpoint", None)
    if address and urlsplit(address).scheme != "https" and urlsplit(address).hostname not in LOOPBACK:
        raise ValueError(f"TONGDUI_MIRRORS: {address} is not https")


def _secret(path: Path) -> str:
    """What a secret's file holds. Raises ValueError when that is nothing."""
    secret = path.read_text(encoding="ascii").strip()
    if not secret:
        raise ValueError(f"{path}: is empty")
    return secret

"""The test clock: the body that moves it and what it answers. Data only. Decoded and documented by `api.sandbox`."""

from __future__ import annotations

from msgspec import Struct

from api.shapes.values import Moment


class MoveClock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let it be `to`; if it is later already, nothing changes."""

    to: Moment


class ClockOut(Struct, frozen=True, kw_only=True):
    """The time it is now, and how often each verb was done because something fell due."""

    now: str
    done: dict[str, int]

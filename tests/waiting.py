"""Waiting in tests for what another thread or process does: not longer than it takes, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 90.0
POLL_SECONDS = 0.02


def eventually(true: Callable[[], object], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until it is so."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(POLL_SECONDS)

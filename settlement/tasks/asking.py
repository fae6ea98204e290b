"""What a tick is asked with, and what it tells. Called by `turn` and the ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from settlement.tables import Conn
from settlement.tasks.works import Works

Told = Mapping[str, object]
"""What was done, for the log; empty when there was nothing to do."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: what it works with, and its connection in autocommit mode."""

    works: Works
    conn: Conn

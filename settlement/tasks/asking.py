"""What a tick is asked with, and what it tells. Called by `turn` and the ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from settlement.lease import Lease
from settlement.tables import Conn
from settlement.tasks.works import Works

Told = Mapping[str, object]
"""What was done, for the log; empty when there was nothing to do."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: what it works with, its connection in autocommit mode, and the lease it is taken under."""

    works: Works
    conn: Conn
    lease: Lease

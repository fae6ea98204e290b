"""The books are examined: invariants in SQL, then the whole journal played again and compared with what is stored.

Invariants: reading only; all of the SQL sees one moment, the rebuild another. Called by the demo's run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from ledger import rebuild, verify
from ledger.verify import Invariant

REBUILT = "rebuild-equals-store"


def examine(conn: psycopg.Connection[Any], progress: Callable[[int], None]) -> list[Invariant]:
    """Every invariant, the rebuild's last; `progress` hears how many more journal entries were played again."""
    asked = verify.check(conn)
    played = 0

    def advance(seq: int) -> None:
        nonlocal played
        progress(seq - played)
        played = seq

    faults = rebuild.differences(conn, advance)
    detail = f"{len(faults)} differences, for example {faults[0]}" if faults else "held"
    return [*asked, Invariant(REBUILT, not faults, detail)]

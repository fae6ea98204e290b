"""A step to another hub that was begun and not taken to its end: nobody works at either hub, and a person is told.

While the command runs it holds the lease of settlement's tasks, so whoever looks from a task finds what was left. Told
from rows alone, before any chain is asked. Called by the periodic comparison. Source: docs/decisions/0228, 0241.
"""

from __future__ import annotations

from settlement.alliance import BetweenHubs, in_force
from settlement.tables import Conn
from settlement.watch import alerts
from settlement.watch.alerts import Alert

SOURCE = "carry-over"
EXPECTED = "the step to the next hub is taken to its end"


def tell_unfinished(conn: Conn) -> list[Alert]:
    """What was left, if anything. Safe to repeat; raises `NotFounded`."""
    told: list[Alert] = []
    try:
        in_force(conn)
    except BetweenHubs as between:
        told.append(Alert(code="carry-over-unfinished", place="ledger", expected=EXPECTED, actual=str(between)))
    alerts.keep(conn, SOURCE, told)
    return told

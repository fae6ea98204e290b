"""The mirrors read back once a day, a few batches a turn.

Invariants: nothing is written to a mirror, which is for a person to order; an alert is raised when a fault is seen, and
resolved only when all batches of one walk were whole on every mirror. A tick; called by `turn`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from settlement.mirrors.keeping import ALERTS, RETENTION_YEARS_MIN, alerts_of, expired, published, verify
from settlement.tasks import attempts
from settlement.tasks.asking import Told, Turn
from settlement.watch import alerts

WALK_EVERY_MS: Final = 86_400_000
BATCHES_PER_TURN_MAX: Final = 10
FAULTS_PER_TURN_MAX: Final = 1_000
NAME: Final = "mirrors"


def read_back(turn: Turn) -> Told:
    """The next batches of a walk that begins once a day; a walk that finds nothing resolves what earlier ones found."""
    now_ms, kept = turn.works.now_ms(), attempts.position(turn.conn, NAME)
    if kept.get("batch") is None:
        if now_ms < kept.get("at_ms", 0) + WALK_EVERY_MS:
            return {}
        kept = {"at_ms": now_ms, "batch": 0, "faults": 0}
    first = kept["batch"]
    batches = published(turn.conn, first=first, last=first + BATCHES_PER_TURN_MAX - 1)
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now_ms)
    gone = expired(batches, now, years=RETENTION_YEARS_MIN)
    there = [each for each in batches if each not in gone]
    found = list(islice(verify(there, turn.works.settings.open(), repair=False), FAULTS_PER_TURN_MAX))
    for alert in alerts_of(found):
        alerts.report(turn.conn, ALERTS, alert)
    faults = kept["faults"] + len(found)
    if batches:
        attempts.move(turn.conn, NAME, {**kept, "batch": first + BATCHES_PER_TURN_MAX, "faults": faults})
    else:
        attempts.move(turn.conn, NAME, {"at_ms": kept["at_ms"]})
        if not faults:
            alerts.keep(turn.conn, ALERTS, [])
    return {"read": len(there), "faults": len(found)} if there else {}

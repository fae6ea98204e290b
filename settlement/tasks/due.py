"""The ledger's due work: what time alone brings about, posted by a writer of the worker's own when there is any.

Invariants: as `ledger.clockwork`; a walk through all members keeps its place, so that a worker that dies in it costs a
page. Ticks; called by `turn`.
"""

from __future__ import annotations

from typing import Final

from ledger import clockwork, queries
from ledger.answers import Receipt
from ledger.commands import ChargeFees
from settlement.sealing.cadence import last_month
from settlement.tasks import attempts
from settlement.tasks.asking import Told, Turn
from settlement.tasks.works import Writer

MS_PER_SECOND: Final = 1_000
WALK_EVERY_MS: Final = 3_600_000
PAGES_PER_TURN_MAX: Final = 50


def due(turn: Turn) -> Told:
    """Holds, authorisations and points whose time has come."""
    with Writer(turn.works.dsn) as writer:
        return dict(clockwork.run(turn.works.reading, writer.post, turn.works.now_ms()))


def tiers(turn: Turn) -> Told:
    """The next members' tiers of a walk that begins once an hour. Members of one walk are judged at one time."""
    now_ms, kept = turn.works.now_ms(), attempts.position(turn.conn, "tiers")
    if kept.get("after_no") is None:
        if now_ms < kept.get("at_ms", 0) + WALK_EVERY_MS:
            return {}
        kept = {"at_ms": now_ms, "after_no": 0}
    with Writer(turn.works.dsn) as writer:
        walk = clockwork.evaluate(
            turn.works.reading, writer.post, kept["at_ms"], after_no=kept["after_no"], pages_max=PAGES_PER_TURN_MAX
        )
    place = {} if walk.next_no is None else {"after_no": walk.next_no}
    attempts.move(turn.conn, "tiers", {"at_ms": kept["at_ms"], **place})
    return {"evaluated": walk.done} if walk.done else {}


def cycle(turn: Turn) -> Told:
    """Charge the fees of the last month that is over, once, if any accrued. An operator who ended a cycle of that name
    by hand has done it already.
    """
    settings = turn.works.settings
    with turn.works.reading() as conn:
        accrued = any(position.fees for position in queries.positions(conn).values())
    if settings.cycles == "by-hand" or not accrued:
        return {}
    month = last_month(turn.works.now_ms() // MS_PER_SECOND, utc_offset_minutes=settings.utc_offset_minutes)
    command = ChargeFees(key=f"due:cycle:{month.name}", at_ms=month.over_at * MS_PER_SECOND, cycle=month.name)
    with Writer(turn.works.dsn) as writer:
        (answer,) = writer.post([command])
    new = isinstance(answer.outcome, Receipt) and not answer.replayed
    return {"cycle": month.name} if new else {}

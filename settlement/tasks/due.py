"""The ledger's due work: what time alone brings about, posted by a writer of the worker's own when there is any.

Invariants: as `ledger.clockwork`; a walk through all members keeps its place, so that a worker that dies in it costs a
page. Ticks; called by `turn`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledger import clockwork, journal, queries
from ledger.answers import Receipt
from ledger.due import charge
from ledger.members import watch
from ledger.reports import projection
from settlement.sealing.cadence import Month, last_month
from settlement.tasks import attempts
from settlement.tasks.asking import Told, Turn
from settlement.tasks.works import Writer
from settlement.watch import alerts
from settlement.watch.alerts import Alert

MS_PER_SECOND: Final = 1_000
WALK_EVERY_MS: Final = 3_600_000
PAGES_PER_TURN_MAX: Final = 50
DAYS_BATCHES_PER_TURN_MAX: Final = 500
"""A million entries; what is left waits for the next turn, and answers are only slower until then."""
CHAIN_ALERTS_MAX: Final = 500


def due(turn: Turn) -> Told:
    """Holds, authorisations and points whose time has come."""
    with Writer(turn.works.dsn) as writer:
        return dict(clockwork.run(turn.works.reading, writer.post, turn.works.now_ms()))


def tiers(turn: Turn) -> Told:
    """The next members' tiers of a walk that begins once an hour. Members of one walk are judged at one time."""
    now_ms, kept = turn.works.now_ms(), attempts.position(turn.conn, "tiers")
    if kept.get("after_no") is None:
        # A walk that lies ahead was begun by a clock that has gone back since: waiting for its hour could take years.
        if 0 <= now_ms - kept.get("at_ms", 0) < WALK_EVERY_MS:
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
    """Charge the fees of the last month that is over, if any accrued. A month is looked at once: what accrues after
    that is the next one's, also where there was nothing to charge, or no alliance yet.
    """
    settings = turn.works.settings
    month = last_month(turn.works.now_ms() // MS_PER_SECOND, utc_offset_minutes=settings.utc_offset_minutes)
    looked = {"over_at": month.over_at}
    if settings.cycles == "by-hand" or attempts.position(turn.conn, "cycle") == looked:
        return {}
    told = _charged(turn, month)
    attempts.move(turn.conn, "cycle", looked)
    return told


def _charged(turn: Turn, month: Month) -> Told:
    with turn.works.reading() as conn:
        began = journal.read(conn, 0, 1)
        accrued = any(position.fees for position in queries.positions(conn).values())
    if not accrued or began[0].at_ms >= month.over_at * MS_PER_SECOND:
        return {}
    with Writer(turn.works.dsn) as writer:
        (answer,) = writer.post([charge(month.name, month.over_at * MS_PER_SECOND)])
    new = isinstance(answer.outcome, Receipt) and not answer.replayed
    return {"cycle": month.name} if new else {}


def days(turn: Turn) -> Told:
    """Bring the changes by day of valid time after the journal, so that balances as of a time are answered fast."""
    before = projection.reached(turn.conn)
    seq = projection.catch_up(turn.conn, batches_max=DAYS_BATCHES_PER_TURN_MAX)
    return {"up_to": seq} if seq != before else {}


def chains(turn: Turn) -> Told:
    """Look at the referral graph when bonds or mergers were recorded since the last look, and keep what a person should
    see as alerts; what is no longer so is resolved. Whoever looked at an older graph than another keeps nothing.
    """
    kept = attempts.position(turn.conn, "chains")
    with turn.works.reading() as conn:
        changed, seq = watch.changed(conn, kept.get("seq", 0))
        found = watch.chains(conn) if changed else []
    with turn.conn.transaction():
        if not attempts.move_from(turn.conn, "chains", kept, {"seq": seq}):
            return {}
        if changed:
            told, untold = _told(found)
            alerts.keep(turn.conn, "chains", told, untold=untold)
    return {"chains": len(found)} if found else {}


def _told(found: Sequence[watch.Alert]) -> tuple[list[Alert], list[Alert]]:
    """What is raised, and what is not: the largest are, so that nobody hides a large chain behind many small ones."""
    by_size = [_alert(each) for each in sorted(found, key=lambda each: -each.people)]
    told, untold = by_size[:CHAIN_ALERTS_MAX], by_size[CHAIN_ALERTS_MAX:]
    if untold:
        words = f"{len(by_size)}, the largest {CHAIN_ALERTS_MAX} are raised"
        told.append(
            Alert(code="chains-many", place="referrals", expected=f"at most {CHAIN_ALERTS_MAX} alerts", actual=words)
        )
    return told, untold


def _alert(found: watch.Alert) -> Alert:
    """People by their names in the ledger, which are the alliance's own and no personal data."""
    return Alert(
        code=found.kind,
        place=found.root,
        expected=f"fewer than {found.people_min} people",
        actual=f"{found.people}: {', '.join(found.evidence)}",
    )

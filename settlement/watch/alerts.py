"""Alerts: what is not as it should be, where, what was expected and what is there. Rows and log lines.

Invariants: an alert is open once per code and place, however often it is seen; it is resolved only by the source that
found it, when that looked again and did not find it; every code has its severity and its meaning in `CODES`, and a code
that is not there cannot be raised. Time is the database's. Called by submitter, watcher, reconciliation and periodic
tasks; read by the API and `python -m settlement.reconcile`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from psycopg.rows import class_row

from settlement.tables import Conn

log = structlog.get_logger(__name__)

WARNING, URGENT = "warning", "urgent"
ALERTS_SHOWN_MAX = 200

CODES: dict[str, tuple[str, str]] = {
    "batch-conflict": (URGENT, "another header stands on the chain under a batch's number"),
    "batch-failed": (URGENT, "a batch ended without becoming final; a person decides"),
    "batch-demanded": (WARNING, "data of a batch is demanded on the chain; unanswered it is thrown out"),
    "batch-faulty": (URGENT, "the verifier does not sign off a sealed batch; it is not published"),
    "batch-reverted": (URGENT, "a batch was thrown out on the chain"),
    "batch-late": (
        URGENT,
        "an attested batch is too old for the hub; nothing is committed until it has lapsed and is sealed anew",
    ),
    "batch-slow": (WARNING, "a batch is in one state for longer than it should be"),
    "batch-unknown": (URGENT, "the chain holds a batch that this database does not have"),
    "carry-over-unfinished": (
        URGENT,
        "the step to another hub was begun and left: nothing is sealed or sent before it is taken to its end",
    ),
    "chains-many": (WARNING, "there are more chains of referrals to look at than alerts are raised for"),
    "chain-unclear": (WARNING, "the node does not answer, or not usably"),
    "claims-open": (WARNING, "what a defaulter still owes to the creditors of a batch"),
    "collateral-leaving": (
        WARNING,
        "a merchant has announced to take out collateral; what leaves stands behind no debt any more",
    ),
    "collateral-low": (WARNING, "a merchant's free collateral is below its floor or below what it owes"),
    "commit-refused": (URGENT, "the contract refuses what is to be sent; it is not signed"),
    "defaulted": (URGENT, "a merchant could not pay its net"),
    "demand-due": (URGENT, "half of the time to answer a demand for data is over; unanswered its batch is thrown out"),
    "effect-missing": (
        URGENT,
        "a transaction is mined and its effect is not there: is the node right?",
    ),
    "events-missing": (
        URGENT,
        "what the contract holds does not follow from the events that were read: is the node right?",
    ),
    "fee-ceiling": (URGENT, "a transaction is stuck at the highest offer we make"),
    "finality-broken": (URGENT, "a block that was final is no longer in the chain"),
    "forced-due": (
        URGENT,
        "a merchant has forced an event that is still on the queue; the hub stops for it when it is overdue",
    ),
    "gas-money-low": (WARNING, "the sending account can pay for few more transactions"),
    "hub-insolvent": (URGENT, "the hub holds less of the asset than it owes"),
    "lane-parked": (WARNING, "the signer of a hosted lane does not sign; what it has to sign waits for a later batch"),
    "ledger-refused": (URGENT, "the ledger refuses what the chain has moved"),
    "ledger-unlike-chain": (URGENT, "what the ledger says was settled is not what the chain moved"),
    "long-chain": (WARNING, "a chain of referrals reaches three people, its root counted; a person looks at it"),
    "merchant-unregistered": (
        WARNING,
        "the registry lacks a merchant's keys or terms, or its lanes are kept nowhere: what it owes the books waits",
    ),
    "merchant-restricted": (WARNING, "the registry lets a merchant sign little: what else it owes the books waits"),
    "mirror-behind": (WARNING, "a mirror lacks a published batch"),
    "nets-unlike-ledger": (URGENT, "a batch's nets are not the ledger's own positions at its end"),
    "nodes-disagree": (
        URGENT,
        "two nodes say different things about a final block; nothing is called final until they agree",
    ),
    "not-reproducible": (URGENT, "a stored batch does not come out the same again"),
    "recoveries-untold": (WARNING, "what defaulters repaid or creditors collected is not in the ledger yet"),
    "sender-shared": (URGENT, "the pool holds transactions of our account that this database did not sign"),
    "shortage": (WARNING, "a merchant's collateral fell short of its net when a batch was committed"),
    "signer-refused": (URGENT, "the signer elsewhere gives no signature"),
    "task-parked": (URGENT, "a periodic task failed too often; a person looks, and releases it"),
    "tier-epoch-conflict": (URGENT, "another header stands on the chain under the number of an epoch of tiers"),
    "tier-epoch-gone": (URGENT, "a final block held an epoch of tiers, and the chain holds it no more"),
    "tier-epoch-stuck": (URGENT, "an epoch of tiers cannot go on by itself; without it no tier can be proven"),
    "tier-epoch-unrevoked": (
        URGENT,
        "an epoch was revoked here; on the chain it counts until a guardian revokes it there",
    ),
    "transaction-failed": (URGENT, "a transaction failed as often as we try"),
    "watch-behind": (WARNING, "the chain's events are read later than they should be"),
    "wide-root": (WARNING, "thirty people or more stand under one root of referrals; a person looks at it"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something a person should look at; `place` names the batch, merchant, contract or mirror it is about."""

    code: str
    place: str
    expected: str
    actual: str

    @property
    def severity(self) -> str:
        return CODES[self.code][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert as it is kept. Open while `resolved_at` is None."""

    id: int
    source: str
    code: str
    severity: str
    place: str
    expected: str
    actual: str
    first_seen: datetime
    last_seen: datetime
    resolved_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None


_RAISE = """
INSERT INTO settlement.alert AS held (source, code, severity, place, expected, actual)
VALUES (%(source)s, %(code)s, %(severity)s, %(place)s, %(expected)s, %(actual)s)
ON CONFLICT (code, place) WHERE resolved_at IS NULL DO UPDATE SET
    last_seen = greatest(held.last_seen, clock_timestamp()), expected = excluded.expected, actual = excluded.actual
RETURNING first_seen = last_seen
"""
_RESOLVE = """
UPDATE settlement.alert SET resolved_at = greatest(last_seen, clock_timestamp())
WHERE resolved_at IS NULL AND source = %(source)s AND NOT (code, place) IN (
    SELECT * FROM unnest(%(codes)s::text[], %(places)s::text[]))
RETURNING code, place
"""
_READ = """
SELECT id, source, code, severity, place, expected, actual, first_seen, last_seen, resolved_at, acknowledged_at,
    acknowledged_by
FROM settlement.alert WHERE (resolved_at IS NULL OR %(resolved)s) AND id < %(before)s ORDER BY id DESC LIMIT %(limit)s
"""
_ACKNOWLEDGE = """
UPDATE settlement.alert SET acknowledged_at = coalesce(acknowledged_at, greatest(last_seen, clock_timestamp())),
    acknowledged_by = coalesce(acknowledged_by, %(by)s)
WHERE id = %(id)s
RETURNING id, source, code, severity, place, expected, actual, first_seen, last_seen, resolved_at, acknowledged_at,
    acknowledged_by
"""
_ID_MAX = 2**62
_OF_PEOPLE = frozenset({"long-chain", "wide-root"})
"""Whose place and figures name members: they stand in the table, for those who may read it, and not in the log."""


def keep(conn: Conn, source: str, found: Iterable[Alert], *, untold: Iterable[Alert] = ()) -> None:
    """What `source` finds now, all of it: new ones are raised, what it found earlier and no longer does is resolved.
    What is `untold` was found too: it raises nothing, and if it was raised before it stays.
    """
    found = list(found)
    there = [*found, *untold]
    with conn.transaction():
        for alert in found:
            report(conn, source, alert)
        places = {"codes": [alert.code for alert in there], "places": [alert.place for alert in there]}
        gone = conn.execute(_RESOLVE, {"source": source, **places}).fetchall()
    for code, place in gone:
        log.info("alert resolved", source=source, code=code, **({} if code in _OF_PEOPLE else {"place": place}))


def report(conn: Conn, source: str, alert: Alert) -> None:
    """Raise one, or see it again."""
    fields = {"code": alert.code, "place": alert.place, "expected": alert.expected, "actual": alert.actual}
    row = conn.execute(_RAISE, {"source": source, "severity": alert.severity, **fields}).fetchone()
    if row is not None and row[0]:
        shown = {"code": alert.code} if alert.code in _OF_PEOPLE else fields
        log.warning("alert", source=source, severity=alert.severity, **shown)


def alerts(
    conn: Conn, *, resolved: bool = False, before: int = _ID_MAX, limit: int = ALERTS_SHOWN_MAX
) -> list[AlertRow]:
    """The open alerts, or all of them, newest first."""
    with conn.cursor(row_factory=class_row(AlertRow)) as cursor:
        return cursor.execute(_READ, {"resolved": resolved, "before": before, "limit": limit}).fetchall()


def acknowledge(conn: Conn, alert_id: int, *, by: str) -> AlertRow | None:
    """Write down who looks after it; the first who says so stays. None where there is no such alert. It stays open
    until its source no longer finds it: nobody makes a difference vanish by having seen it.
    """
    with conn.cursor(row_factory=class_row(AlertRow)) as cursor:
        return cursor.execute(_ACKNOWLEDGE, {"id": alert_id, "by": by}).fetchone()

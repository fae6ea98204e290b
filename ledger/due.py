"""What time alone brings about: holds of orders that are over, authorisations that lapse, lots that expire. Reading
only; whoever owns a clock (the door's clockwork) asks, and posts what it is answered.

Each command happened when it fell due, so that asking late changes nothing but when it is recorded. Posting one twice
does nothing twice: the same key is the same answer, and under another key the verb finds it done. What was refused
because its issuer was at its limit is asked again under the next hour's key, so that waiting leaves one answer an hour
and order. Rows are found by the partial indexes of migration `due`, earliest first.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import psycopg

from ledger.commands import ChargeFees, Command, Confirm, Expire, LapseHold

Connection = psycopg.Connection[Any]

DUE_PER_READ_MAX = 1_000
HOUR_MS = 3_600_000
_CONFIRM, _LAPSE = 1, 2

# Of what falls due at one instant, confirmations come first and may repay a debt; what lapses may expire at once. The
# kind of redemptions' records stands as a figure, because the partial index does.
_DUE = """
(SELECT confirm_from_ms AS at_ms, 1 AS what, merchant_id AS party, name FROM ledger.orders
 WHERE shard = 0 AND confirmed_at_ms IS NULL AND refunded_minor < amount_minor AND confirm_from_ms <= %(at_ms)s
   AND NOT merchant_id = ANY(%(waiting)s)
 ORDER BY confirm_from_ms LIMIT %(limit)s)
UNION ALL
(SELECT substring(body FROM '"hold_until_ms":([0-9]+)')::bigint, 2, party, name FROM ledger.record
 WHERE shard = 0 AND kind = 1 AND body LIKE '%%"state":"held"%%'
   AND substring(body FROM '"hold_until_ms":([0-9]+)')::bigint <= %(at_ms)s
 ORDER BY 1 LIMIT %(limit)s)
UNION ALL
(SELECT DISTINCT expires_at_ms, 3, 0, name FROM (
    SELECT l.expires_at_ms, m.name FROM ledger.lot l JOIN ledger.member m ON m.shard = 0 AND m.member_no = l.member_no
    WHERE l.shard = 0 AND l.open AND l.expires_at_ms <= %(at_ms)s ORDER BY l.expires_at_ms LIMIT %(limit)s
 ) AS lots)
ORDER BY at_ms, what, party, name LIMIT %(limit)s
"""


def due(conn: Connection, at_ms: int, *, limit: int = DUE_PER_READ_MAX, waiting: Collection[int] = ()) -> list[Command]:
    """What fell due by `at_ms` and was not done yet, in the order in which it did, at most `limit` of it; orders of the
    merchants `waiting` are left out.
    """
    seq = conn.execute("SELECT seq FROM ledger.head WHERE shard = 0").fetchone()
    rows = conn.execute(_DUE, {"at_ms": at_ms, "limit": min(limit, DUE_PER_READ_MAX), "waiting": list(waiting)})
    return [_command(*row, read_at=seq[0] if seq else 0, hour=at_ms // HOUR_MS) for row in rows]


def charge(cycle: str, over_at_ms: int) -> ChargeFees:
    """The end of a cycle at its time. An operator who ended one of that name by hand has done it already."""
    return ChargeFees(key=f"due:cycle:{cycle}", at_ms=over_at_ms, cycle=cycle)


def _command(at_ms: int, what: int, party: int, name: str, *, read_at: int, hour: int) -> Command:
    if what == _CONFIRM:
        return Confirm(key=f"due:confirm:{party}:{name}:{hour}", at_ms=at_ms, order_merchant_id=party, order=name)
    if what == _LAPSE:
        return LapseHold(key=f"due:lapse:{party}:{name}", at_ms=at_ms, merchant_id=party, redemption=name)
    # A lot that expired may come back by a cancellation and expire again: the position tells the two apart.
    return Expire(key=f"due:expire:{name}:{at_ms}:{read_at}", at_ms=at_ms, member=name)

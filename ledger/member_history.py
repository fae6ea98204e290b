"""What may be asked about one member: who it is, its lots of one issuer, its entries with one issuer, page by page.

Reading only, bounded, from the indexes of accounts and open lots; entries and lots of other issuers are not looked at,
so that whoever may see one issuer's points sees nothing else. Everybody above may call it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import psycopg

from ledger.accounts import Family
from ledger.answers import LotId, Receipt, parse_receipt

Connection = psycopg.Connection[Any]

ROWS_PER_PAGE_MAX = 200
POSTINGS_PER_ENTRY_MAX = 300
"""Of one account: lots are drawn by (issuer, terms), and an issuer has few terms."""


class Person(NamedTuple):
    """A member as it stands: `merged_into` and `referrer` are names; `tier` is the last one recorded, "" before it."""

    number: int
    name: str
    merged_into: str | None
    referrer: str | None
    bonded: bool
    frozen: bool
    closed: bool
    tier: str
    tier_since_ms: int
    account: int
    """Whose accounts and lots are meant: the member's own number, or that of whom it was merged into."""


class OpenLot(NamedTuple):
    """Points of one rate and expiry that are not used up; times are None while they are pending. `order` brought them,
    None where no order did.
    """

    lot: LotId
    points: int
    remaining: int
    terms_id: int
    order: str | None
    confirmed_at_ms: int | None
    expires_at_ms: int | None


class Place(NamedTuple):
    """How far a member's entries were read, downwards: the next `n` of its confirmed, pending and held account."""

    confirmed: int
    pending: int
    held: int


class Change(NamedTuple):
    """One entry that touched the member's accounts with an issuer: what each changed by and came to, 0 and None where
    it was not touched.
    """

    receipt: Receipt
    points: int
    pending: int
    held: int
    points_after: int | None
    pending_after: int | None
    held_after: int | None


NEWEST = Place(2**62, 2**62, 2**62)
_FAMILIES = (Family.MEMBER, Family.PENDING, Family.HELD)

_PERSON = """
SELECT p.member_no, p.name, into_.name, r.name, p.bonded, p.frozen, p.closed, p.tier, p.tier_since_ms,
       coalesce(p.merged_into, p.member_no)
FROM ledger.person p
LEFT JOIN ledger.member into_ ON into_.shard = p.shard AND into_.member_no = p.merged_into
LEFT JOIN ledger.member r ON r.shard = p.shard AND r.member_no = p.referrer_no
WHERE p.shard = 0 AND """
_BY_NAME, _BY_NUMBER = _PERSON + "p.name = %s", _PERSON + "p.member_no = %s"
_LOTS = """
SELECT l.seq, l.no, l.points, l.remaining, l.terms_id, o.name, l.confirmed_at_ms, l.expires_at_ms
FROM ledger.lot l
LEFT JOIN LATERAL (
    SELECT (command::json)->>'order' AS name FROM ledger.journal j WHERE j.shard = l.shard AND j.seq = l.seq
) o ON true
WHERE l.shard = 0 AND l.member_no = %s AND l.open AND l.issuer = %s AND (l.seq, l.no) > (%s, %s)
ORDER BY l.seq, l.no LIMIT %s
"""
_CHANGES = """
SELECT f.family, p.n, p.seq, p.amount, p.balance
FROM unnest(%s::smallint[], %s::bigint[]) AS f (family, below)
CROSS JOIN LATERAL (
    SELECT n, seq, amount, balance FROM ledger.posting
    WHERE shard = 0 AND family = f.family AND unit = %s AND party = %s AND n < f.below
    ORDER BY n DESC LIMIT %s
) p
"""
_RECEIPTS = "SELECT seq, receipt FROM ledger.journal WHERE shard = 0 AND seq = ANY(%s)"


def person(conn: Connection, name: str) -> Person | None:
    """The member of this name, None if nobody has it."""
    row = conn.execute(_BY_NAME, [name]).fetchone()
    return Person(*row) if row else None


def person_numbered(conn: Connection, member_no: int) -> Person | None:
    """The member who joined under this number; whom it means by now is its `account`."""
    row = conn.execute(_BY_NUMBER, [member_no]).fetchone()
    return Person(*row) if row else None


def referred(conn: Connection, member_no: int) -> int:
    """How many members this one brought."""
    row = conn.execute(
        "SELECT count(*) FROM ledger.membership WHERE shard = 0 AND referrer_no = %s", [member_no]
    ).fetchone()
    return int(row[0]) if row else 0


def lots(conn: Connection, member_no: int, issuer: int, *, after: LotId, limit: int) -> list[OpenLot]:
    """The member's open lots of this issuer after `after`, in the order in which they were made."""
    rows = conn.execute(_LOTS, [member_no, issuer, *after, min(limit, ROWS_PER_PAGE_MAX)])
    return [OpenLot(LotId(seq, no), *rest) for seq, no, *rest in rows]


def changes(
    conn: Connection, member_no: int, issuer: int, *, below: Place, limit: int
) -> tuple[list[Change], Place | None]:
    """At most `limit` entries that touched the member's accounts with this issuer, newest first, and where the next
    page begins, None at the end.
    """
    wanted = min(limit, ROWS_PER_PAGE_MAX)
    read_max = wanted + POSTINGS_PER_ENTRY_MAX
    rows = conn.execute(_CHANGES, [[each.value for each in _FAMILIES], list(below), issuer, member_no, read_max])
    found = _whole(sorted(rows.fetchall(), key=lambda row: (-row[2], row[0], -row[1])), read_max)
    entries = [(seq, list(postings)) for seq, postings in groupby(found, key=lambda row: row[2])]
    page = entries[:wanted]
    receipts = _receipts(conn, [seq for seq, _ in page])
    place = dict(zip((each.value for each in _FAMILIES), below, strict=True))
    for _, postings in page:
        for family, n, *_ in postings:
            place[family] = min(place[family], n)
    after = Place(*place.values()) if len(entries) > wanted else None
    return [_change(receipts[seq], postings) for seq, postings in page], after


def _whole(found: list[Any], read_max: int) -> list[Any]:
    """Without the entries that the limit may have cut: those as old as the last row of an account that filled it."""
    counts = Counter(row[0] for row in found)
    oldest = {row[0]: row[2] for row in found}
    horizon = max((oldest[family] for family, count in counts.items() if count == read_max), default=0)
    return [row for row in found if row[2] > horizon]


def _receipts(conn: Connection, seqs: list[int]) -> dict[int, Receipt]:
    return {seq: parse_receipt(receipt.encode()) for seq, receipt in conn.execute(_RECEIPTS, [seqs])}


def _change(receipt: Receipt, postings: list[Any]) -> Change:
    by_family = {family: list(_of(postings, family)) for family in _FAMILIES}
    sums = (sum(amount for amount, _ in by_family[family]) for family in _FAMILIES)
    after = (by_family[family][0][1] if by_family[family] else None for family in _FAMILIES)
    return Change(receipt, *sums, *after)


def _of(postings: list[Any], family: Family) -> Iterator[tuple[int, int]]:
    """(amount, balance) of one account's postings, the last one first."""
    return ((amount, balance) for kind, _, _, amount, balance in postings if kind == family)

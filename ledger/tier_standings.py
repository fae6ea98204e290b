"""How members stand at an instant, for whoever publishes tiers: rank, qualifying AU, worth of points, since and until
when. Reading only, a fixed number of statements for a page of members.

Invariants: a member's tier is what `ledger.standing` explains and its points are worth what `ledger.queries` says is
available, both judged at the same instant; members are given by the number of the person, not of an account that was
merged into it. Called by the sealing of epochs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import psycopg

from ledger.members import tiers
from ledger.points.lots import value_au
from ledger.registry import Registry

Connection = psycopg.Connection[Any]

MEMBERS_PER_READ_MAX = 10_000


class Standing(NamedTuple):
    """One member. `rank` is the tier's place in the table; `until_ms`, grace included, is when it falls if nothing more
    is bought, None when it does not.
    """

    member_no: int
    rank: int
    qualifying_au: int
    points_au: int
    since_ms: int
    until_ms: int | None


class _Recorded(NamedTuple):
    member_no: int
    tier: str
    tier_since_ms: int


# A probe of an index for each member, never a scan of everybody's lots: OFFSET 0 keeps a lateral subquery what it says.
_RECORDED = """
SELECT m.member_no, coalesce(s.tier, ''), coalesce(s.tier_since_ms, 0)
FROM unnest(%s::bigint[]) AS asked (member_no)
CROSS JOIN LATERAL (
    SELECT member_no FROM ledger.member WHERE shard = 0 AND member_no = asked.member_no OFFSET 0
) m
LEFT JOIN LATERAL (
    SELECT tier, tier_since_ms FROM ledger.membership WHERE shard = 0 AND member_no = asked.member_no OFFSET 0
) s ON true
ORDER BY m.member_no
"""
_BOUGHT = """
WITH person AS (
    SELECT unnest(%s::bigint[]) AS member_no
), account AS (
    SELECT member_no AS person, member_no FROM person
    UNION ALL
    SELECT p.member_no, s.member_no FROM person p
    CROSS JOIN LATERAL (
        SELECT member_no FROM ledger.membership WHERE shard = 0 AND merged_into = p.member_no OFFSET 0
    ) s
)
SELECT a.person, l.terms_id, l.standing, l.confirmed_at_ms FROM account a
CROSS JOIN LATERAL (
    SELECT terms_id, standing, confirmed_at_ms FROM ledger.lot
    WHERE shard = 0 AND role = 0 AND member_no = a.member_no AND confirmed_at_ms > %s OFFSET 0
) l
"""
_OPEN = """
SELECT asked.member_no, l.terms_id, l.points FROM unnest(%s::bigint[]) AS asked (member_no)
CROSS JOIN LATERAL (
    SELECT terms_id, sum(remaining)::bigint AS points FROM ledger.lot
    WHERE shard = 0 AND member_no = asked.member_no AND open AND confirmed_at_ms IS NOT NULL AND expires_at_ms > %s
    GROUP BY terms_id
) l
"""


def standings(conn: Connection, registry: Registry, members: Sequence[int], at_ms: int) -> Iterator[Standing]:
    """Everyone of `members` (at most MEMBERS_PER_READ_MAX) that exists, by number. The alliance has to have tiers."""
    settings = registry.tiers
    assert settings is not None, "whoever asks has seen that there are tiers"
    assert len(members) <= MEMBERS_PER_READ_MAX, "a page at a time"
    # As text, made once: the driver would make it of a list three times, with a search in each number.
    numbers = "{" + ",".join(map(str, members)) + "}"
    bought: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    span = [numbers, at_ms - tiers.span_ms(settings)]
    for person, terms_id, stands, confirmed in conn.execute(_BOUGHT, span, binary=True).fetchall():
        bought[person].append((confirmed, value_au(stands, registry.terms[terms_id])))
    worth = _worth(registry, conn.execute(_OPEN, [numbers, at_ms], binary=True).fetchall())
    ranks = {tier.code: rank for rank, tier in enumerate(settings.tiers)}
    for row in conn.execute(_RECORDED, [numbers], binary=True).fetchall():
        recorded = _Recorded(*row)
        over_time = tiers.over_time(settings, bought.get(recorded.member_no, ()))
        judged = tiers.judge(settings, recorded, over_time, at_ms)
        rank, points_au = ranks[judged.tier], worth.get(recorded.member_no, 0)
        _, until = tiers.kept(settings, judged, rank, over_time, at_ms)
        yield Standing(recorded.member_no, rank, judged.qualifying_au, points_au, judged.since_ms, until)


def _worth(registry: Registry, rows: Iterable[Sequence[int]]) -> dict[int, int]:
    """AU by member: each set of terms floored once, without issuers whose run-off is over."""
    found: dict[int, int] = {}
    for member_no, terms_id, points in rows:
        terms = registry.terms[terms_id]
        if not registry.is_closed(terms.issuer_id):
            found[member_no] = found.get(member_no, 0) + value_au(points, terms)
    return found

"""Chain watch: what in the referral graph a person should look at. Pure rules over rows that one statement reads; an
alert carries its evidence. Reading only, on the caller's connection.

Two alerts: a chain of bonds that reaches CHAIN_MEMBERS_MIN people counting its root, and DOWNLINE_MEMBERS_MIN people
under one root. A root is a person whom nobody referred; accounts that were merged are one person. Nothing is decided
here: stopping a campaign or freezing a member is for a person to order. The periodic task `chains` asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import psycopg

Connection = psycopg.Connection[Any]

CHAIN_MEMBERS_MIN = 3
"""People in a chain, its root counted, from which it is told."""
DOWNLINE_MEMBERS_MIN = 30
"""People under one root from which it is told."""
EVIDENCE_MEMBERS_MAX = 100
"""Names that one alert lists."""


class Alert(NamedTuple):
    """`kind` is long-chain or wide-root; `people` reached `people_min`; `evidence` are the members that make it: the
    chain from its root down, or those under the root, nearest first, at most EVIDENCE_MEMBERS_MAX.
    """

    kind: str
    root: str
    people: int
    people_min: int
    evidence: tuple[str, ...]


_BONDS = """
SELECT coalesce(i.name, p.name), coalesce(ri.name, r.name)
FROM ledger.membership s
JOIN ledger.person p ON p.shard = s.shard AND p.member_no = s.member_no
JOIN ledger.person r ON r.shard = s.shard AND r.member_no = s.referrer_no
LEFT JOIN ledger.person i ON i.shard = p.shard AND i.member_no = p.merged_into
LEFT JOIN ledger.person ri ON ri.shard = r.shard AND ri.member_no = r.merged_into
WHERE s.shard = 0 AND s.referrer_no IS NOT NULL AND s.merged_into IS NULL
"""


_CHANGED = """
SELECT coalesce(bool_or(verb IN ('bind_referral', 'merge', 'unmerge')), false), coalesce(max(seq), %(after)s)
FROM ledger.journal WHERE shard = 0 AND seq > %(after)s
"""


def changed(conn: Connection, after_seq: int) -> tuple[bool, int]:
    """Whether the graph changed behind entry `after_seq`, and the journal's last entry."""
    row = conn.execute(_CHANGED, {"after": after_seq}).fetchone()
    assert row is not None, "an aggregate always answers"
    return row[0], row[1]


def chains(conn: Connection) -> list[Alert]:
    """Every alert of the referral graph as it stands."""
    return alerts(dict(conn.execute(_BONDS).fetchall()))


def alerts(referrer_of: Mapping[str, str]) -> list[Alert]:
    """The alerts of a graph without cycles, given as member -> referrer; by root, the chain before the width."""
    below = _below(referrer_of)
    roots = sorted(below.keys() - referrer_of.keys())
    return [alert for root in roots for alert in _of_root(root, below)]


def _below(referrer_of: Mapping[str, str]) -> dict[str, list[str]]:
    below: dict[str, list[str]] = {}
    for member, referrer in sorted(referrer_of.items()):
        below.setdefault(referrer, []).append(member)
    return below


def _of_root(root: str, below: Mapping[str, list[str]]) -> Iterable[Alert]:
    """One walk, level by level, keeps for everybody the chain that leads there."""
    came_by: dict[str, str] = {}
    level, everybody, deepest = [root], list[str](), root
    while level:
        deepest = level[0]
        for member in level:
            came_by.update(dict.fromkeys(below.get(member, ()), member))
        level = [each for member in level for each in below.get(member, ())]
        everybody += level
    chain = [deepest]
    while chain[-1] != root:
        chain.append(came_by[chain[-1]])
    if len(chain) >= CHAIN_MEMBERS_MIN:
        yield _alert("long-chain", root, len(chain), CHAIN_MEMBERS_MIN, chain[::-1])
    if len(everybody) >= DOWNLINE_MEMBERS_MIN:
        yield _alert("wide-root", root, len(everybody), DOWNLINE_MEMBERS_MIN, everybody)


def _alert(kind: str, root: str, people: int, people_min: int, evidence: list[str]) -> Alert:
    return Alert(kind, root, people, people_min, tuple(evidence[:EVIDENCE_MEMBERS_MAX]))

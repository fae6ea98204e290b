"""Tiers of the demonstration's members, and their commitments.

Invariants: thresholds follow from what was bought, so that any file has a quarter of its members in gold; they are set
once, as a ledger's tiers are; a policy that fewer than a cohort fit is not asked; secrets of members whose device
nobody plays are drawn and forgotten at once. Called by the demonstration's run and `showing`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from ledger import queries
from ledger.answers import Receipt
from ledger.commands.configuring import SetTiers, Tier
from ledger.poster import Poster
from ledger.registry import Registry
from ledger.tier_standings import MEMBERS_PER_READ_MAX, standings
from proofs.tier.cohorts import MEMBERS_MIN
from proofs.tier.statement import commitment
from proofs.words import uint_word
from settlement.tiers import commitments
from settlement.tiers.clock import EpochClock

CODES: Final = ("regular", "silver", "gold")
SILVER_PERCENT, GOLD_PERCENT = 60, 25
"""So many of a hundred members reach them."""
FIGURES_KEPT: Final = 2
WINDOW_MS: Final = 20 * 366 * 86_400_000
"""Everything that was ever bought counts, however old a file is."""
GRACE_MS: Final = 30 * 86_400_000
SECRET_BITS: Final = 248

Connection = psycopg.Connection[Any]

_EVERYBODY = """
SELECT member_no, name FROM ledger.person WHERE shard = 0 AND NOT closed AND NOT frozen AND merged_into IS NULL
"""
_WITHOUT_COMMITMENT = """
SELECT p.name FROM ledger.person p WHERE p.shard = 0 AND NOT p.closed AND p.merged_into IS NULL AND NOT EXISTS (
    SELECT 1 FROM settlement.tier_commitment k WHERE k.shard = 0 AND k.member_no = p.member_no)
ORDER BY p.member_no
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's name, and how it stands."""

    name: str
    rank: int
    bought_au: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What partners ask: this rank or a higher one, which so many members have. `shows` is one of them."""

    rank: int
    members: int
    shows: str


def set_tiers(conn: Connection, poster: Poster, at_ms: int) -> None:
    """Give the alliance its tiers, unless it has some."""
    registry = queries.registry(conn)
    if registry.tiers is not None:
        return
    registry.tiers = _tiers((0,), at_ms)
    bought = [each.bought_au for each in _standings(conn, registry, at_ms)]
    if bought:
        [answer] = poster.post([_tiers(thresholds(bought), at_ms)])
        assert isinstance(answer.outcome, Receipt), answer.outcome


def thresholds(bought: Sequence[int]) -> tuple[int, ...]:
    """Qualifying AU of the tiers, ascending from 0, rounded down to FIGURES_KEPT figures; of equal ones, one."""
    ranked = sorted(bought, reverse=True)
    reached = [ranked[len(ranked) * percent // 100] for percent in (SILVER_PERCENT, GOLD_PERCENT)]
    return tuple(sorted({0, *map(_rounded, reached)}))


def _rounded(au: int) -> int:
    unit = int("1".ljust(len(str(au)) - FIGURES_KEPT + 1, "0"))
    return au // unit * unit


def _tiers(reached: Sequence[int], at_ms: int) -> SetTiers:
    tiers = tuple(Tier(code=code, qualifying_au=au) for code, au in zip(CODES, reached, strict=False))
    return SetTiers(key="demo-tiers", at_ms=at_ms, tiers=tiers, window_ms=WINDOW_MS, grace_ms=GRACE_MS)


def asked_of(conn: Connection, at_ms: int) -> Asked | None:
    """The highest tier that a cohort of members has, None where no tier above the first has so many."""
    found = _standings(conn, queries.registry(conn), at_ms)
    for rank in sorted({each.rank for each in found if each.rank}, reverse=True):
        fit = [each for each in found if each.rank >= rank]
        if len(fit) >= MEMBERS_MIN:
            return Asked(rank, len(fit), fit[0].name)
    return None


def _standings(conn: Connection, registry: Registry, at_ms: int) -> list[Standing]:
    """Everybody, by number."""
    if registry.tiers is None:
        return []
    names = dict(conn.execute(_EVERYBODY).fetchall())
    numbers = sorted(names)
    pages = (numbers[begin : begin + MEMBERS_PER_READ_MAX] for begin in range(0, len(numbers), MEMBERS_PER_READ_MAX))
    judged = (each for page in pages for each in standings(conn, registry, page, at_ms))
    return [Standing(names[each.member_no], each.rank, each.qualifying_au) for each in judged]


def waiting(conn: Connection) -> list[str]:
    """Members that have no commitment yet."""
    return [name for (name,) in conn.execute(_WITHOUT_COMMITMENT)]


def enrol(
    conn: Connection, clock: EpochClock, members: Sequence[str], *, now: int, progress: Callable[[int], None]
) -> int:
    """Let every one of them be known by a commitment, as if its device had drawn it; the first epoch with all of them,
    0 for nobody.
    """
    first = 0
    for member in members:
        drawn = commitment(secrets.randbits(SECRET_BITS))
        first = max(first, commitments.enrol(conn, clock, member, uint_word(drawn), now=now).from_epoch)
        progress(1)
    return first

"""How many members a predicate fits, published in steps: a wallet declines where its owner would stand out.

    {"version": 1, "steps": [50, 100, 200, ..], "cohorts": [[tier_mask, metric, lo, hi, since_max, members], ..]}

`members` is the highest step that the count reaches, so that subtracting neighbours seldom says anything; predicates
that fit fewer than the first step are left out. Counts are of an epoch's members, each
with the attributes of its leaf, whatever `valid_on` and `key_epoch_max` are later asked. Invariants: rows are sorted,
each predicate stands once; one table has one text, whose hash is in the epoch's header. Called by the sealing of epochs
and by wallets.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final, Protocol, Self

from proofs.keccak import keccak256
from proofs.tier.attributes import TIER_RANK_MAX
from proofs.tier.decoding import DecodingError, Fields, canonical, decimal, small
from proofs.tier.grid import PREDICATES_MAX, PolicyGrid, Predicate
from proofs.tier.policy import Metric, Policy

VERSION: Final = 1
MEMBERS_MIN: Final = 50
"""The smallest cohort that is published or proven in."""
STEPS: Final = tuple(sorted(MEMBERS_MIN * factor * 10**power for power in range(6) for factor in (1, 2, 4)))


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Members at least, by predicate; what is not here is too few."""

    members: Mapping[Predicate, int]

    def of(self, policy: Policy) -> int:
        """The step that the policy's predicate reaches, 0 when it is none that is published."""
        return self.members.get(Predicate.of(policy), 0)

    def to_json(self) -> dict[str, Any]:
        """The form that is published and hashed."""
        rows = [
            [each.tier_mask, each.metric, str(each.lo), str(each.hi), each.since_max, count]
            for each, count in sorted(self.members.items())
        ]
        return {"version": VERSION, "steps": list(STEPS), "cohorts": rows}

    @classmethod
    def from_json(cls, form: Mapping[str, Any], where: str = "cohorts") -> Self:
        """The table whose form this is. Raises `DecodingError` naming the row."""
        fields = Fields.of(form, where, ("version", "steps", "cohorts"))
        if fields.small("version") != VERSION or fields.items("steps", len(STEPS)) != list(STEPS):
            raise DecodingError(fields.at("version"), f"only version {VERSION} and its steps are known")
        rows = fields.items("cohorts", PREDICATES_MAX)
        read = [_row(row, f"{where}.cohorts[{at}]") for at, row in enumerate(rows)]
        if any(before >= after for (before, _), (after, _) in pairwise(read)):
            raise DecodingError(fields.at("cohorts"), "rows are not in rising order")
        return cls(dict(read))

    def hash(self) -> bytes:
        """keccak256 of the canonical JSON, as headers carry it."""
        return keccak256(canonical(self.to_json()))


ROW_PLACES: Final = 6
_Cell = tuple[int, int, int]
"""Tier, band of the amount, band of joining."""


def _row(row: object, where: str) -> tuple[Predicate, int]:
    if not isinstance(row, list) or len(row) != ROW_PLACES:
        raise DecodingError(where, "a row has six places")
    mask, metric, lo, hi, since, count = row
    members = small(count, where)
    if members not in STEPS:
        raise DecodingError(where, "counts are published in steps")
    bounds = decimal(lo, where, 64), decimal(hi, where, 64)
    return Predicate(small(mask, where, 16), small(metric, where, 1), *bounds, small(since, where)), members


class Counted(Protocol):
    """What counts of a member: `Attributes`, or a row that says as much."""

    @property
    def points(self) -> int: ...
    @property
    def spend(self) -> int: ...
    @property
    def since(self) -> int: ...
    @property
    def tier(self) -> int: ...


def counted(grid: PolicyGrid, members: Iterable[Counted]) -> Cohorts:
    """Count every predicate of the grid over an epoch's members, each of whom is looked at once.

    Members are sorted into cells (tier, band of the metric, band of joining); a predicate's count is a sum of cells.
    """
    points, spend = Counter[_Cell](), Counter[_Cell]()
    edges, dates = {Metric.POINTS: grid.points_edges, Metric.SPEND: grid.spend_edges}, grid.since_edges
    of_points, of_spend = edges[Metric.POINTS], edges[Metric.SPEND]
    for member in members:
        # A member of the second of an edge is in the band that ends there.
        tier, date = member.tier, bisect_left(dates, member.since)
        points[tier, bisect_right(of_points, member.points), date] += 1
        spend[tier, bisect_right(of_spend, member.spend), date] += 1
    cells = {Metric.POINTS: points, Metric.SPEND: spend}
    tables = {metric: _table(cells[metric], len(edges[metric]) + 1, len(dates) + 1) for metric in cells}
    found = {}
    for each in grid.predicates():
        metric = Metric(each.metric)
        low, high = bisect_right(edges[metric], each.lo), bisect_right(edges[metric], each.hi)
        date = bisect_left(dates, each.since_max)
        count = sum(
            row[high + 1] - row[low]
            for tier in range(TIER_RANK_MAX + 1)
            if each.tier_mask >> tier & 1
            for row in (tables[metric][tier][date],)
        )
        if step := step_of(count):
            found[each] = step
    return Cohorts(found)


def _table(cells: Mapping[_Cell, int], bands: int, dates: int) -> list[list[list[int]]]:
    """By tier and band of joining: how many joined in that band or before and are below each band of the amount."""
    tables = []
    for tier in range(TIER_RANK_MAX + 1):
        joined = [[cells.get((tier, band, date), 0) for date in range(dates)] for band in range(bands)]
        until = [list(accumulate(row)) for row in joined]
        tables.append([[0, *accumulate(row[date] for row in until)] for date in range(dates)])
    return tables


def step_of(count: int) -> int:
    """The highest step that a count reaches, 0 when it reaches none."""
    at = bisect_right(STEPS, count)
    return STEPS[at - 1] if at else 0

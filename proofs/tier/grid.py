"""The published grid: which policies may be asked in an epoch at all, so that no partner narrows members down.

A grid lists the tier masks, the edges between which amounts may be bounded and the dates of joining, and the steps of
what changes with time. Its hash is in the epoch's signed header. A policy is on the grid when each of its parts is;
the parts that say who the member is, without those that change with time, are a `Predicate`: there are finitely many.

    {"version": 1, "tier_masks": [65534, ..], "points_edges": ["100", ..], "spend_edges": [..], "since_edges": [..],
     "valid_on_step_seconds": 86400, "key_epoch_step": 1, "max_uses_max": 12}

Invariants: lists are sorted and without repetition; one grid has one text. Called by the sealing of epochs, by wallets
and by partners who want to know what they may ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, Self

from proofs.keccak import keccak256
from proofs.tier.decoding import DecodingError, Fields, canonical, decimal, small
from proofs.tier.policy import AMOUNT_MAX, ANY_TIER, EPOCH_MAX, SECONDS_MAX, Metric, Policy

VERSION: Final = 1
EDGES_MAX: Final = 32
MASKS_MAX: Final = 32
PREDICATES_MAX: Final = 20_000

_FIELDS: Final = (
    *("version", "tier_masks", "points_edges", "spend_edges", "since_edges"),
    *("valid_on_step_seconds", "key_epoch_step", "max_uses_max"),
)


@dataclass(frozen=True, slots=True, order=True)
class Predicate:
    """The part of a policy that is counted: the same for every day, key and number of uses."""

    tier_mask: int
    metric: int
    lo: int
    hi: int
    since_max: int

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """Bounds that bind nobody are bounds of points, whatever metric was named."""
        unbound = (policy.lo, policy.hi) == (0, AMOUNT_MAX)
        metric = int(Metric.POINTS) if unbound else policy.metric
        return cls(policy.tier_mask, metric, policy.lo, policy.hi, policy.since_max)

    def as_policy(self) -> Policy:
        """The widest policy of this predicate."""
        return Policy(**asdict(self))


@dataclass(frozen=True, slots=True)
class PolicyGrid:
    """Edges divide amounts: each edge is the first amount of the band above it. Any mask of all tiers, any amount and
    any date of joining need not be listed.
    """

    tier_masks: tuple[int, ...] = ()
    points_edges: tuple[int, ...] = ()
    spend_edges: tuple[int, ...] = ()
    since_edges: tuple[int, ...] = ()
    valid_on_step_seconds: int = 86_400
    key_epoch_step: int = 1
    max_uses_max: int = 12

    def off(self, policy: Policy) -> str | None:
        """The name of the first part of a policy that is not on the grid, None when all are."""
        edges = self.spend_edges if policy.metric == Metric.SPEND else self.points_edges
        checks = (
            ("tier_mask", policy.tier_mask == ANY_TIER or policy.tier_mask in self.tier_masks),
            ("lo", policy.lo == 0 or policy.lo in edges),
            ("hi", (policy.lo, policy.hi) in bands(edges)),
            ("since_max", policy.since_max == SECONDS_MAX or policy.since_max in self.since_edges),
            ("valid_on", policy.valid_on % self.valid_on_step_seconds == 0),
            ("key_epoch_max", policy.key_epoch_max == EPOCH_MAX or policy.key_epoch_max % self.key_epoch_step == 0),
            ("max_uses", 0 < policy.max_uses <= self.max_uses_max),
        )
        return next((name for name, fine in checks if not fine), None)

    def predicates(self) -> Iterator[Predicate]:
        """Every predicate that may be asked, each once."""
        amounts = [
            *((int(Metric.POINTS), band) for band in bands(self.points_edges)),
            *((int(Metric.SPEND), band) for band in bands(self.spend_edges) if band != (0, AMOUNT_MAX)),
        ]
        for mask in (ANY_TIER, *(mask for mask in self.tier_masks if mask != ANY_TIER)):
            for metric, (lo, hi) in amounts:
                for since in (*self.since_edges, SECONDS_MAX):
                    yield Predicate(mask, metric, lo, hi, since)

    def to_json(self) -> dict[str, Any]:
        """The form that is published and hashed."""
        return {
            "version": VERSION,
            "tier_masks": list(self.tier_masks),
            "points_edges": [str(edge) for edge in self.points_edges],
            "spend_edges": [str(edge) for edge in self.spend_edges],
            "since_edges": list(self.since_edges),
            "valid_on_step_seconds": self.valid_on_step_seconds,
            "key_epoch_step": self.key_epoch_step,
            "max_uses_max": self.max_uses_max,
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any], where: str = "policy_grid") -> Self:
        """The grid whose form this is. Raises `DecodingError` naming the field."""
        fields = Fields.of(form, where, _FIELDS)
        if fields.small("version") != VERSION:
            raise DecodingError(fields.at("version"), f"only version {VERSION} is known")
        made = cls(
            tier_masks=_rising(fields, "tier_masks", MASKS_MAX, decimals=False, bits=16),
            points_edges=_rising(fields, "points_edges", EDGES_MAX, decimals=True, bits=64),
            spend_edges=_rising(fields, "spend_edges", EDGES_MAX, decimals=True, bits=64),
            since_edges=_rising(fields, "since_edges", EDGES_MAX, decimals=False, bits=32),
            valid_on_step_seconds=fields.small("valid_on_step_seconds"),
            key_epoch_step=fields.small("key_epoch_step"),
            max_uses_max=fields.small("max_uses_max", 8),
        )
        for name in ("valid_on_step_seconds", "key_epoch_step", "max_uses_max"):
            if not getattr(made, name):
                raise DecodingError(fields.at(name), "is not zero")
        if sum(1 for _ in made.predicates()) > PREDICATES_MAX:
            raise DecodingError(where, f"allows more than {PREDICATES_MAX} predicates")
        return made

    def hash(self) -> bytes:
        """keccak256 of the canonical JSON, as headers carry it."""
        return keccak256(canonical(self.to_json()))


def bands(edges: Sequence[int]) -> list[tuple[int, int]]:
    """All amounts, everything from an edge on, everything below it, and each band between neighbours."""
    below = [(0, edge - 1) for edge in edges if edge]
    above = [(edge, AMOUNT_MAX) for edge in edges if edge]
    between = [(low, high - 1) for low, high in pairwise(edges)]
    return sorted({(0, AMOUNT_MAX), *below, *above, *between})


def _rising(fields: Fields, name: str, items_max: int, *, decimals: bool, bits: int) -> tuple[int, ...]:
    where, read = fields.at(name), decimal if decimals else small
    values = [read(item, f"{where}[{at}]", bits) for at, item in enumerate(fields.items(name, items_max))]
    if any(low >= high for low, high in pairwise(values)):
        raise DecodingError(where, "is not in rising order")
    return tuple(values)

"""What a partner may ask of a member's attributes: one predicate, packed into one public signal of 249 bits.

Invariants: ranges are checked when an instance is made; `admits` decides as the circuit does, in the order of the
statement. Whether a policy is coarse enough to be asked is the matter of `proofs.tier.grid`. Called by everything that
asks, shows, proves or verifies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import ClassVar

from proofs.tier.attributes import TIER_RANK_MAX, Attributes
from proofs.tier.packing import Packed

AMOUNT_MAX = 2**64 - 1
SECONDS_MAX = 2**32 - 1
EPOCH_MAX = 2**32 - 1
"""A bound that binds nobody: no upper end, any time of joining, a key of any age."""
ANY_TIER = (1 << (TIER_RANK_MAX + 1)) - 1


class Metric(IntEnum):
    """Which amount the bounds speak of."""

    POINTS = 0
    """What the member holds now."""
    SPEND = 1
    """What the member has bought, as far as it counts for growth."""


class Unmet(StrEnum):
    """Which part of a policy attributes do not meet."""

    TIER = "the tier is not one of those asked for"
    LOW = "the amount is below the lower bound"
    HIGH = "the amount is above the upper bound"
    SINCE = "the membership began too late"
    VALID = "the tier is not valid long enough"
    KEY = "the member's key is too new"
    USE = "the number of the use is not below the number of uses"


@dataclass(frozen=True, slots=True)
class Policy(Packed):
    """Bounds are inclusive. `tier_mask` has the bit of each rank that will do; `valid_on` is the second at which the
    tier still has to hold.
    """

    LAYOUT: ClassVar[tuple[tuple[str, int], ...]] = (
        ("lo", 64),
        ("hi", 64),
        ("since_max", 32),
        ("valid_on", 32),
        ("key_epoch_max", 32),
        ("tier_mask", 16),
        ("metric", 1),
        ("max_uses", 8),
    )

    lo: int = 0
    hi: int = AMOUNT_MAX
    since_max: int = SECONDS_MAX
    valid_on: int = 0
    key_epoch_max: int = EPOCH_MAX
    tier_mask: int = ANY_TIER
    metric: int = Metric.POINTS
    max_uses: int = 1

    def admits(self, attributes: Attributes, use_index: int = 0) -> Unmet | None:
        """None if a proof can be made, else the first part that is not met."""
        amount = attributes.spend if self.metric == Metric.SPEND else attributes.points
        checks = (
            (self.tier_mask >> attributes.tier & 1 == 1, Unmet.TIER),
            (self.lo <= amount, Unmet.LOW),
            (amount <= self.hi, Unmet.HIGH),
            (attributes.since <= self.since_max, Unmet.SINCE),
            (attributes.valid_until >= self.valid_on, Unmet.VALID),
            (attributes.key_epoch <= self.key_epoch_max, Unmet.KEY),
            (0 <= use_index < self.max_uses, Unmet.USE),
        )
        return next((unmet for met, unmet in checks if not met), None)

    def in_words(self, tier_names: Sequence[str] = ()) -> str:
        """The predicate for a person to read, one clause after the other; names of tiers by rank."""
        clauses = [
            _tiers(self.tier_mask, tier_names),
            _amount(self),
            _bound(self.since_max, SECONDS_MAX, f"member since {_day(self.since_max)} or before"),
            _bound(self.valid_on, 0, f"the tier still holds on {_day(self.valid_on)}"),
            _bound(self.key_epoch_max, EPOCH_MAX, f"the key is of epoch {self.key_epoch_max} or before"),
        ]
        said = "; ".join(clause for clause in clauses if clause) or "is a member in this epoch"
        uses = {0: "never", 1: "once"}.get(self.max_uses, f"up to {self.max_uses} times")
        return f"{said}. Can be shown {uses} for this purpose in this window."


def at_least(rank: int) -> int:
    """The mask of a rank and all above it."""
    return ANY_TIER & -(1 << rank)


def _bound(value: int, free: int, clause: str) -> str:
    return "" if value == free else clause


def _tiers(mask: int, names: Sequence[str]) -> str:
    """Ranks above the last name are held by nobody and left unsaid; without names ranks are shown by number."""
    count = len(names) or TIER_RANK_MAX + 1
    asked = [rank for rank in range(count) if mask >> rank & 1]
    called = [names[rank] if names else f"number {rank}" for rank in asked]
    if len(asked) == count:
        return ""
    if not asked:
        return "a tier that nobody has"
    if len(asked) == 1:
        return f"tier {called[0]}"
    return f"tier {called[0]} or higher" if asked[0] + len(asked) == count else "tier one of " + ", ".join(called)


def _amount(policy: Policy) -> str:
    what = "spend" if policy.metric == Metric.SPEND else "points"
    if policy.lo > policy.hi:
        return f"{what} that nobody has ({policy.lo:,} or more and {policy.hi:,} or less)"
    if policy.hi == AMOUNT_MAX:
        return f"{what} {policy.lo:,} or more" if policy.lo else ""
    return f"{what} {policy.hi:,} or less" if not policy.lo else f"{what} from {policy.lo:,} to {policy.hi:,}"


def _day(second: int) -> str:
    moment = datetime.fromtimestamp(second, UTC)
    midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
    return f"{moment:%Y-%m-%d}" if midnight else f"{moment:%Y-%m-%d %H:%M:%S} UTC"

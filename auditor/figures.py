"""Check 31: figures that prove nothing and that a person should look at.

Who earned and redeemed how much, what was spent by members that had been still for long, how many events of one lane
fell into one minute, what merchants under restriction still signed, and how far fees stayed below what accrued. Counted
by `scan`, added up by `audit`, told in the report as information: no figure here is ever a finding. Source: protocol
§6, check 31.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from proofs.kinds import Kind

DORMANT_DAYS = 180
"""A member without a leaf for so long, who then redeems, is worth a look."""
BURST_EVENTS_MIN = 120
"""Events of one lane in one minute from which it is named."""
_PARTS = 10_000
NAMED_MAX = 100
"""Merchants, and lanes, named in a report; the rest is counted."""


@dataclass(slots=True)
class Figures:
    """Counts over any number of leaves; `leaves` and `points` by (merchant, kind), `busiest` by lane (merchant ‖ key),
    the most events within one minute.
    """

    leaves: Counter[tuple[int, int]] = field(default_factory=Counter)
    points: Counter[tuple[int, int]] = field(default_factory=Counter)
    busiest: dict[bytes, int] = field(default_factory=dict)
    dormant_redemptions: int = 0
    dormant_points: int = 0
    restricted_leaves: int = 0
    dust: int = 0
    undercharged: int = 0

    def add(self, other: Figures) -> None:
        """Take in the figures of more leaves."""
        self.leaves.update(other.leaves)
        self.points.update(other.points)
        for lane, events in other.busiest.items():
            self.busiest[lane] = max(self.busiest.get(lane, 0), events)
        self.dormant_redemptions += other.dormant_redemptions
        self.dormant_points += other.dormant_points
        self.restricted_leaves += other.restricted_leaves
        self.dust += other.dust


def figures(told: Figures) -> dict[str, Any]:
    """The figures as they stand in a report: points as decimal strings, lanes as merchant:key."""
    merchants = sorted({merchant for merchant, _ in told.leaves})
    bursts = sorted(
        ((events, lane) for lane, events in told.busiest.items() if events >= BURST_EVENTS_MIN), reverse=True
    )
    return {
        "merchants": [_merchant(told, merchant) for merchant in merchants[:NAMED_MAX]],
        "merchantsTotal": len(merchants),
        "dormantDays": DORMANT_DAYS,
        "dormantRedemptions": told.dormant_redemptions,
        "dormantPoints": str(told.dormant_points),
        "burstEventsMin": BURST_EVENTS_MIN,
        "bursts": [{"lane": _lane(lane), "eventsInOneMinute": events} for events, lane in bursts[:NAMED_MAX]],
        "signedUnderRestriction": told.restricted_leaves,
        "roundingDust": str(told.dust),
        "feesBelowAccrual": str(told.undercharged),
    }


def _merchant(told: Figures, merchant: int) -> dict[str, Any]:
    earned, redeemed = (told.points[merchant, kind] for kind in (Kind.EARN, Kind.REDEEM))
    ratio = None if not earned else _ratio(redeemed, earned)
    leaves = sum(count for (who, _), count in told.leaves.items() if who == merchant)
    return {
        "merchantId": merchant,
        "leaves": leaves,
        "earned": str(earned),
        "redeemedHere": str(redeemed),
        "redeemedPerEarned": ratio,
    }


def _ratio(part: int, whole: int) -> str:
    """With four decimals, rounded down."""
    scaled = part * _PARTS // whole
    return f"{scaled // _PARTS}.{scaled % _PARTS:04d}"


def _lane(lane: bytes) -> str:
    return f"{int.from_bytes(lane[:4], 'big')}:{int.from_bytes(lane[4:], 'big')}"

"""What a signer of hosted lanes is willing to sign: which kinds, for how much at a time and in a day.

    {"chainId": 1, "hub": "0x…", "default": {…}, "lanes": {"7/1": {…}, …}}

Each set of limits has `kinds` (a list of numbers, those of the lane when left out), `pointsPerEvent`, `cashPerEvent`,
`pointsPerDay`, `cashPerDay`; cash is in base units. A lane without a set of its own has the default. Invariants: pure;
every refusal has a name out of `Refusal`; a limit that is not there is zero, so that nothing is signed by omission; the
digest is made here from the event and this file's domain, never taken from whoever asks. Called by `lane_signer`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from proofs.json_form import raw
from proofs.kinds import Kind
from proofs.messages import PointsEvent, domain_separator, signed_digest
from settlement.sealing.lanes import HOSTED_KINDS, LaneId

LIMITS_FILE_BYTES_MAX: Final = 2**22
NONCE_MAX: Final = 2**63 - 1
_AMOUNTS: Final = ("pointsPerEvent", "cashPerEvent", "pointsPerDay", "cashPerDay")
_FIELDS: Final = frozenset({"kinds", *_AMOUNTS})
_ADDRESS_BYTES: Final = 20


class Refusal(StrEnum):
    """Why an event is not signed."""

    LANE = "lane-unknown"
    """This signer holds no such lane."""
    NOT_ITS_OWN = "not-its-lane"
    """The event is another merchant's, or of another key of it."""
    DIGEST = "digest-differs"
    """What is to be signed is not this event on this chain and hub."""
    KIND = "kind"
    """The lane does not sign events of this kind."""
    NONCE = "nonce"
    """No event has this number."""
    POINTS_PER_EVENT = "points-per-event"
    CASH_PER_EVENT = "cash-per-event"
    POINTS_PER_DAY = "points-per-day"
    CASH_PER_DAY = "cash-per-day"


class LimitsRefused(ValueError):
    """The file does not hold limits; the message names what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Those of one lane. Points are whole points, cash base units; a day is one of UTC."""

    kinds: frozenset[int]
    points_per_event_max: int
    cash_per_event_max: int
    points_per_day_max: int
    cash_per_day_max: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a lane has signed for in a day."""

    points: int = 0
    cash: int = 0


class Policy:
    """The domain that is signed for, and the limits of every lane."""

    def __init__(self, *, separator: bytes, default: Limits | None, lanes: Mapping[LaneId, Limits]) -> None:
        self._separator = separator
        self._default = default
        self._lanes = lanes

    def limits_of(self, lane_id: LaneId) -> Limits | None:
        """None where nothing may be signed for it."""
        return self._lanes.get(lane_id, self._default)

    def refusal(self, lane_id: LaneId, event: PointsEvent, digest: bytes) -> Refusal | None:
        """What speaks against one event by itself; the first in the order of `Refusal`."""
        limits = self.limits_of(lane_id)
        if limits is None:
            return Refusal.LANE
        if (event.merchant_id, event.key_id) != lane_id:
            return Refusal.NOT_ITS_OWN
        if signed_digest(self._separator, event.hash_struct()) != digest:
            return Refusal.DIGEST
        if event.kind not in limits.kinds or event.kind not in HOSTED_KINDS.get(lane_id.key_id, ()):
            return Refusal.KIND
        if not 1 <= event.nonce <= NONCE_MAX:
            return Refusal.NONCE
        if event.points > limits.points_per_event_max:
            return Refusal.POINTS_PER_EVENT
        return Refusal.CASH_PER_EVENT if event.settle_amount > limits.cash_per_event_max else None

    def over_the_day(self, lane_id: LaneId, spent: Spent) -> Refusal | None:
        """Whether a day on which all this was signed for is over a limit."""
        limits = self.limits_of(lane_id)
        if limits is None or spent.points > limits.points_per_day_max:
            return Refusal.POINTS_PER_DAY
        return Refusal.CASH_PER_DAY if spent.cash > limits.cash_per_day_max else None


def read_policy(path: Path) -> Policy:
    """The policy in a file. Raises `LimitsRefused`, and OSError."""
    if path.stat().st_size > LIMITS_FILE_BYTES_MAX:
        raise LimitsRefused(f"{path}: too long for limits")
    try:
        told = json.loads(path.read_bytes())
        _require_known(told, {"chainId", "hub", "default", "lanes"})
        separator = domain_separator(chain_id=_amount(told["chainId"]), hub=raw(told, "hub", _ADDRESS_BYTES))
        default = _limits(told["default"]) if "default" in told else None
        lanes = {_lane_id(name): _limits(each) for name, each in told.get("lanes", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LimitsRefused(f"{path}: not limits of lanes: {error!r}") from error
    return Policy(separator=separator, default=default, lanes=lanes)


def _limits(told: Mapping[str, Any]) -> Limits:
    _require_known(told, _FIELDS)
    kinds: Sequence[int] = told.get("kinds", list(Kind))
    points_event, cash_event, points_day, cash_day = (_amount(told.get(name, 0)) for name in _AMOUNTS)
    return Limits(
        kinds=frozenset(Kind(kind) for kind in kinds),
        points_per_event_max=points_event,
        cash_per_event_max=cash_event,
        points_per_day_max=points_day,
        cash_per_day_max=cash_day,
    )


def _require_known(told: Mapping[str, Any], names: AbstractSet[str]) -> None:
    """A limit under a misspelt name would be none."""
    unknown = sorted(set(told) - names)
    if unknown:
        raise ValueError(f"{unknown[0]} is not known")


def _amount(told: object) -> int:
    if isinstance(told, bool) or not isinstance(told, int) or told < 0:
        raise ValueError(f"{told!r} is not a whole number from 0 on")
    return told


def _lane_id(name: str) -> LaneId:
    merchant, key = name.split("/")
    return LaneId(int(merchant), int(key))

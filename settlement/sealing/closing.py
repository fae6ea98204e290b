"""When the open batch is closed: the first of several limits, decided from figures alone so that any caller, and any
test clock, may ask; and how many leaves it is shown with.

Pure; called by the orchestration before each sealing. Source: docs/protocol §2.8, §3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

BATCH_LEAVES_MAX = 65_536
"""A batch closes when it has so many leaves. The contract's own limit is 2^20."""
BATCH_AGE_SECONDS_MAX = 15 * 60
FORCED_MARGIN_SECONDS = 2 * 60 * 60
BATCHES_PENDING_MAX = 1_024
SETTLING_PENDING_MAX = 8
"""Batches that were sealed and are not final, and those of them that settle: the hub takes no more."""
BUCKETS_LEAVES = (2**10, 2**12, 2**14, 2**16)
"""Sizes up to which a batch may be padded, so that the chain does not show how much was sold."""


class Close(StrEnum):
    """Why a batch closes now."""

    SETTLEMENT = "settlement"
    """The day's cut-off has passed: this batch carries the nets."""
    FULL = "full"
    """It has as many leaves as a batch takes."""
    FORCED = "forced"
    """A merchant has forced an event through the chain and its deadline is near."""
    AGE = "age"
    """Its first leaf has waited long enough for a proof."""
    FLUSH = "flush"
    """The operator asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits to be sealed, and how many batches (settling ones among them) wait to be final. Times are Unix
    seconds, None where there is nothing.
    """

    leaves: int
    first_leaf_at: int | None
    forced_deadline: int | None = None
    batches: int = 0
    settling: int = 0


def why_close(pending: Pending, *, now: int, cut_off: int, flush: bool = False) -> Close | None:
    """The reason to close the open batch at `now`, or None to wait. `cut_off` is the next settlement cut-off that no
    batch has carried yet.

    Settlement comes first because only that answer changes what the batch holds. A batch needs a leaf: with none
    pending the cut-off alone closes it (the orchestration then puts in a VOID), and a forced event, which is a leaf to
    be; everything else waits. With as many batches pending as the hub takes nothing closes; with as many settling
    ones no more settles, and the others go on.
    """
    if pending.batches >= BATCHES_PENDING_MAX:
        return None
    if now >= cut_off and pending.settling < SETTLING_PENDING_MAX:
        return Close.SETTLEMENT
    if pending.forced_deadline is not None and pending.forced_deadline - now < FORCED_MARGIN_SECONDS:
        return Close.FULL if pending.leaves >= BATCH_LEAVES_MAX else Close.FORCED
    if not pending.leaves:
        return None
    if pending.leaves >= BATCH_LEAVES_MAX:
        return Close.FULL
    if pending.first_leaf_at is not None and now - pending.first_leaf_at >= BATCH_AGE_SECONDS_MAX:
        return Close.AGE
    return Close.FLUSH if flush else None


def padded(leaves: int, buckets: Sequence[int]) -> int:
    """How many leaves a batch of `leaves` is shown with: the smallest bucket that holds them, else as many as it has.
    `buckets` ascend; none is no padding.
    """
    return next((bucket for bucket in buckets if bucket >= leaves), leaves)

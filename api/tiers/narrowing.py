"""Whether a partner is closing in on somebody: what one more policy says together with those asked before. Pure.

A policy is a set of members. Asked both "100 points or more" and "200 points or more", a partner that knows its
visitors again learns who has between the two; a hundred such questions are a scale. So, of the policies that one
partner asked in the window before: the same one again tells nothing new; each further one that overlaps them costs
one of the partner's narrowings, whichever of the two is the wider; what two of them have in common has to be a
cohort, like each by itself.

Predicates of different amounts cannot be joined into one predicate: they cost a narrowing, and of their intersection no
count is published. Called by `api.tiers.asking`.
"""

from __future__ import annotations

from collections.abc import Iterable

from proofs.tier.grid import Predicate
from proofs.tier.policy import AMOUNT_MAX

WINDOW_DAYS = 30
"""How long what was asked is remembered against the asker. Attributes change with each epoch, members less often."""


def narrowings(asked: Iterable[Predicate], new: Predicate) -> list[Predicate]:
    """Those asked before that `new`, which is none of them, says more about. Empty when it was asked before."""
    before = set(asked)
    return [] if new in before else sorted(each for each in before if overlap(each, new))


def overlap(one: Predicate, other: Predicate) -> bool:
    """Whether some attributes fit both."""
    if not one.tier_mask & other.tier_mask:
        return False
    if bounded(one) and bounded(other) and one.metric == other.metric:
        return max(one.lo, other.lo) <= min(one.hi, other.hi)
    return True


def common(one: Predicate, other: Predicate) -> Predicate | None:
    """The members of both, as one predicate where there is one."""
    if bounded(one) and bounded(other) and one.metric != other.metric:
        return None
    metric = one.metric if bounded(one) else other.metric
    lo, hi = max(one.lo, other.lo), min(one.hi, other.hi)
    return Predicate(one.tier_mask & other.tier_mask, metric, lo, hi, min(one.since_max, other.since_max))


def within(part: Predicate, whole: Predicate) -> bool:
    """Whether whoever fits `part` fits `whole`."""
    fits = not bounded(whole) or (part.metric == whole.metric and whole.lo <= part.lo and part.hi <= whole.hi)
    return fits and not part.tier_mask & ~whole.tier_mask and part.since_max <= whole.since_max


def bounded(predicate: Predicate) -> bool:
    """Whether it says anything of an amount."""
    return (predicate.lo, predicate.hi) != (0, AMOUNT_MAX)

"""Whether a partner is closing in on somebody: what one more policy says together with those asked before. Pure.

A policy is a set of members. Asked both "100 points or more" and "200 points or more", a partner that knows its
visitors again learns who has between the two; a hundred such questions are a scale. So, of the policies that one
partner asked in the window before: the same one again tells nothing new; each further one that overlaps them costs
one of the partner's narrowings, whichever of the two is the wider. Besides, whoever shows both is in what the two have
in common, and whoever shows one and not the other is in what is left of it: each of these has to be a cohort, like a
policy by itself, or nobody at all.

Predicates of different amounts cannot be joined into one predicate: they cost a narrowing, and of what they have in
common or apart no count is published. The same holds for two ages of keys, or two days on which the tier has to hold:
who fits the one and not the other enrolled, or falls, between them. Called by the doors, over all that a partner asks,
and by wallets (`consent`), over what it asked of this owner.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from proofs.tier.cohorts import MEMBERS_MIN, STEPS, Cohorts
from proofs.tier.grid import Predicate
from proofs.tier.policy import AMOUNT_MAX, EPOCH_MAX, Policy

WINDOW_DAYS = 30
"""How long what was asked is remembered against the asker. Attributes change with each epoch, members less often."""
NARROWINGS_MAX = 3
"""Of a partner that was registered with no other number, and of any partner at one wallet."""


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """What a policy asks about a member, however often it may be shown: two policies with one question tell the same.

    `valid_on` is 0 where it says nothing: every tier of an epoch still holds at the epoch's first second.
    """

    predicate: Predicate
    key_epoch_max: int = EPOCH_MAX
    valid_on: int = 0

    @classmethod
    def of(cls, policy: Policy, *, not_before: int = 0) -> Self:
        """What a policy asks in an epoch that begins at that second."""
        day = policy.valid_on if policy.valid_on > not_before else 0
        return cls(Predicate.of(policy), policy.key_epoch_max, day)

    def as_policy(self) -> Policy:
        """The question as one policy, the same for all that ask it."""
        return replace(self.predicate.as_policy(), key_epoch_max=self.key_epoch_max, valid_on=self.valid_on)

    def uncounted(self, epoch: int) -> bool:
        """Whether fewer members of an epoch may fit than fit the predicate, which is all that the epoch published."""
        return self.key_epoch_max < epoch or self.valid_on > 0


def apart(new: Question, asked: Iterable[Question], of_epoch: Iterable[Question], cohorts: Cohorts) -> bool:
    """Whether with one of those asked before somebody might be among too few. A question that was asked before is free,
    and compared with those about this epoch, whose cohorts are not what they were.
    """
    others = narrowings(asked, new) or beside(of_epoch, new)
    return any(stands_out(new.predicate, each.predicate, cohorts.members) for each in others)


def narrowings(asked: Iterable[Question], new: Question) -> list[Question]:
    """Those asked before that `new`, which is none of them, says more about. Empty when it was asked before."""
    before = set(asked)
    return [] if new in before else beside(before, new)


def beside(asked: Iterable[Question], question: Question) -> list[Question]:
    """Those of other questions that are about some of the same members."""
    others = set(asked) - {question}
    return sorted(each for each in others if overlap(each.predicate, question.predicate))


def stands_out(new: Predicate, other: Predicate, members: Mapping[Predicate, int]) -> bool:
    """Whether somebody who shows both, or one alone, might be among too few. `members` is what the epoch published, by
    predicate: the step that each reaches.
    """
    both = common(new, other)
    if both is None:
        return False
    in_common = any(within(each, both) for each in members)
    return not (in_common and _left_are_many(new, other, members) and _left_are_many(other, new, members))


def _left_are_many(of: Predicate, without: Predicate, members: Mapping[Predicate, int]) -> bool:
    """Whether those who fit the one and not the other are nobody, or certainly a cohort: because one that is published
    lies there, or by the least and the most that the steps allow.
    """
    if within(of, without):
        return True
    if any(within(each, of) and not overlap(each, without) for each in members):
        return True
    return members.get(of, 0) - _most(members.get(without, 0)) >= MEMBERS_MIN


def _most(step: int) -> int:
    """How many may stand behind a published step, 0 for none; the last step has no end."""
    at = bisect_right(STEPS, step)
    return STEPS[at] - 1 if at < len(STEPS) else 2**64


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

"""What one more policy costs a partner, as a table."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest

from proofs.tier.attributes import Attributes
from proofs.tier.cohorts import MEMBERS_MIN, counted
from proofs.tier.grid import PolicyGrid, Predicate
from proofs.tier.narrowing import Question, common, narrowings, overlap, stands_out, within
from proofs.tier.policy import ANY_TIER, SECONDS_MAX, Metric, Policy, at_least


def asked(**parts: int) -> Predicate:
    return Predicate.of(Policy(**parts))


BEGIN, DAY = 1_700_006_400, 86_400
ALL = asked()
GOLD, SILVER, ONLY_SILVER = asked(tier_mask=at_least(2)), asked(tier_mask=at_least(1)), asked(tier_mask=0b10)
RICH, POOR, MIDDLE = asked(lo=100), asked(hi=99), asked(lo=50, hi=199)
SPENT = asked(lo=100, metric=Metric.SPEND)
OLD = asked(since_max=1_000)


@pytest.mark.parametrize(
    ("before", "new", "costs"),
    [
        ([], GOLD, []),
        ([GOLD], GOLD, []),
        ([GOLD], SILVER, [GOLD]),
        ([SILVER], GOLD, [SILVER]),
        ([GOLD], ONLY_SILVER, []),
        ([RICH], POOR, []),
        ([RICH, POOR], MIDDLE, [POOR, RICH]),
        ([RICH], SPENT, [RICH]),
        ([RICH], GOLD, [RICH]),
        ([ALL], OLD, [ALL]),
        ([GOLD, SILVER, RICH], SILVER, []),
    ],
)
def test_a_policy_costs_those_it_says_more_about(
    before: list[Predicate], new: Predicate, costs: list[Predicate]
) -> None:
    assert narrowings(map(Question, before), Question(new)) == sorted(map(Question, costs))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"max_uses": 1}, {"max_uses": 12}, True),
        ({"valid_on": 0}, {"valid_on": BEGIN}, True),
        ({"valid_on": BEGIN - DAY}, {"valid_on": BEGIN}, True),
        ({"valid_on": BEGIN}, {"valid_on": BEGIN + DAY}, False),
        ({"valid_on": BEGIN + DAY}, {"valid_on": BEGIN + 2 * DAY}, False),
        ({}, {"key_epoch_max": 7}, False),
        ({"key_epoch_max": 6}, {"key_epoch_max": 7}, False),
        ({"metric": Metric.POINTS}, {"metric": Metric.SPEND}, True),
        ({"lo": 100}, {"lo": 100, "metric": Metric.SPEND}, False),
    ],
)
def test_an_age_of_keys_and_a_day_to_come_are_questions_of_their_own(
    one: dict[str, int], other: dict[str, int], *, same: bool
) -> None:
    """Each tells who enrolled, or who falls, between two of them; what says nothing is no question."""
    first, second = (Question.of(Policy(**parts), not_before=BEGIN) for parts in (one, other))
    assert (first == second) is same
    assert narrowings([first], second) == ([] if same else [first])
    for each in (first, second):
        assert Question.of(each.as_policy()) == each, "kept and read again it is the same"


def test_what_two_policies_have_in_common_is_one_where_there_is_one() -> None:
    assert common(GOLD, SILVER) == GOLD
    assert common(RICH, MIDDLE) == asked(lo=100, hi=199)
    assert common(GOLD, RICH) == asked(tier_mask=at_least(2), lo=100)
    assert common(OLD, SPENT) == asked(since_max=1_000, lo=100, metric=Metric.SPEND)
    assert common(RICH, SPENT) is None
    assert (ALL.tier_mask, ALL.since_max) == (ANY_TIER, SECONDS_MAX)


def test_within_is_what_overlaps_whole() -> None:
    every = [ALL, GOLD, SILVER, ONLY_SILVER, RICH, POOR, MIDDLE, SPENT, OLD]
    for one in every:
        assert within(one, one)
        assert within(one, ALL)
        for other in every:
            both = common(one, other)
            if both is not None and overlap(one, other):
                assert within(both, one)
                assert within(both, other)
    assert not within(SPENT, RICH)
    assert not within(SILVER, GOLD)
    assert not overlap(GOLD, ONLY_SILVER)


MANY = {ALL: 1_000, SILVER: 500, GOLD: 200, ONLY_SILVER: 200, asked(tier_mask=1): 400}


@pytest.mark.parametrize(
    ("new", "other", "members", "out"),
    [
        (GOLD, SILVER, MANY, False),
        (SILVER, GOLD, MANY, False),
        (GOLD, GOLD, MANY, False),
        (GOLD, SILVER, {SILVER: 200, GOLD: 200}, True),
        (SILVER, GOLD, {SILVER: 200, GOLD: 200}, True),
        (GOLD, SILVER, {SILVER: 1_000, GOLD: 200}, False),
        (GOLD, SILVER, {SILVER: 500, GOLD: 200}, True),
        (GOLD, SILVER, {SILVER: 50, ONLY_SILVER: 50}, True),
        (OLD, ALL, {ALL: 1_000, OLD: 500}, True),
        (OLD, ALL, {ALL: 2_000, OLD: 500}, False),
        (RICH, GOLD, {asked(tier_mask=at_least(2), lo=100): 50}, True),
        (
            RICH,
            GOLD,
            {
                asked(tier_mask=at_least(2), lo=100): 50,
                asked(tier_mask=at_least(2), hi=99): 50,
                asked(tier_mask=0b10, lo=100): 50,
            },
            False,
        ),
        (RICH, SPENT, {}, False),
    ],
)
def test_who_shows_both_or_one_alone_is_among_enough(
    new: Predicate, other: Predicate, members: dict[Predicate, int], *, out: bool
) -> None:
    """By a published cohort that lies there, or by what the steps allow: at least 1,000 without at most 499."""
    assert stands_out(new, other, members) is out


def test_no_pair_that_is_let_through_leaves_a_few_apart() -> None:
    """Against real counts: whatever is allowed, each of the parts that two questions tell apart is empty or fifty."""
    chance = Random(5)
    let_through = 0
    grid = PolicyGrid(
        tier_masks=(0b1, 0b10, 0b100, at_least(1), at_least(2)), points_edges=(100, 200), since_edges=(1_000,)
    )
    for size in (120, 400, 1_500, 4_000):
        crowd = [
            Attributes(
                points=chance.randrange(400),
                spend=0,
                since=chance.randrange(3_000),
                valid_until=2**31,
                key_epoch=1,
                tier=chance.choice([0, 0, 1, 1, 2, 3]),
            )
            for _ in range(size)
        ]
        published = counted(grid, crowd).members
        fits = {
            each: {number for number, who in enumerate(crowd) if each.as_policy().admits(who) is None}
            for each in published
        }
        for one, other in permutations(published, 2):
            if not overlap(one, other) or stands_out(one, other, published):
                continue
            let_through += 1
            parts = (fits[one] & fits[other], fits[one] - fits[other], fits[other] - fits[one])
            assert [part for part in parts if 0 < len(part) < MEMBERS_MIN] == [], (one, other)
    assert let_through > 100

"""What one more policy costs a partner, as a table."""

from __future__ import annotations

import pytest

from api.tiers.narrowing import common, narrowings, overlap, within
from proofs.tier.grid import Predicate
from proofs.tier.policy import ANY_TIER, SECONDS_MAX, Metric, Policy, at_least


def asked(**parts: int) -> Predicate:
    return Predicate.of(Policy(**parts))


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
    assert narrowings(before, new) == sorted(costs)


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

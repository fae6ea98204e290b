"""The grid and the cohorts: what may be asked, how many fit it, one text for each."""

from __future__ import annotations

import random
from typing import Any

import pytest

from proofs.tier.attributes import Attributes
from proofs.tier.cohorts import MEMBERS_MIN, STEPS, Cohorts, counted, step_of
from proofs.tier.decoding import DecodingError
from proofs.tier.grid import PolicyGrid, Predicate, bands
from proofs.tier.policy import AMOUNT_MAX, ANY_TIER, SECONDS_MAX, Policy, at_least

GRID = PolicyGrid(
    tier_masks=(0b110, at_least(2), at_least(1)),
    points_edges=(100, 1_000),
    spend_edges=(50,),
    since_edges=(1_000, 5_000),
    valid_on_step_seconds=10,
    key_epoch_step=4,
    max_uses_max=3,
)


@pytest.mark.parametrize(
    ("policy", "off"),
    [
        (Policy(), None),
        (Policy(tier_mask=0b110, lo=100, hi=999, since_max=5_000, valid_on=20, key_epoch_max=8, max_uses=3), None),
        (Policy(lo=1_000), None),
        (Policy(hi=99), None),
        (Policy(lo=50, metric=1), None),
        (Policy(tier_mask=0b100), "tier_mask"),
        (Policy(tier_mask=0), "tier_mask"),
        (Policy(lo=101), "lo"),
        (Policy(lo=50), "lo"),
        (Policy(lo=100, metric=1), "lo"),
        (Policy(lo=100, hi=1_000), "hi"),
        (Policy(lo=100, hi=100), "hi"),
        (Policy(lo=0, hi=999), None),
        (Policy(lo=1_000, hi=99), "hi"),
        (Policy(since_max=4_999), "since_max"),
        (Policy(valid_on=5), "valid_on"),
        (Policy(key_epoch_max=6), "key_epoch_max"),
        (Policy(max_uses=4), "max_uses"),
        (Policy(max_uses=0), "max_uses"),
    ],
)
def test_which_part_is_off(policy: Policy, off: str | None) -> None:
    assert GRID.off(policy) == off


def test_every_predicate_is_on_the_grid_and_there_once() -> None:
    found = list(GRID.predicates())
    assert len(set(found)) == len(found) == 4 * (6 + 2) * 3
    assert not [each for each in found if GRID.off(each.as_policy())]
    assert bands((5, 9)) == [(0, 4), (0, 8), (0, AMOUNT_MAX), (5, 8), (5, AMOUNT_MAX), (9, AMOUNT_MAX)]


def test_one_text() -> None:
    assert PolicyGrid.from_json(GRID.to_json()) == GRID
    assert PolicyGrid.from_json(PolicyGrid().to_json()) == PolicyGrid()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 2}, "version"),
        ({"tier_masks": [4, 4]}, "tier_masks"),
        ({"tier_masks": [65_536]}, r"tier_masks\[0\]"),
        ({"points_edges": [100]}, r"points_edges\[0\]"),
        ({"points_edges": ["9", "5"]}, "points_edges"),
        ({"points_edges": [str(at) for at in range(33)]}, "points_edges"),
        ({"spend_edges": "5"}, "spend_edges"),
        ({"since_edges": [True]}, r"since_edges\[0\]"),
        ({"key_epoch_step": 0}, "key_epoch_step"),
        ({"more": 1}, "more"),
        (
            {
                "tier_masks": list(range(1, 33)),
                "points_edges": [str(at) for at in range(1, 33)],
                "since_edges": list(range(9)),
            },
            "more than 20000",
        ),
    ],
)
def test_what_is_no_grid_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(DecodingError, match=field):
        PolicyGrid.from_json(GRID.to_json() | change)


def crowd(count: int) -> list[Attributes]:
    chance = random.Random(7)
    return [
        Attributes(
            points=chance.choice((0, 99, 100, 101, 999, 1_000, 5_000)),
            spend=chance.choice((0, 49, 50, 51)),
            since=chance.choice((999, 1_000, 1_001, 5_000, 5_001)),
            valid_until=9,
            key_epoch=1,
            tier=chance.randrange(4),
        )
        for _ in range(count)
    ]


def test_cohorts_are_what_counting_one_by_one_finds() -> None:
    members = crowd(400)
    found = counted(GRID, members)
    for each in GRID.predicates():
        count = sum(each.as_policy().admits(member) is None for member in members)
        assert found.members.get(each, 0) == step_of(count)
        assert found.of(each.as_policy()) == step_of(count)
    assert 0 < len(found.members) < len(list(GRID.predicates())), "some are published, some are too few"
    assert min(found.members.values()) >= MEMBERS_MIN
    assert Cohorts.from_json(found.to_json()) == found


def test_too_few_are_not_published_at_all() -> None:
    assert counted(GRID, crowd(MEMBERS_MIN - 1)).members == {}
    everybody = Predicate(ANY_TIER, 0, 0, AMOUNT_MAX, SECONDS_MAX)
    assert counted(GRID, crowd(MEMBERS_MIN)).members[everybody] == MEMBERS_MIN


def test_steps() -> None:
    assert [step_of(count) for count in (0, 49, 50, 99, 100, 499, 500, 1_999)] == [0, 0, 50, 50, 100, 200, 500, 1_000]
    assert list(STEPS) == sorted(set(STEPS))


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([[1, 0, "0", "1", 5]], "six"),
        ([[1, 0, "0", "1", 5, 51]], "steps"),
        ([[1, 0, "0", "1", 5, 50], [1, 0, "0", "1", 5, 50]], "rising"),
        ([[1, 2, "0", "1", 5, 50]], r"\[0\]"),
        ([{}], "six"),
    ],
)
def test_what_is_no_table_is_refused(rows: list[Any], field: str) -> None:
    with pytest.raises(DecodingError, match=field):
        Cohorts.from_json({"version": 1, "steps": list(STEPS), "cohorts": rows})

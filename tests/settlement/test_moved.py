"""What the chain moved, in whole AU: exact sums, sum zero, never an AU away, whatever the parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.kinds import BASE_UNITS_PER_AU as AU
from settlement.watch.moved import Unbalanced, in_whole_au, newly_settled, really_moved, summed


@pytest.mark.parametrize(
    ("base_units", "whole"),
    [
        ({}, {}),
        ({1: -2 * AU, 2: AU, 3: AU}, {1: -2, 2: 1, 3: 1}),
        ({1: -AU, 2: AU // 2, 3: AU // 2}, {1: -1, 2: 1, 3: 0}),
        ({1: -1, 2: 1}, {1: 0, 2: 0}),
        ({1: -(AU - 1), 2: AU - 1}, {1: -1, 2: 1}),
        ({1: -3 * AU + 1, 2: AU, 3: 2 * AU - 1}, {1: -3, 2: 1, 3: 2}),
    ],
)
def test_parts_of_an_au_go_to_the_largest_rests(base_units: dict[int, int], whole: dict[int, int]) -> None:
    assert in_whole_au(base_units) == whole


def test_a_missing_event_is_seen() -> None:
    with pytest.raises(Unbalanced):
        in_whole_au({1: 1})


@pytest.mark.parametrize(("net", "shortfall", "expected"), [(-5, 2, -3), (5, 2, 3), (-5, 0, -5), (5, 5, 0)])
def test_a_shortfall_makes_both_sides_smaller(net: int, shortfall: int, expected: int) -> None:
    assert really_moved(net, shortfall) == expected


AMOUNTS = st.lists(st.integers(-5 * AU, 5 * AU), min_size=1, max_size=6)
HISTORIES = st.lists(AMOUNTS, min_size=1, max_size=6)


@given(HISTORIES)
def test_told_step_by_step_it_is_the_exact_sum_to_less_than_an_au(history: list[list[int]]) -> None:
    steps = [dict(enumerate([*amounts, -sum(amounts)], start=1)) for amounts in history]
    told: dict[int, int] = {}
    for at in range(len(steps)):
        changes = newly_settled(steps, at)
        assert sum(changes.values()) == 0
        for party, au in changes.items():
            told[party] = told.get(party, 0) + au
    exact = summed(steps)
    for party, amount in exact.items():
        off = told.get(party, 0) * AU - amount
        assert -AU < off < AU
        assert off == 0 or amount % AU

"""Tiers of a demonstration follow from what was bought, and a tier that too few have is not asked for."""

from __future__ import annotations

import pytest

from api.demo.tiers.members import thresholds


@pytest.mark.parametrize(
    ("bought", "reached"),
    [
        (range(1, 1_001), (0, 400, 750)),
        ([1_727] * 30 + [3_187] * 10, (0, 1_700)),
        ([7, 5, 3, 1], (0, 3, 5)),
        ([0, 0, 0], (0,)),
        ([9], (0, 9)),
        ([123_456_789], (0, 120_000_000)),
    ],
)
def test_thresholds(bought: list[int], reached: tuple[int, ...]) -> None:
    assert thresholds(bought) == reached


def test_a_quarter_reaches_the_highest() -> None:
    bought = [au * au for au in range(1, 401)]
    silver, gold = thresholds(bought)[1:]
    assert 100 <= sum(au >= gold for au in bought) < 120
    assert 240 <= sum(au >= silver for au in bought) < 270

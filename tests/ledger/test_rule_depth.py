"""How deep a rule nests before the ledger stops reading it. On the pure book."""

from __future__ import annotations

import pytest

from ledger.rules.conditions import (
    CONDITION_DEPTH_MAX,
    LISTED_MAX,
    NESTED_DEPTH_MAX,
    All,
    Condition,
    FirstOrder,
    Not,
)
from tests.ledger.rule_scene import rule_scene
from tests.ledger.rules.making import rule


@pytest.mark.parametrize(
    ("depth", "code"),
    [
        (CONDITION_DEPTH_MAX + 1, "rule-unsound"),
        (NESTED_DEPTH_MAX, "rule-unsound"),
        (NESTED_DEPTH_MAX + 1, "malformed"),
        (3_000, "malformed"),
        (100_000, "malformed"),
    ],
)
def test_a_condition_too_deep_is_refused(depth: int, code: str) -> None:
    """By a limit of ours, not by where reading it gives up: that depends on the interpreter."""
    condition: Condition = FirstOrder()
    for _ in range(depth - 1):
        condition = Not(condition)
    scene = rule_scene()
    refusal = scene.refused(scene.publication(rule(condition=condition)))
    assert (refusal.code, refusal.field) == (code, "rule")
    while isinstance(condition, Not):  # taken apart by hand: the interpreter would do it recursively
        condition = condition.of


def test_a_condition_that_holds_itself_many_times_is_refused() -> None:
    """Small in memory, and more parts than anybody can read."""
    condition: Condition = FirstOrder()
    for _ in range(CONDITION_DEPTH_MAX):
        condition = All((condition,) * LISTED_MAX)
    scene = rule_scene()
    assert scene.refused(scene.publication(rule(condition=condition))).code == "malformed"

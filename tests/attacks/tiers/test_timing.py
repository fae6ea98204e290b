"""By the clock no refusal of a proof is told from another: whatever stops it, the answer comes at the same steps.

What is compared are ranks, not times: of many refusals in random order, those of one kind must not come sooner or later
within their step than the others do. That the comparison would notice is shown on the same refusals without the steps.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import sqrt
from random import Random
from typing import Any

import pytest

from api.door import Door
from api.tiers import rows, verifying
from api.tiers.verifying import REFUSAL_STEP_SECONDS
from tests.attacks.tiers.scene import GOLD_OR_HIGHER, Scene

ROUNDS = 14
DEVIATIONS_MAX = 4.5
"""Of a sum of ranks from what chance gives: chance alone comes so far once in a hundred thousand times."""

Attempt = tuple[str, Any]


def deviations(samples: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How far each kind's sum of ranks among all is from its mean, in standard deviations (Wilcoxon, Mann, Whitney)."""
    ranked = sorted((value, kind) for kind, values in samples.items() for value in values)
    total, found = len(ranked), {}
    for kind, values in samples.items():
        count = len(values)
        ranks = sum(rank for rank, (_, each) in enumerate(ranked, 1) if each == kind)
        mean, spread = count * (total + 1) / 2, sqrt(count * (total - count) * (total + 1) / 12)
        found[kind] = (ranks - mean) / spread
    return found


def measured(attempts: Mapping[str, Attempt], show: Callable[[Attempt], None]) -> dict[str, list[float]]:
    """Seconds that each attempt takes, all kinds in every round, in another order each time."""
    order = Random(3)
    found: dict[str, list[float]] = {kind: [] for kind in attempts}
    for _ in range(ROUNDS):
        for kind in order.sample(sorted(attempts), len(attempts)):
            begun = time.perf_counter()
            show(attempts[kind])
            found[kind].append(time.perf_counter() - begun)
    return found


@pytest.fixture
def attempts(scene: Scene) -> dict[str, Attempt]:
    """From what is seen at once to what takes a pairing and a transaction; none of them uses anything up."""
    shown, response = scene.answered()
    assert scene.first.show(shown["id"], response).status_code == 200
    again, replayed = scene.answered()
    unanswered, fresh = scene.answered(window_id=2)
    elsewhere = scene.second.asked(GOLD_OR_HIGHER)
    return {
        "malformed": (unanswered["id"], {}),
        "request-unknown": ("0x" + "77" * 32, fresh),
        "request-of-another": (elsewhere["id"], fresh),
        "request-used": (shown["id"], response),
        "point": (unanswered["id"], fresh | {"proof": fresh["proof"] | {"pi_a": ["1", "3"]}}),
        "proof": (unanswered["id"], fresh | {"nullifier": "1"}),
        "nullifier-used": (again["id"], replayed),
    }


def test_every_refusal_falls_on_the_same_steps(scene: Scene, door: Door, attempts: dict[str, Attempt]) -> None:
    with door.reading() as connection:
        partner = rows.partner(connection, scene.first.number)
    assert partner is not None
    judged = partial(verifying.judged, door, partner)

    def at_the_door(attempt: Attempt) -> None:
        assert scene.first.show(*attempt).status_code == 422

    def without_steps(attempt: Attempt) -> None:
        request_id, response = attempt
        body = json.dumps({"request_id": request_id, "response": response}).encode()
        assert judged(body) is None

    at_the_door(attempts["proof"])  # what is made once is made before
    spent = measured(attempts, at_the_door)
    by_reason = scene.operator.get("/v1/tier-refusals").json()["by_reason"]
    assert {kind: count for kind, count in by_reason.items() if count < ROUNDS} == {}
    assert set(by_reason) == set(attempts)
    within = {kind: [each % REFUSAL_STEP_SECONDS for each in values] for kind, values in spent.items()}
    told = deviations(within) | deviations(by_dearness(within))
    assert {kind: far for kind, far in told.items() if abs(far) > DEVIATIONS_MAX} == {}
    seen = deviations(by_dearness(measured(attempts, without_steps)))
    assert seen["dear"] > DEVIATIONS_MAX, "without the steps the comparison tells which proofs came to the pairing"


def by_dearness(samples: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """What came to the pairing, and what did not."""
    sorts: dict[str, list[float]] = {"dear": [], "cheap": []}
    for kind, values in samples.items():
        sorts["dear" if kind in {"proof", "nullifier-used"} else "cheap"] += values
    return sorts


@pytest.mark.parametrize("elapsed", [0.0, 0.001, 0.249, 0.25, 0.2501, 0.6, 7.31])
def test_what_is_waited_for_ends_on_a_step(elapsed: float) -> None:
    """Never at the moment at which the work is done, however long it took."""
    whole = elapsed + verifying.until_a_step(elapsed)
    steps = whole / REFUSAL_STEP_SECONDS
    assert steps == pytest.approx(round(steps))
    assert 0 < verifying.until_a_step(elapsed) <= REFUSAL_STEP_SECONDS


def test_the_comparison_sees_what_is_slower_and_is_content_with_chance() -> None:
    chance = Random(7)
    alike = {kind: [chance.gauss(5, 1) for _ in range(ROUNDS)] for kind in "abcdefg"}
    assert max(map(abs, deviations(alike).values())) < DEVIATIONS_MAX
    slower = alike | {"a": [each + 3 for each in alike["a"]]}
    assert deviations(slower)["a"] > DEVIATIONS_MAX
    sooner = alike | {"g": [each - 3 for each in alike["g"]]}
    assert deviations(sooner)["g"] < -DEVIATIONS_MAX

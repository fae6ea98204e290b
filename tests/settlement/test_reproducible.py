"""A batch is the same bit for bit: again, in another order of what has none, in another process with other hashes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.settlement.alliance import MEMBERS, MERCHANTS
from tests.settlement.reproduce import reproduce
from tests.settlement.test_seal_properties import scripts

ROOT = Path(__file__).parents[2]
VERBS = ("earn", "earn", "redeem", "refund", "return", "expire", "up", "down", "fee", "note", "transfer")


@settings(max_examples=20, deadline=None)
@given(script=scripts, shuffles=st.lists(st.integers(0, 2**32), min_size=2, max_size=3, unique=True))
def test_order_that_means_nothing_changes_nothing(
    script: list[tuple[str, int, int, str, int]], shuffles: list[int]
) -> None:
    ways = [reproduce(script, shuffle) for shuffle in shuffles]
    assert all(way == ways[0] for way in ways)


@pytest.mark.parametrize("hash_seed", ["0", "1", "random"])
def test_another_process_makes_the_same_bytes(hash_seed: str) -> None:
    chance = random.Random(7)
    script = [
        (chance.choice(VERBS), chance.choice(MERCHANTS), chance.choice(MERCHANTS), chance.choice(MEMBERS), amount)
        for amount in chance.sample(range(1, 9_999), 60)
    ]
    here = reproduce(script, 0)
    command = [sys.executable, "-m", "tests.settlement.reproduce", json.dumps(script), "1"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == here
    assert len(here) > 5

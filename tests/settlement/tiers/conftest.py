"""A ground for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ledger.tier_scene import traffic
from tests.settlement.tiers.ground import Ground
from tests.settlement.tiers.paper import Paper


@pytest.fixture
def bare(database: str, tmp_path: Path) -> Ground:
    """An empty ledger."""
    return Ground(database, tmp_path, Paper(tmp_path / "registry.json"))


@pytest.fixture
def ground(bare: Ground) -> Ground:
    """A ledger with members of every kind."""
    bare.post(*traffic())
    return bare

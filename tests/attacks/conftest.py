"""A world for each attack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.forge import World, honest_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return honest_world(tmp_path / "published")

"""Towns on remote chains; collected where anvil's npm package is installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.settlement.chain import hardhat_node
from tests.settlement.chain.anvil import ANVIL, Anvil, running
from tests.settlement.chain.nodes import Node
from tests.settlement.deployment.town import Town, build

collect_ignore = (
    []
    if ANVIL.exists()
    else ["test_carry_command.py", "test_council_command.py", "test_deploy_command.py", "test_verify_command.py"]
)


@pytest.fixture(params=["anvil", "hardhat"])
def remote(request: pytest.FixtureRequest) -> Iterator[Node]:
    """Either node, fresh."""
    made = running() if request.param == "anvil" else hardhat_node.running()
    with made as node:
        node.finalise()
        yield node


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with running() as node:
        node.finalise()
        yield node


@pytest.fixture
def town(database: str, anvil: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    """On anvil, without a registry of tiers."""
    return settled(build(tmp_path, database, anvil.url, tiers=False), monkeypatch)


def settled(made: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    """With its environment around this process."""
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    return made

"""The node that tests of the chain half share: one embedded chain for the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from settlement.chain.client import Chain
from settlement.embedded_chain.process import EmbeddedNode, start
from tests.settlement.chain.anvil import ANVIL
from tests.settlement.chain.field import Field, registry_commands
from tests.settlement.chain.tiny import SENDER

ROOT = Path(__file__).resolve().parents[3]
IDLE_S = 3_600.0

collect_ignore = [] if ANVIL.exists() else ["test_anvil.py", "test_networks.py"]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNode]:
    with start(tmp_path_factory.mktemp("chain"), fund=[SENDER.address], idle_s=IDLE_S) as node:
        yield node


@pytest.fixture
def chain(embedded: EmbeddedNode) -> Chain:
    """The client on the session's embedded chain; tests share its blocks and time."""
    return Chain(embedded.url)


@pytest.fixture
def field(database: str, embedded: EmbeddedNode, tmp_path: Path) -> Field:
    """A small alliance of its own: fresh contracts on the shared chain, merchants, terms and members in the ledger."""
    made = Field(dsn=database, url=embedded.url, folder=tmp_path)
    made.post(registry_commands())
    return made

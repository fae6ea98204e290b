"""A tier proof made in a browser counts everywhere once, and nowhere twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from settlement.embedded_chain.process import EmbeddedNode, start
from tests.e2e.tier_show import show
from tests.settlement.chain.tiny import SENDER

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EmbeddedNode]:
    with start(tmp_path / "chain", fund=[SENDER.address], idle_s=600) as node:
        yield node


def test_one_proof_for_everybody_who_may_check_it(database: str, node: EmbeddedNode, tmp_path: Path) -> None:
    seen = show(database, node, tmp_path)
    assert seen["cohort"] == 50
    assert seen["own_verifier"] == 0, seen["own_verifier_said"]
    assert seen["snarkjs"] is True
    assert (seen["api"], seen["api_again"]) == (True, "proof-refused")
    assert (seen["at_another_partner"], seen["others_request"]) == ("proof-refused", "proof-refused")
    assert seen["chain"] is True
    assert seen["chain_again"] in {"RequestUsed", "NullifierUsed"}
    assert seen["chain_at_another_partner"] == "ProofInvalid"

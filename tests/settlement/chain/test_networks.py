"""Anvil and `hardhat node` as remote networks: an address, a keystore and a confirmation depth are all that is set.

Collected where the npm packages are installed (see `conftest`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.__main__ import _anchor, _differences
from auditor.reading import read
from auditor.rpc import Node as AuditorsNode
from auditor.rpc import Nodes
from settlement.alliance import OtherChain, OtherCode
from settlement.batches import Settlement, seal_next
from settlement.chain.client import Chain, SendCase
from settlement.chain.gas import TRANSACTION_GAS_MAX
from settlement.chain.senders import open_keystore, write_keystore
from settlement.networks import NotAddresses, main, require_addresses, write_addresses
from settlement.status import status
from settlement.submitter import drive
from tests.settlement.chain import anvil, hardhat_node
from tests.settlement.chain.field import ATTESTERS, Field, attest, day, registry_commands
from tests.settlement.chain.nodes import Node
from tests.settlement.chain.test_tier_founding import TIERS
from tests.settlement.chain.tiny import ADDRESS, SENDER, deploy, send, signed

CONFIRMATIONS = 2


@pytest.fixture
def hardhat() -> Iterator[hardhat_node.HardhatNode]:
    with hardhat_node.running() as node:
        yield node


@pytest.fixture(params=["anvil", "hardhat"])
def remote(request: pytest.FixtureRequest) -> Iterator[Node]:
    made = anvil.running() if request.param == "anvil" else hardhat_node.running()
    with made as node:
        node.finalise()
        yield node


def test_what_hardhat_node_says_has_its_case(hardhat: hardhat_node.HardhatNode) -> None:
    chain = Chain(hardhat.url)
    address, nonce = deploy(chain), chain.nonce(ADDRESS)
    cases: list[tuple[dict[str, Any], SendCase]] = [
        ({"nonce": nonce - 1}, SendCase.NONCE_TOO_LOW),
        ({"nonce": nonce + 1}, SendCase.NONCE_TOO_HIGH),
        ({"fee": 10**20}, SendCase.NO_FUNDS),
        ({"fee": 1}, SendCase.FEE_TOO_LOW),
        ({"gas": TRANSACTION_GAS_MAX + 1}, SendCase.GAS_CAP),
        ({"gas": 21_000}, SendCase.GAS_CAP),
    ]
    for offered, case in cases:
        assert send(chain, to=address, data=b"two", **offered)[0].case is case, offered
    assert send(chain, to=address, data=b"two", gas=TRANSACTION_GAS_MAX)[0].case is SendCase.ACCEPTED
    hardhat.mine_at_once(on=False)
    _, raw = signed(chain, to=address, data=b"one")
    assert [chain.send(raw).case for _ in range(2)] == [SendCase.ACCEPTED, SendCase.ALREADY_KNOWN]
    assert send(chain, to=address, data=b"two", nonce=chain.nonce(ADDRESS))[0].case is SendCase.UNDERPRICED


def kept_key(folder: Path) -> tuple[Path, Path]:
    """SENDER's key as an operator has it: an encrypted keystore and a password in a file."""
    store, password = folder / "operator.json", folder / "password"
    if not store.exists():
        password.touch(mode=0o600)
        password.write_text("a long enough password\n")
        write_keystore(store, SENDER.key, "a long enough password")
    return store, password


def settles(s: Settlement, node: Node, folder: Path) -> None:
    batch = seal_next(s, settling=True)
    assert batch is not None
    attest(s, folder, [(1, batch.header_hash)], list(ATTESTERS))
    for _ in range(2):
        drive(s)
        node.finalise()
    s.alliance.chain.advance_time(6 * 3_600)
    for _ in range(3):
        drive(s)
        node.finalise()
    assert [each.state for each in status(s.conn)] == ["FINALISED"] * 2
    assert [tx.status for tx in status(s.conn)[1].transactions] == ["MINED"] * 2


def test_a_day_settles_on_a_remote_network_with_a_keystore_and_a_depth(
    database: str, remote: Node, tmp_path: Path
) -> None:
    signer = open_keystore(*kept_key(tmp_path))
    field = Field(dsn=database, url=remote.url, folder=tmp_path, signer=signer, confirmations=CONFIRMATIONS)
    field.post([*registry_commands(), *day(1)])
    with field.settlement() as s:
        settles(s, remote, tmp_path)
        newest, final = s.alliance.chain.head().number, s.alliance.chain.head("finalized").number
        assert newest - final == CONFIRMATIONS


def test_the_addresses_are_written_once_and_are_the_auditors_anchor(
    database: str, remote: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    field = Field(dsn=database, url=remote.url, folder=tmp_path, tiers=TIERS)
    path, chain = tmp_path / "addresses.json", Chain(remote.url)
    with field.settlement() as s:
        assert main(["write", "--dsn", field.dsn, "--rpc", field.url, str(path)]) == 0
        write_addresses(s.conn, s.alliance, path)
        hub = s.alliance.anchor.hub
        policy = s.alliance.anchor.policy
    assert main(["check", "--rpc", field.url, str(path)]) == 0
    told = require_addresses(chain, path)
    with Nodes([AuditorsNode(field.url)]) as nodes:
        seen = read(nodes, hub, tag="latest", from_block=told["deployBlock"])
    assert _differences(_anchor(path), seen) == []
    assert told["hub"] == "0x" + hub.hex()
    assert told["tiers"].keys() == {"registry", "verifiers"}

    wrong = json.loads(path.read_text())
    wrong["contracts"]["policy"]["address"] = wrong["contracts"]["registry"]["address"]
    path.write_text(json.dumps(wrong))
    with pytest.raises(OtherCode, match="does not hold the policy"):
        require_addresses(chain, path)
    assert main(["check", "--rpc", field.url, str(path)]) == 1
    assert main(["write", "--dsn", field.dsn, "--rpc", field.url, str(path)]) == 1
    assert "names another alliance" in capsys.readouterr().err
    path.write_text(json.dumps({**wrong, "chainId": 5}))
    with pytest.raises(OtherChain):
        require_addresses(chain, path)
    path.write_text("[]")
    with pytest.raises(NotAddresses):
        require_addresses(chain, path)
    assert policy != hub


def test_a_depth_beyond_the_chain_leaves_its_first_block(remote: Node) -> None:
    chain = Chain(remote.url, confirmations=10**6)
    assert chain.head("finalized").number == 0

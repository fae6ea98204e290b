"""`python -m settlement deploy` against anvil and `hardhat node` as remote chains: planned, cut anywhere, done once."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from eth_account import Account

from ledger.postgres.embedded import EmbeddedServer
from settlement.chain.client import Chain
from settlement.chain.senders import TEST_MNEMONIC
from settlement.deployment.deploy_command import main
from settlement.deployment.verify_command import main as verify
from settlement.sealing.lanes import create_keystore
from settlement.settings import SettlementSettings
from settlement.tasks.works import Works
from tests.conftest import execute
from tests.settlement.chain.anvil import Anvil
from tests.settlement.chain.driver import ROOT
from tests.settlement.chain.field import Field, day
from tests.settlement.chain.liar import lying
from tests.settlement.chain.nodes import Node
from tests.settlement.chain.test_networks import settles
from tests.settlement.chain.tiny import ADDRESS, SENDER
from tests.settlement.deployment.conftest import settled
from tests.settlement.deployment.town import CHAIN_ID, SUBMITTER, Town, build, in_environment, keystore, shown

PROCESS_S_MAX = 100
Said = pytest.CaptureFixture[str]


def planned(said: str) -> list[tuple[int, str, int]]:
    """(nonce, purpose as shown, gas) of every line of a plan."""
    found = re.findall(r"^ *(\d+)  (\S+) +([\d,]+)(?:  0x\w+)?(?:  \(.*\))?$", said, re.MULTILINE)
    return [(int(nonce), purpose, int(gas.replace(",", ""))) for nonce, purpose, gas in found]


def test_what_is_planned_is_what_is_done_and_nothing_is_sent_before_yes(
    database: str, remote: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    town = settled(build(tmp_path, database, remote.url), monkeypatch)
    chain = Chain(remote.url)
    before = chain.nonce(ADDRESS)
    assert main(town.deploy()) == 0
    plan = planned(capsys.readouterr().out)
    assert (chain.nonce(ADDRESS), town.addresses.exists()) == (before, False)
    assert main(town.deploy("--yes")) == 0
    said = capsys.readouterr().out
    done = town.purposes()
    assert [(nonce, gas) for nonce, _, gas in plan] == [(nonce, gas) for nonce, _, gas in done]
    for (_, begins, _), (_, purpose, _) in zip(plan, done, strict=True):
        assert purpose.startswith(begins.removesuffix("…"))
    assert "0 not" in said.splitlines()[-1]
    told = json.loads(town.addresses.read_text())
    assert told["deployment"]["governance"].keys() == {"council", "slow", "fast"}
    for name, made in told["deployment"]["contracts"].items():
        assert made["block"] > 0, name
    after = chain.nonce(ADDRESS)
    assert main(town.deploy("--yes")) == 0
    assert (chain.nonce(ADDRESS), json.loads(town.addresses.read_text())) == (after, told)
    assert verify(town.node()) == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_kill_between_any_two_transactions_leaves_one_alliance(town: Town, anvil: Anvil) -> None:
    seen, draft = set(), {}
    for nth in (1, 2, 7, 12, 20, 35):
        assert cut_at(town, nth) == -signal.SIGKILL
        draft = json.loads(town.addresses.read_text())["founding"]["transactions"]
        assert len(draft) == len(town.purposes())
        seen.add(len(draft))
    assert len(seen) > 4, "it went on each time"
    assert main(town.deploy("--yes")) == 0
    purposes = [purpose for _, purpose, _ in town.purposes()]
    assert len(set(purposes)) == len(purposes) == Chain(anvil.url).nonce(ADDRESS)
    told = json.loads(town.addresses.read_text())
    for name, made in draft.items():
        if name == "deploy:SettlementHub":
            assert made["address"] == told["hub"]


def cut_at(town: Town, nth: int) -> int:
    """A process of its own, ended at its nth signature or send; its exit code."""
    command = [sys.executable, "-m", "tests.settlement.deployment.cut", str(nth), *town.deploy("--yes")]
    environment = in_environment(town)
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, timeout=PROCESS_S_MAX, check=False, stdout=subprocess.DEVNULL
    )
    return ended.returncode


def test_a_draft_is_gone_on_with_on_its_chain_and_from_its_database_only(
    town: Town, postgres: EmbeddedServer, migrated: str, capsys: Said
) -> None:
    assert cut_at(town, 4) == -signal.SIGKILL
    execute(postgres, "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", "elsewhere", migrated)
    try:
        town.tell(collateral={})
        assert main(Town(town.folder, postgres.dsn("elsewhere"), town.url).deploy("--yes")) == 1
        assert "was begun from another database" in capsys.readouterr().err
    finally:
        execute(postgres, "DROP DATABASE {} WITH (FORCE)", "elsewhere")
    draft = json.loads(town.addresses.read_text())
    draft["founding"]["genesisBlockHash"] = "0x" + "11" * 32
    town.addresses.write_text(json.dumps(draft))
    assert main(town.deploy("--yes")) == 1
    assert "genesisBlockHash: was begun with 0x1111" in capsys.readouterr().err


def test_lanes_of_somebody_whom_the_ledger_does_not_have_are_refused_before_anything_is_paid_for(
    town: Town, capsys: Said
) -> None:
    create_keystore(town.folder / "keys" / "lanes.json", [9])
    assert main(town.deploy("--yes")) == 1
    assert "lists lanes of merchant 9, which the ledger does not have" in capsys.readouterr().err
    assert town.purposes() == []


def test_another_chain_than_the_file_says_is_refused(town: Town, capsys: Said) -> None:
    town.tell(chain_id=5)
    assert main(town.deploy("--yes")) == 1
    assert f"chain_id: is 5, but {town.url} serves chain {CHAIN_ID}" in capsys.readouterr().err
    assert town.purposes() == []


def test_too_little_money_is_found_before_the_first_signature(town: Town, anvil: Anvil, capsys: Said) -> None:
    anvil.ask("anvil_setBalance", SENDER.address, hex(10**15))
    assert main(town.deploy()) == 0
    assert "NOT ENOUGH" in capsys.readouterr().out
    assert main(town.deploy("--yes")) == 1
    assert "may be needed; pay in first" in capsys.readouterr().err
    assert town.purposes() == []


def test_a_node_that_goes_away_costs_nothing_but_time(town: Town, anvil: Anvil, capsys: Said) -> None:
    with lying(anvil.url) as liar:
        far = Town(town.folder, town.dsn, liar.url)
        sent = 0

        def leaves(point: str) -> None:
            nonlocal sent
            sent += point == "sent"
            if sent == 6:
                liar.deaf = {"eth_getTransactionReceipt", "eth_getBlockByNumber", "eth_chainId", "eth_call"}

        assert main(far.deploy("--yes"), checkpoint=leaves) == 3
        assert "the same command goes on" in capsys.readouterr().err
        assert main(far.deploy("--yes")) == 3
        liar.honest()
        assert main(far.deploy("--yes")) == 0
    purposes = [purpose for _, purpose, _ in town.purposes()]
    assert len(set(purposes)) == len(purposes) == Chain(anvil.url).nonce(ADDRESS)


def test_it_waits_for_as_many_blocks_as_it_is_told(town: Town, anvil: Anvil, capsys: Said) -> None:
    at_depth = [*town.deploy("--yes", "--final-seconds-max", "2"), "--confirmations", "40"]
    assert main(at_depth) == 3
    assert "not final yet" in capsys.readouterr().err
    assert "founding" in json.loads(town.addresses.read_text()), "no file of addresses before it is final"
    stop = threading.Event()

    def mine() -> None:
        while not stop.wait(0.05):
            anvil.ask("evm_mine")

    miner = threading.Thread(target=mine)
    miner.start()
    try:
        assert main([*town.deploy("--yes"), "--confirmations", "40"]) == 0
    finally:
        stop.set()
        miner.join()


def test_production_refuses_what_everybody_could_use(town: Town, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setenv("TONGDUI_ENVIRONMENT", "production")
    monkeypatch.setenv("TONGDUI_DATABASE_URL", town.dsn)
    monkeypatch.setenv("TONGDUI_UNINSPECTED_BECAUSE", "a test")
    Account.enable_unaudited_hdwallet_features()
    everybodys = Account.from_mnemonic(TEST_MNEMONIC)
    asset, published = "0x" + "77" * 20, everybodys.address.lower()
    refusals = []
    handover = json.loads((town.folder / "alliance.json").read_text())["handover"]
    for changes in (
        {},
        {"asset": asset, "handover": None},
        {"asset": asset, "handover": {**handover, "submitter": published}},
        {"asset": asset, "handover": {**handover, "guardians": [published]}},
    ):
        town.tell(**{"asset": None, **changes})
        assert main(town.deploy("--yes")) == 1
        refusals.append(capsys.readouterr().err.partition("alliance.json: ")[2].split(": ")[0])
        town.tell(handover=handover)
    assert refusals == ["asset", "handover", "handover.submitter", "handover.guardians[0]"]
    keystore(town.folder / "founder.json", bytes(everybodys.key))
    assert main(town.deploy("--yes")) == 1
    assert "published test account" in capsys.readouterr().err
    assert town.purposes() == []
    assert os.environ["TONGDUI_ENVIRONMENT"] == "production"


def test_an_asset_that_does_not_do_is_refused(town: Town, capsys: Said) -> None:
    town.tell(asset="0x" + "77" * 20)
    assert main(town.deploy("--yes")) == 1
    assert "asset: there is no contract at 0x7777" in capsys.readouterr().err


def test_a_founder_that_would_stay_in_power_is_refused(town: Town, capsys: Said) -> None:
    handover = json.loads((town.folder / "alliance.json").read_text())["handover"]
    town.tell(handover={**handover, "submitter": SENDER.address.lower()})
    assert main(town.deploy()) == 1
    assert "it cannot stay" in capsys.readouterr().err


def test_an_address_a_keystore_and_a_depth_are_all_that_the_first_batch_takes(
    town: Town, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The submitter that the alliance was handed over to settles a day by what the periodic tasks work with."""
    assert main(town.deploy("--yes")) == 0
    Field(dsn=town.dsn, url=town.url, folder=town.folder).post(day(1))
    keystore(town.folder / "keys" / "operator.json", SUBMITTER)
    anvil.ask("anvil_setBalance", shown(SUBMITTER), hex(10**18))
    for name, value in {
        "RPC_URL": town.url,
        "CONFIRMATIONS": "2",
        "ADDRESSES": str(town.addresses),
        "SIGNER_PASSWORD_FILE": str(town.folder / "password"),
    }.items():
        monkeypatch.setenv(f"TONGDUI_{name}", value)
    works = Works(settings=SettlementSettings(), dsn=town.dsn, now_ms=lambda: 0)
    with works.connection() as conn, works.settlement(conn) as s:
        settles(s, anvil, town.folder)


def test_a_login_of_ones_own_founds_by_the_two_roles(town: Town) -> None:
    """As the production page has it: nothing is done in the owner's name."""
    with psycopg.connect(town.dsn, autocommit=True) as conn:
        conn.execute("CREATE ROLE own_workers LOGIN IN ROLE tongdui_app, tongdui_settlement")
    try:
        own = Town(town.folder, re.sub(r"//[^@]*@", "//own_workers@", town.dsn), town.url)
        assert main(own.deploy("--yes")) == 0
    finally:
        with psycopg.connect(town.dsn, autocommit=True) as conn:
            conn.execute("DROP OWNED BY own_workers; DROP ROLE own_workers")

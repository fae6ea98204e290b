"""`python -m settlement carry-over` against anvil: refused while something is pending, planned, cut, one hub."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auditor.__main__ import main as auditor
from proofs.json_form import hex_bytes
from settlement import lease, tables
from settlement.batches import Settlement, seal_next
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Checkpoint
from settlement.deployment.carry_command import main
from settlement.deployment.deploy_command import main as deploy
from settlement.deployment.record import Origin
from settlement.deployment.verify_command import main as verify
from settlement.settings import SettlementSettings
from settlement.submitter import drive
from settlement.tasks.leading import leading
from settlement.tasks.ticks import SETTLEMENT
from settlement.tasks.works import Works
from tests.settlement.chain.anvil import Anvil
from tests.settlement.chain.driver import ROOT
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.tiny import ADDRESS, SENDER
from tests.settlement.deployment.test_deploy_command import PROCESS_S_MAX, Said, planned
from tests.settlement.deployment.town import CHAIN_ID, SUBMITTER, Town, in_environment, keystore, shown

READER = X25519PrivateKey.from_private_bytes(b"\x05" * 32)
HOURS_6 = 6 * 3_600


@pytest.fixture
def works(town: Town, monkeypatch: pytest.MonkeyPatch) -> Works:
    """An alliance whose founding account still rules, with a day in its ledger."""
    town.tell(handover=None)
    return founded(town, monkeypatch, bytes(SENDER.key))


def founded(town: Town, monkeypatch: pytest.MonkeyPatch, submitter: bytes) -> Works:
    """Deployed, and what its tasks work with."""
    public = READER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (town.folder / "keys" / "recipients.json").write_text(json.dumps({"auditor": public.hex()}))
    assert deploy(town.deploy("--yes")) == 0
    keystore(town.folder / "keys" / "operator.json", submitter)
    told = {"RPC_URL": town.url, "CONFIRMATIONS": "0", "SIGNER_PASSWORD_FILE": str(town.folder / "password")}
    for name, value in told.items():
        monkeypatch.setenv(f"TONGDUI_{name}", value)
    return Works(settings=SettlementSettings(), dsn=town.dsn, now_ms=lambda: 0)


def trade(town: Town, number: int) -> None:
    Field(dsn=town.dsn, url=town.url, folder=town.folder).post(day(number))


def settle(works: Works, town: Town, anvil: Anvil) -> int:
    """The day, settled and final; the number of its batch."""
    with works.connection() as conn, works.settlement(conn) as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        attest(s, town.folder, [(batch.batch_no, batch.header_hash)], list(ATTESTERS))
        brought_on(s, anvil)
        s.alliance.chain.advance_time(HOURS_6)
        brought_on(s, anvil)
        assert tables.last_finalised(conn) == batch.batch_no
    return batch.batch_no


def brought_on(s: Settlement, anvil: Anvil) -> None:
    for _ in range(3):
        drive(s)
        anvil.finalise()


def carry_over(town: Town, *more: str) -> list[str]:
    """Arguments, with a file of its own for the next hub's addresses."""
    told = town.deploy(*more)
    told[told.index("--out") + 1] = str(next_file(town))
    return told


def taken_over_at(town: Town, place: str) -> Checkpoint:
    """As if the command had slept there for longer than its lease, and a task had come and gone."""

    def sleep_here(point: str) -> None:
        if point == place:
            with psycopg.connect(town.dsn, autocommit=True) as conn:
                conn.execute("UPDATE settlement.lease SET expires_at = '-infinity' WHERE name = %s", [SETTLEMENT])
                lease.take(conn, SETTLEMENT, holder="a task").release(conn)

    return sleep_here


@contextmanager
def without_mirror(town: Town) -> Iterator[None]:
    published, aside = town.folder / "published", town.folder / "aside"
    published.rename(aside)
    published.write_text("no folder")
    yield
    published.unlink()
    aside.rename(published)


def begun_a_batch_ago(town: Town, number: int) -> None:
    """A draft as it stands when another batch came in before anything was founded."""
    origin = Origin(chain_id=CHAIN_ID, genesis_hash=Chain(town.url).genesis_hash(), founder=ADDRESS, scope=f"@{number}")
    next_file(town).write_text(json.dumps({"founding": origin.as_json() | {"transactions": {}}}))


def next_file(town: Town) -> Path:
    return town.folder / "next.json"


@pytest.mark.timeout(400)
def test_a_ledger_goes_on_at_one_other_hub_wherever_the_command_was_cut(
    works: Works, town: Town, anvil: Anvil, capsys: Said
) -> None:
    trade(town, 1)
    assert main(town.deploy()) == 1
    assert "names the hub that the ledger is to leave" in capsys.readouterr().err
    assert main(carry_over(town, "--yes")) == 1
    assert capsys.readouterr().err.startswith("settlement carry-over: last-batch-unsettled: batch 0")
    first = settle(works, town, anvil)
    capsys.readouterr()
    before = Chain(town.url).nonce(ADDRESS)
    with works.connection() as conn, leading(conn, town.dsn, SETTLEMENT, wait_s_max=0):
        assert main(carry_over(town), lease_s=1) == 3
    assert "tongdui.settlement is led by" in capsys.readouterr().err, "a task is at the old hub"
    begun_a_batch_ago(town, first)
    assert main(carry_over(town)) == 0
    next_file(town).unlink()
    said = capsys.readouterr().out
    assert f"goes on as batch {first + 1} after header" in said
    assert (Chain(town.url).nonce(ADDRESS), next_file(town).exists()) == (before, False)
    assert main(carry_over(town, "--yes"), checkpoint=taken_over_at(town, "decided")) == 3
    assert "tongdui.settlement: another process took the lead meanwhile" in capsys.readouterr().err
    assert Chain(town.url).nonce(ADDRESS) == before, "what was being signed is thrown away"
    for nth in (1, 3, 13, 6):
        assert cut_at(town, nth) == -signal.SIGKILL
    with without_mirror(town):  # its first batch is stored, its hub is not in the database yet
        assert main(carry_over(town, "--yes"), lease_s=2) == 3
    assert "not on every mirror" in capsys.readouterr().err
    assert cut_at(town, 5) == -signal.SIGKILL  # and now it is
    assert main(carry_over(town, "--yes", "--check-rpc", f"{town.url}/")) == 1
    assert "--check-rpc: has to be another node than the first" in capsys.readouterr().err
    other = town.url.replace("127.0.0.1", "localhost")  # which nobody can see from here
    assert main(carry_over(town, "--yes", "--check-rpc", other)) == 0
    said_by_both = capsys.readouterr().out
    assert said_by_both.count(" 0 not\n") == 2, said_by_both
    told = json.loads(next_file(town).read_text())
    assert told["carried"]["hub"] == json.loads(town.addresses.read_text())["hub"] != told["hub"]
    purposes = [purpose for _, purpose, _ in town.purposes()]
    assert len(set(purposes)) == len(purposes) == Chain(town.url).nonce(ADDRESS)
    wound_down = purposes.index("wind-down@0")
    nonces = [nonce for nonce, _, _ in town.purposes()[wound_down:]]
    assert nonces == [nonce for nonce, _, _ in planned(said)], "once each, as planned"
    assert told["hub"] in said, "at the address that was planned"
    assert main(carry_over(town, "--yes")) == 0, "done is done"
    assert verify(["--rpc", town.url, "--addresses", str(next_file(town))]) == 0
    trade(town, 2)
    assert settle(works, town, anvil) == first + 2
    assert audited(town, told["hub"]) == ("clean", [0, 1, 2, 3])


def test_where_a_council_rules_it_ends_the_hub_and_rules_the_next_one(
    town: Town, anvil: Anvil, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    works = founded(town, monkeypatch, SUBMITTER)
    anvil.ask("anvil_setBalance", shown(SUBMITTER), hex(10**18))
    trade(town, 1)
    first = settle(works, town, anvil)
    capsys.readouterr()
    assert main(carry_over(town, "--yes")) == 1
    assert [line.split(":")[1].strip() for line in capsys.readouterr().err.splitlines()] == ["not-winding-down"]
    old = json.loads(town.addresses.read_text())
    ends_by(anvil, old["deployment"]["governance"]["slow"]["address"], old["hub"])
    assert main(carry_over(town, "--yes")) == 0
    new = json.loads(next_file(town).read_text())
    assert new["deployment"]["governance"]["slow"]["address"] != old["deployment"]["governance"]["slow"]["address"]
    trade(town, 2)
    assert settle(works, town, anvil) == first + 2


def ends_by(anvil: Anvil, timelock: str, hub: str) -> None:
    """What the timelock does when its time is over."""
    anvil.ask("anvil_setBalance", timelock, hex(10**18))
    anvil.ask("anvil_impersonateAccount", timelock)
    data = Contract(Chain(anvil.url), "SettlementHub", hex_bytes(hub)).data("beginWindDown")
    anvil.ask("eth_sendTransaction", {"from": timelock, "to": hub, "data": "0x" + data.hex()})
    anvil.finalise()


def cut_at(town: Town, nth: int) -> int:
    """A process of its own, ended at its nth signature or send; its exit code."""
    command = [sys.executable, "-m", "tests.settlement.deployment.cut", "carry-over", str(nth)]
    ended = subprocess.run(
        [*command, *carry_over(town, "--yes")],
        cwd=ROOT,
        env=in_environment(town),
        timeout=PROCESS_S_MAX,
        check=False,
        stdout=subprocess.DEVNULL,
    )
    return ended.returncode


def audited(town: Town, hub: str) -> tuple[str, list[int]]:
    """What a stranger finds who knows nothing but the new hub and its file of addresses."""
    keys, out = town.folder / "reader.json", town.folder / "report.json"
    keys.write_text(json.dumps({"kid": "auditor", "x25519": (b"\x05" * 32).hex()}))
    data = ["--data", str(town.folder / "published")]
    place = ["--rpc", town.url, "--hub", hub, "--anchor", str(next_file(town)), "--to", "latest"]
    auditor(["audit", *place, *data, "--keys", str(keys), "--out", str(out), "--quiet"])
    report = json.loads(out.read_text())
    return report["verdict"], [each["no"] for each in report["batches"]]

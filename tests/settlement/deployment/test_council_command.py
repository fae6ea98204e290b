"""`python -m settlement council` on anvil: from a proposal through signatures and a timelock to its effect."""

import json
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger import journal
from ledger.answers import LegRef
from ledger.commands import Earn
from settlement.alliance import PARAMS
from settlement.batches import seal_next
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.council.command import main
from settlement.deployment.deploy_command import main as deploy
from settlement.deployment.register_command import main as register
from settlement.deployment.verify_command import main as verify
from settlement.handover import FAST_DELAY_S
from settlement.sealing import desk
from settlement.sealing.lanes import create_keystore
from settlement.settings import SettlementSettings
from settlement.tasks.works import Works
from settlement.watch.unregistered import tell_unregistered
from settlement.watch.watcher import watch
from tests.settlement.chain.anvil import Anvil
from tests.settlement.chain.field import AT_MS, MERCHANTS, Field, registry_commands
from tests.settlement.chain.nodes import Node
from tests.settlement.deployment.conftest import settled
from tests.settlement.deployment.town import GUARDIAN, HOST, SUBMITTER, Town, build, keystore, shown

Said = pytest.CaptureFixture[str]
LOWER = tuple(PARAMS._replace(gross_cap_slow=PARAMS.gross_cap_slow // 2))


@pytest.fixture
def ruled(town: Town, capsys: Said) -> Town:
    return handed_over(town, capsys)


def handed_over(town: Town, capsys: Said) -> Town:
    town.tell(collateral={})
    assert deploy(town.deploy("--yes")) == 0
    capsys.readouterr()
    return town


def policy(town: Town) -> Contract:
    told = json.loads(town.addresses.read_text())
    place = bytes.fromhex(told["contracts"]["policy"]["address"][2:])
    return Contract(Chain(town.url), "AlliancePolicy", place)


def propose(town: Town, name: str, call: str, *arguments: Any) -> Path:
    path = town.folder / f"{name}.json"
    assert main(["propose", call, json.dumps(arguments), *town.council(), "--out", str(path)]) == 0
    return path


def sign(town: Town, path: Path, who: str) -> int:
    return main(["sign", str(path), "--addresses", str(town.addresses), "--yes", *town.key(who)])


def execute(town: Town, *paths: Path) -> int:
    return main(["execute", *map(str, paths), *town.council(), *town.key("founder")])


def operation(said: str) -> str:
    """The number of the first operation that `list` tells."""
    return said.partition("operation ")[2].partition(":")[0]


def test_a_parameter_is_changed_with_notice_and_by_as_many_as_it_takes(
    database: str, remote: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    ruled = handed_over(settled(build(tmp_path, database, remote.url, tiers=False), monkeypatch), capsys)
    path = propose(ruled, "cap", "policy.setParams", list(LOWER))
    said = capsys.readouterr().out
    assert "fast (Timelock" in said
    assert "policy (AlliancePolicy" in said
    assert "grossCapSlow = 50,000,000,000" in said
    assert "slowWindowSeconds = 604,800 (7 d)" in said
    assert "takes effect 2 d after that at the earliest" in said
    copy = Path(shutil.copy(path, ruled.folder / "copy.json"))
    assert (sign(ruled, path, "signer0"), execute(ruled, path)) == (0, 1)
    assert "signatures: 1 of signers, 2 are needed" in capsys.readouterr().err
    keystore(ruled.folder / "stranger.json", GUARDIAN)
    assert (sign(ruled, path, "stranger"), execute(ruled, path)) == (0, 1)
    assert "1 of signers, 2 are needed; 1 of strangers" in capsys.readouterr().err
    assert sign(ruled, copy, "signer2") == 0
    assert main(["show", str(copy), "--addresses", str(ruled.addresses)]) == 0
    assert "signed by 0x" in capsys.readouterr().out
    assert execute(ruled, path, copy) == 0
    assert execute(ruled, path, copy) == 1
    assert "nonce: is 0, but the council's next call has 1" in capsys.readouterr().err

    assert main(["list", *ruled.council()]) == 0
    said = capsys.readouterr().out
    assert "2 of 3, next call 1" in said
    assert "waits until" in said
    assert policy(ruled).read("params")[6] == PARAMS.gross_cap_slow
    carry_out = ["carry-out", operation(said), *ruled.council(), *ruled.key("founder")]
    assert main(carry_out) == 1
    assert "waits until" in capsys.readouterr().err
    Chain(ruled.url).advance_time(FAST_DELAY_S)
    assert main(carry_out) == 0
    assert policy(ruled).read("params")[6] == PARAMS.gross_cap_slow // 2
    assert main(carry_out) == 1
    assert "carried out" in capsys.readouterr().err
    assert verify([*ruled.node(), "--json"]) == 0
    lines = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert lines["grossCapSlow"]["found"] == "NOTE"
    assert lines["grossCapSlow"]["words"] == "50000000000; 100000000000 at the deployment"


def test_what_was_scheduled_is_called_off_and_may_come_again(ruled: Town, capsys: Said) -> None:
    for name in ("first", "second"):
        path = propose(ruled, name, "policy.setHonestWeight", 2)
        assert "slow (Timelock" in capsys.readouterr().out
        assert [sign(ruled, path, "signer0"), sign(ruled, path, "signer1"), execute(ruled, path)] == [0, 0, 0]
        capsys.readouterr()
    main(["list", *ruled.council()])
    said = capsys.readouterr().out
    assert said.count("waits until") == 2
    number = operation(said)
    off = ruled.folder / "off.json"
    assert main(["cancel", number[:12], *ruled.council(), "--out", str(off)]) == 0
    assert "takes effect at once" in capsys.readouterr().out
    assert [sign(ruled, off, "signer0"), sign(ruled, off, "signer2"), execute(ruled, off)] == [0, 0, 0]
    capsys.readouterr()
    main(["list", *ruled.council()])
    said = capsys.readouterr().out
    assert (said.count("waits until"), said.count("called off")) == (1, 1)
    assert main(["cancel", number, *ruled.council(), "--out", str(ruled.folder / "again.json")]) == 1
    assert "cannot be called off" in capsys.readouterr().err


def test_merchants_are_registered_without_notice(ruled: Town, capsys: Said) -> None:
    admin = shown(GUARDIAN)
    path = propose(ruled, "join", "registry.addMerchants", [{"merchantId": 77, "admin": admin, "payoutAddress": admin}])
    assert "merchantId = 77" in capsys.readouterr().out
    assert [sign(ruled, path, "signer1"), sign(ruled, path, "signer2"), execute(ruled, path)] == [0, 0, 0]
    told = json.loads(ruled.addresses.read_text())
    registry = Contract(
        Chain(ruled.url), "MerchantRegistry", bytes.fromhex(told["contracts"]["registry"]["address"][2:])
    )
    assert registry.read("merchant", 77)[0] == admin


def test_a_file_that_was_changed_names_its_field(ruled: Town, capsys: Said) -> None:
    path = propose(ruled, "floor", "policy.setFloor", 1, 1000)
    assert sign(ruled, path, "signer0") == 0
    whole = json.loads(path.read_text())
    entry = whole["signatures"][0]
    for changes, words in (
        ({"deadline": "9999999999"}, "signatures[0].signature: is not 0x"),
        ({"nonce": "-1"}, "nonce: a whole number is wanted"),
        ({"target": "0x12"}, "target: 20 bytes are wanted, not 1"),
        ({"data": "12"}, "data: 0x-hex is wanted"),
        ({"chainId": 5, "signatures": []}, "chainId: is 5, the alliance is on 31337"),
        ({"council": "0x" + "12" * 20, "signatures": []}, "council: is another than the alliance's"),
        ({"signatures": [{**entry, "signature": "0x" + "00" * 65}]}, "signatures[0].signature: is no"),
        ({"signatures": [{"signer": entry["signer"]}]}, "signatures[0]: signer and signature are wanted"),
        ({"because": "trust me"}, "because: no field of a proposal"),
    ):
        path.write_text(json.dumps(whole | changes))
        assert main(["show", str(path), "--addresses", str(ruled.addresses)]) == 1, changes
        assert words in capsys.readouterr().err
    del whole["data"]
    path.write_text(json.dumps(whole))
    assert main(["show", str(path), "--addresses", str(ruled.addresses)]) == 1
    assert "data: is missing" in capsys.readouterr().err


def test_calls_that_cannot_be_made_are_refused_when_they_are_drawn_up(ruled: Town, capsys: Said) -> None:
    for call, arguments, words in (
        ("policy.pause", [], "policy.pause: is no call of the council's"),
        ("bank.rob", [], "bank: no contract of this alliance"),
        ("policy.obey", [], "AlliancePolicy has no such function"),
        ("policy.setFloor", [1], "1 arguments, wanted are (uint32 merchantId, uint96 floor)"),
        ("policy.setFloor", [1, "many"], "floor: a whole number is wanted"),
        ("policy.addReceiptSigner", ["0x12"], "signer: 20 bytes are wanted, not 1"),
        ("policy.setParams", [{"honestWeight": 1}], "newParams: the fields are fastWindowSeconds"),
    ):
        asked = ["propose", call, json.dumps(arguments), *ruled.council(), "--out", str(ruled.folder / "none.json")]
        assert main(asked) == 1, call
        assert words in capsys.readouterr().err
    assert not (ruled.folder / "none.json").exists()


def test_what_the_contract_refuses_is_not_sent(ruled: Town, capsys: Said) -> None:
    """A floor that is more than tenfold: the council's signatures do not help."""
    first = propose(ruled, "floor", "policy.setFloor", 1, 1000)
    assert [sign(ruled, first, "signer0"), sign(ruled, first, "signer1"), execute(ruled, first)] == [0, 0, 0]
    path = propose(ruled, "more", "policy.setFloor", 1, 20_000)
    assert [sign(ruled, path, "signer0"), sign(ruled, path, "signer1"), execute(ruled, path)] == [0, 0, 1]
    assert "FloorTooHigh(1, 20000, 10000)" in capsys.readouterr().err


def test_a_proposal_that_came_too_late_is_refused(ruled: Town, capsys: Said) -> None:
    path = ruled.folder / "late.json"
    asked = ["propose", "policy.setFloor", "[1, 1000]", *ruled.council(), "--days", "1", "--out", str(path)]
    assert main(asked) == 0
    assert [sign(ruled, path, "signer0"), sign(ruled, path, "signer1")] == [0, 0]
    Chain(ruled.url).advance_time(2 * 86_400)
    assert execute(ruled, path) == 1
    assert "deadline: was" in capsys.readouterr().err


def test_an_unknown_call_is_shown_as_bytes_and_an_alliance_without_council_has_none(ruled: Town, capsys: Said) -> None:
    path = propose(ruled, "floor", "policy.setFloor", 1, 1000)
    capsys.readouterr()
    told = json.loads(path.read_text())
    for changes in ({"target": "0x" + "12" * 20}, {"data": told["data"] + "00"}, {"data": "0x12345678"}):
        path.write_text(json.dumps(told | changes))
        assert main(["show", str(path), "--addresses", str(ruled.addresses)]) == 0
        assert "UNKNOWN call of 0x" in capsys.readouterr().out
    file = json.loads(ruled.addresses.read_text())
    file["deployment"]["governance"] = None
    ruled.addresses.write_text(json.dumps(file))
    assert main(["list", *ruled.council()]) == 1
    assert "the alliance was not handed over" in capsys.readouterr().err


def test_a_guardian_pauses_alone_and_the_check_says_so(ruled: Town, anvil: Anvil, capsys: Said) -> None:
    keystore(ruled.folder / "guardian.json", GUARDIAN)
    anvil.ask("anvil_setBalance", shown(GUARDIAN), hex(10**18))
    assert main(["pause", *ruled.council(), *ruled.key("founder")]) == 1
    assert "AccessControlUnauthorizedAccount" in capsys.readouterr().err
    assert main(["pause", *ruled.council(), *ruled.key("guardian")]) == 0
    assert "paused until 20" in capsys.readouterr().out
    assert verify([*ruled.node(), "--json"]) == 0
    lines = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert (lines["paused"]["found"], lines["winding down"]["found"]) == ("NOTE", "OK")
    assert main(["pause", *ruled.council(), *ruled.key("guardian")]) == 1
    assert "Pause" in capsys.readouterr().err


def purchase(merchant: int) -> Earn:
    name = f"e{merchant}"
    return Earn(key=name, at_ms=AT_MS + 1, merchant_id=merchant, member="ann", order=name, amount_minor=10_000)


def head_of(town: Town) -> int:
    with psycopg.connect(town.dsn) as conn:
        return journal.head_seq(conn)


def sold(town: Town, *, settling: bool = False) -> tuple[list[LegRef], list[tuple[str, str]]]:
    """The next batch, by what the periodic tasks work with: what it leaves behind, and who is told as unregistered."""
    works = Works(settings=SettlementSettings(rpc_url=town.url), dsn=town.dsn, now_ms=lambda: 0)
    with works.connection() as conn, works.settlement(conn) as s:
        batch = seal_next(s, settling=settling)
        assert batch is not None
        watch(conn, s.alliance)
        told = [(each.place, each.actual.partition(":")[0]) for each in tell_unregistered(s)]
        return desk.late_legs(conn, batch_no=batch.batch_no + 1), told


def test_a_merchant_joins_by_the_council_and_its_administrator(ruled: Town, anvil: Anvil, capsys: Said) -> None:
    """It sells before it is registered: that waits, and what others sell does not."""
    keystore(ruled.folder / "host.json", HOST)
    anvil.ask("anvil_setBalance", shown(HOST), hex(10**18))
    arguments = ["--rpc", ruled.url, "--dsn", ruled.dsn, "--confirmations", "0", *ruled.key("host")]
    assert register(arguments) == 0
    assert "nothing is missing" in capsys.readouterr().out
    newcomer = registry_commands([*MERCHANTS, 4])
    field = Field(dsn=ruled.dsn, url=ruled.url, folder=ruled.folder)
    field.post([newcomer[3], newcomer[7]])
    (ruled.folder / "keys" / "operator.key").write_text(SUBMITTER.hex())
    field.post([purchase(merchant) for merchant in (1, 4)])
    late = [LegRef(head_of(ruled), 1)]
    assert sold(ruled) == (late, [("merchant 4", "no key, no lane, no terms 4")])
    create_keystore(ruled.folder / "keys" / "lanes.json", [*MERCHANTS, 4])
    assert register([*arguments, "--yes"]) == 1
    call = capsys.readouterr().err.partition("propose registry.addMerchants '")[2].rstrip().removesuffix("'")
    path = propose(ruled, "join", "registry.addMerchants", *json.loads(call))
    assert [sign(ruled, path, "signer0"), sign(ruled, path, "signer1"), execute(ruled, path)] == [0, 0, 0]
    capsys.readouterr()
    assert register(arguments) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["addKeys: 3", "addTerms: 1"]
    assert register([*arguments, "--yes"]) == 0
    assert register(arguments) == 0
    assert "nothing is missing" in capsys.readouterr().out.splitlines()[-1]
    told = json.loads(ruled.addresses.read_text())
    place = bytes.fromhex(told["contracts"]["registry"]["address"][2:])
    registry = Contract(Chain(ruled.url), "MerchantRegistry", place)
    assert registry.read("merchant", 4)[:2] == (shown(HOST), shown(HOST))
    assert registry.read("termsCount") == 4
    assert registry.read("key", 4, 1)[0] != "0x" + "00" * 20
    anvil.finalise()
    assert sold(ruled, settling=True) == (late, []), "its accounts have their rows from this batch on"
    assert sold(ruled, settling=True) == ([], [])

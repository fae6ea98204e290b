"""`python -m settlement verify-deployment`: one wrong byte, a wrong partner or a founder in power is told by name."""

import json
from typing import Any

import pytest

from settlement.chain.client import Chain
from settlement.chain.contracts import Contract, artifact
from settlement.deployment.deploy_command import main as deploy
from settlement.deployment.verify_command import main
from tests.settlement.chain.anvil import Anvil
from tests.settlement.deployment.town import Town

Said = pytest.CaptureFixture[str]


@pytest.fixture
def founded(town: Town, capsys: Said) -> Town:
    assert deploy(town.deploy("--yes")) == 0
    capsys.readouterr()
    return town


def told(town: Town) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(town.addresses.read_text())
    return found


def lines(capsys: Said) -> dict[str, tuple[str, str]]:
    """What is found, by the name of the line."""
    return {each["name"]: (each["found"], each["words"]) for each in json.loads(capsys.readouterr().out)}


def test_a_stranger_sees_everything_as_it_should_be(founded: Town, capsys: Said) -> None:
    assert main([*founded.node(), "--json"]) == 0
    found = lines(capsys)
    assert found["council"] == ("OK", "2 of 3 sign")
    assert found["slow timelock"] == ("OK", "waits 1209600 s")
    assert found["founding account"] == ("OK", "has no role")
    assert found["in the hub"][0] == "OK"
    assert found["asset"][0] == "NOTE"
    assert {name for name, (state, _) in found.items() if state == "NOTE"} == {"asset"}
    assert main(founded.node()) == 0
    table = capsys.readouterr().out
    assert table.splitlines()[-1].endswith("0 not")


@pytest.mark.parametrize("name", ["policy", "registry", "fund", "queue"])
def test_one_byte_of_code_is_told(founded: Town, anvil: Anvil, capsys: Said, name: str) -> None:
    place = told(founded)["contracts"][name]["address"]
    code = bytearray(Chain(anvil.url).code(bytes.fromhex(place[2:])))
    code[1_000] ^= 1
    anvil.ask("anvil_setCode", place, "0x" + code.hex())
    assert main([*founded.node(), "--json"]) == 1
    (wrong,) = [words for state, words in lines(capsys).values() if state == "DIFFERS"]
    assert f"byte 1,000 is 0x{code[1_000]:02x} and not 0x{code[1_000] ^ 1:02x}" in wrong


def test_a_partner_that_was_put_into_the_code_is_told(founded: Town, anvil: Anvil, capsys: Said) -> None:
    place = told(founded)["contracts"]["policy"]["address"]
    code = bytearray(Chain(anvil.url).code(bytes.fromhex(place[2:])))
    for each in artifact("AlliancePolicy")["immutableReferences"]:
        code[each["start"] : each["start"] + 32] = bytes(12) + b"\x66" * 20
    anvil.ask("anvil_setCode", place, "0x" + code.hex())
    assert main([*founded.node(), "--json"]) == 1
    state, words = lines(capsys)["AlliancePolicy"]
    assert (state, "immutables nobody put there" in words, "66" * 20 in words) == ("DIFFERS", True, True)


def test_an_empty_place_is_told(founded: Town, anvil: Anvil, capsys: Said) -> None:
    anvil.ask("anvil_setCode", told(founded)["hub"], "0x")
    assert main([*founded.node(), "--json"]) == 1
    assert "there is no code" in lines(capsys)["SettlementHub"][1]


def test_another_header_zero_and_other_hashes_are_told(founded: Town, capsys: Said) -> None:
    wrong = told(founded)
    wrong["genesisHeader"]["openedAt"] = "1"
    wrong["contracts"]["fund"]["codeHash"] = "0x" + "22" * 32
    founded.addresses.write_text(json.dumps(wrong))
    assert main([*founded.node(), "--json"]) == 1
    found = lines(capsys)
    assert {name for name, (state, _) in found.items() if state == "DIFFERS"} == {"hash of the file's", "GuaranteeFund"}


def test_a_role_that_somebody_was_given_is_told(founded: Town, anvil: Anvil, capsys: Said) -> None:
    """The slow timelock itself gives the right to grant to somebody: notice was given, but it is no timelock."""
    file = told(founded)
    slow, stranger = file["deployment"]["governance"]["slow"]["address"], bytes.fromhex("ab" * 20)
    policy = Contract(Chain(anvil.url), "AlliancePolicy", bytes.fromhex(file["contracts"]["policy"]["address"][2:]))
    anvil.ask("anvil_impersonateAccount", slow)
    anvil.ask("anvil_setBalance", slow, hex(10**18))
    for role in ("CHARTER_ROLE", "GUARDIAN_ROLE"):
        data = policy.data("grantRole", policy.read(role), stranger)
        call = {"from": slow, "to": "0x" + policy.address.hex(), "data": "0x" + data.hex(), "gas": hex(200_000)}
        anvil.ask("eth_sendTransaction", call)
    anvil.finalise()
    assert main([*founded.node(), "--json"]) == 1
    found = lines(capsys)
    assert found["AlliancePolicy CHARTER_ROLE"] == ("DIFFERS", f"without notice: 0x{stranger.hex()}")
    assert found["AlliancePolicy GUARDIAN_ROLE"][0] == "NOTE"


def test_an_alliance_that_was_not_handed_over_is_noted(town: Town, capsys: Said) -> None:
    town.tell(handover=None)
    assert deploy(town.deploy("--yes")) == 0
    assert "KEEPS EVERY ROLE" in capsys.readouterr().out
    assert main([*town.node(), "--json"]) == 0
    assert lines(capsys)["handed over"] == ("NOTE", "no: no timelock has the right to grant roles")


def test_a_multisig_of_another_make_may_rule(town: Town, capsys: Said) -> None:
    multisig = "0x" + "5a" * 20
    town.tell(handover={**json.loads((town.folder / "alliance.json").read_text())["handover"], "existing": multisig})
    assert deploy(town.deploy("--yes")) == 0
    capsys.readouterr()
    assert main([*town.node(), "--json"]) == 0
    found = lines(capsys)
    assert found["handed over"] == ("OK", f"council {multisig}")
    assert found["council"] == ("NOTE", "a multisig of another make: who signs there is not known here")


def test_another_chain_a_node_that_is_away_and_no_file(founded: Town, capsys: Said) -> None:
    other = told(founded) | {"chainId": 5}
    founded.addresses.write_text(json.dumps(other))
    assert main([*founded.node(), "--json"]) == 1
    assert lines(capsys)["chain id"] == ("DIFFERS", "31337, not 5")
    assert main(["--rpc", "http://127.0.0.1:1", "--addresses", str(founded.addresses)]) == 3
    founded.addresses.write_text("{}")
    assert main(founded.node()) == 2
    assert "not a file of addresses" in capsys.readouterr().err

"""The registry of tiers beside the other contracts: founded with them or later, handed over, written down, attached."""

import json
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from proofs.groth16 import VerificationKey
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.tier.circuit_folder import CircuitUnfit
from proofs.tier.trusted import Setup
from settlement.alliance import OtherCode, attach
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract, Refused
from settlement.chain.outbox import LocalSigner, Outbox
from settlement.deploy import found
from settlement.handover import Governance, hand_over
from settlement.networks import NotAddresses, require_addresses, write_addresses
from settlement.sealing.lanes import create_keystore
from settlement.tables import Conn
from settlement.tiers.founding import DEVELOPMENT, VERIFIER, NewCircuit, TierFounding, read_circuit
from settlement.tiers.place import registry_place
from tests.settlement.chain.field import MERCHANTS, Field, address, founding
from tests.settlement.chain.test_handover import GUARDIAN, REFUSED, SUBMITTER, TO
from tests.settlement.chain.tiny import SENDER

EMPTY_CODE = bytes.fromhex("6001600c60003960016000f300")
"""Creates a contract whose code is one STOP: nobody proves anything here."""
EPOCH_KEY = address(keccak256(b"tongdui-test-epoch"))
PARTNER = address(keccak256(b"tongdui-test-partner"))
CIRCUIT = NewCircuit(
    circuit_id=keccak256(b"TierProofV1(24)"),
    vk_hash=keccak256(b"a key"),
    setup=Setup.DEV,
    verifier=EMPTY_CODE,
)
TIERS = TierFounding(epoch_key=EPOCH_KEY, circuit=CIRCUIT, partners={7: PARTNER})


P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Order of the field that points have their coordinates in."""


class Cut(Exception):
    """Stands for the end of the process."""


def registry_of(conn: Conn, url: str) -> Contract:
    registry = attach(conn, Chain(url)).tiers
    assert registry is not None
    return registry


def test_an_alliance_is_founded_with_tiers_wherever_it_is_cut(field: Field) -> None:
    """Every transaction is cut after its signature and after its send; each is there once."""
    with field.settlement():
        pass
    seen: set[tuple[str, int]] = set()
    lanes = create_keystore(field.folder / "lanes.json", MERCHANTS)
    with psycopg.connect(field.dsn, autocommit=True) as conn:
        for _ in range(60):

            def cut(point: str) -> None:
                (count,) = conn.execute("SELECT count(*) FROM settlement.chain_nonce").fetchone() or (0,)
                if (point, count) not in seen:
                    seen.add((point, count))
                    raise Cut

            outbox = Outbox(conn, Chain(field.url), LocalSigner(SENDER.key), lease_s=1, checkpoint=cut)
            try:
                found(conn, Chain(field.url), outbox, founding(conn, lanes, tiers=TIERS), field.publication())
            except Cut:
                continue
            break
        assert {point for point, _ in seen} >= {"signed", "sent", "included"}
        purposes = [each for (each,) in conn.execute("SELECT purpose FROM settlement.chain_nonce").fetchall()]
        name = CIRCUIT.vk_hash.hex()[:16]
        wanted = ("deploy:TierRegistry", f"deploy:TierProofVerifier:{name}", f"registerCircuit:{name}")
        assert [purposes.count(each) for each in wanted] == [1, 1, 1]
        registry = registry_of(conn, field.url)
        assert len(registry.events("CircuitRegistered", first=0)) == 1
        assert len(registry.events("PartnerSet", first=0)) == 1


def test_the_registry_begins_as_it_was_founded_and_stays(field: Field) -> None:
    with replace(field, tiers=TIERS).settlement() as s:
        registry = s.alliance.tiers
        assert registry is not None
        assert registry.read("epochKey") == hex_text(EPOCH_KEY)
        assert registry.read("graceSeconds") == 86_400
        assert registry.read("partnerKey", 7) == hex_text(PARTNER)
        number = registry.read("circuitNoOf", CIRCUIT.circuit_id)
        circuit_id, vk_hash, verifier, setup, retired = registry.read("circuit", number)
        assert (circuit_id, vk_hash, setup, retired) == (CIRCUIT.circuit_id, CIRCUIT.vk_hash, 0, False)
        assert s.alliance.chain.code(bytes.fromhex(verifier[2:])) == b"\x00"
        first = registry_place(s.conn)
    other = replace(CIRCUIT, vk_hash=keccak256(b"another key"), setup=Setup.CEREMONY)
    with replace(field, tiers=replace(TIERS, circuit=other, partners={7: SUBMITTER, 8: PARTNER})).settlement() as s:
        assert registry_place(s.conn) == first
        registry = registry_of(s.conn, field.url)
        number = registry.read("circuitNoOf", CIRCUIT.circuit_id)
        assert registry.read("circuit", number)[1] == other.vk_hash
        assert registry.read("partnerKey", 7) == hex_text(PARTNER), "a partner's key is changed by nobody in passing"
        assert registry.read("partnerKey", 8) == hex_text(PARTNER)


def test_other_code_at_the_registry_is_an_error(field: Field) -> None:
    with replace(field, tiers=TIERS).settlement() as s:
        s.conn.execute("UPDATE settlement.tier_registry SET code_hash = %s", [bytes(32)])
        with pytest.raises(OtherCode, match="registry of tiers"):
            attach(s.conn, s.alliance.chain)


def refused(contract: Contract, sender: bytes, function: str, *arguments: object) -> str:
    """What the contract says to this call, "" if it would do it."""
    try:
        contract.try_out(contract.data(function, *arguments), sender=sender)
    except Refused as error:
        return error.name
    return ""


def test_the_founding_key_has_no_say_in_tiers_after_the_hand_over(field: Field) -> None:
    with replace(field, tiers=TIERS).settlement() as s:
        registry, founder = s.alliance.tiers, s.outbox.sender
        assert registry is not None
        with s.outbox.leading() as led:
            governance: Governance = hand_over(s.alliance, led, TO)
        header = (0, 1, 1, 24, *(bytes(32),) * 4, 1, 2**40, bytes(32))
        calls = {
            "registerCircuit": (bytes(32), founder, bytes(32), 1),
            "setEpochKey": (founder,),
            "setPartner": (8, founder),
            "publishEpoch": (header, b""),
            "revokeEpoch": (1,),
            "retireCircuit": (1,),
            "grantRole": (bytes(32), founder),
        }
        assert {refused(registry, founder, name, *arguments) for name, arguments in calls.items()} == {REFUSED}
        held_by = {
            "registerCircuit": governance.slow.address,
            "grantRole": governance.slow.address,
            "setEpochKey": governance.fast.address,
            "setPartner": governance.council,
            "publishEpoch": SUBMITTER,
            "revokeEpoch": GUARDIAN,
            "retireCircuit": GUARDIAN,
        }
        for name, holder in held_by.items():
            assert refused(registry, holder, name, *calls[name]) != REFUSED, name
            others = set(held_by.values()) - {holder}
            assert {refused(registry, other, name, *calls[name]) for other in others} == {REFUSED}, name


def test_the_file_of_addresses_names_registry_and_verifiers(field: Field, tmp_path: Path) -> None:
    path = tmp_path / "addresses.json"
    with field.settlement() as s:
        write_addresses(s.conn, s.alliance, path)
        assert "tiers" not in json.loads(path.read_text())
    with replace(field, tiers=TIERS).settlement() as s:
        write_addresses(s.conn, s.alliance, path)
        chain, registry = s.alliance.chain, s.alliance.tiers
        assert registry is not None
        told = require_addresses(chain, path)["tiers"]
        assert told["registry"]["address"] == hex_text(registry.address)
        (verifier,) = told["verifiers"].values()
        assert (verifier["codeHash"], verifier["setup"]) == (hex_text(keccak256(b"\x00")), 0)

        for part, named in (("registry", "registry of tiers"), ("verifiers", "verifier of 0x")):
            wrong = json.loads(path.read_text())
            place = wrong["tiers"]["registry"] if part == "registry" else next(iter(wrong["tiers"][part].values()))
            place["address"] = hex_text(s.alliance.anchor.hub)
            bad = tmp_path / f"{part}.json"
            bad.write_text(json.dumps(wrong))
            with pytest.raises(OtherCode, match=named):
                require_addresses(chain, bad)
            with pytest.raises(NotAddresses, match="names another alliance"):
                write_addresses(s.conn, s.alliance, bad)
        path.write_text(json.dumps({**json.loads(path.read_text()), "tiers": []}))
        with pytest.raises(NotAddresses):
            require_addresses(chain, path)


def test_a_circuit_is_read_with_the_verifier_of_its_very_key(tmp_path: Path) -> None:
    """A ceremony's name over the development verifier, the mistake that costs most, is refused with all others."""
    committed = read_circuit(DEVELOPMENT)
    assert (committed.circuit_id, committed.setup) == (CIRCUIT.circuit_id, Setup.DEV)
    told, key = (json.loads((DEVELOPMENT / f"{name}.json").read_text()) for name in ("circuit", "verification_key"))
    built = json.loads(VERIFIER.read_text())
    artifact = tmp_path / "verifier.json"

    def reads(manifest: object = told, verification_key: object = key, verifier: object = built) -> NewCircuit:
        (tmp_path / "circuit.json").write_text(json.dumps(manifest))
        (tmp_path / "verification_key.json").write_text(json.dumps(verification_key))
        artifact.write_text(json.dumps(verifier))
        return read_circuit(tmp_path, artifact)

    assert reads() == committed
    assert reads({**told, "setup": "ceremony"}).setup is Setup.DEV, "whatever it calls itself"
    x, y, one = key["vk_delta_2"]
    other = {**key, "vk_delta_2": [x, [str(P - int(part)) for part in y], one]}
    other_hash = hex_text(VerificationKey.from_json(other).hash())
    elsewhere = {**told, "vk_hash": other_hash, "setup": "ceremony"}
    with pytest.raises(CircuitUnfit, match="made for another key"):
        reads(elsewhere, other)
    code = built["bytecode"]
    for part in y:
        code = code.replace(f"{int(part):064x}", f"{P - int(part):064x}")
    assert reads(elsewhere, other, {**built, "bytecode": code}).setup is Setup.CEREMONY
    for wrong in ({"setup": "production"}, {"vk_hash": other_hash}, {"vk_hash": 5}, {"circuit_id": "0x" + "00" * 32}):
        with pytest.raises(CircuitUnfit):
            reads({**told, **wrong})
    with pytest.raises(CircuitUnfit, match="verification_key"):
        reads(verification_key={**key, "vk_delta_2": key["vk_gamma_2"]})
    broken: list[object] = [{}, {"bytecode": "0x"}, {"bytecode": ["0x00"]}, {"bytecode": built["bytecode"][:2_000]}, []]
    for code in broken:
        with pytest.raises(CircuitUnfit):
            reads(verifier=code)
    artifact.write_text("<html>not found</html>")
    with pytest.raises(CircuitUnfit, match="not JSON"):
        read_circuit(tmp_path, artifact)
    with pytest.raises(CircuitUnfit, match="no such file"):
        read_circuit(tmp_path / "nothing")

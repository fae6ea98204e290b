"""One tier proof from a member's browser to everybody who may check it: the whole way, on real programs.

An alliance on the embedded chain with its registry, an epoch that is anchored there, the API, a page with the prover on
loopback in a headless Chromium, the partner's verifier in a process that has `proofs` and four wheels and nothing else,
snarkjs, and the contract. The member's secret is drawn in the page and stays there. Called by the test beside it and by
`python -m bench.tier_show`, which keeps what `show` answers.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from coincurve import PrivateKey
from fastapi.testclient import TestClient
from playwright.sync_api import Page

from api import keys
from api.app import create_app
from api.door import open_door
from proofs.accounts import OPERATOR_ID
from proofs.json_form import hex_text
from proofs.signature import address_of
from proofs.tier.header import EpochHeader
from proofs.tier.policy import Policy
from proofs.tier.request import SignedRequest
from proofs.tier.verify import signals_of
from proofs.words import uint_word
from settlement.batches import Settlement
from settlement.chain.contracts import Contract, Refused
from settlement.chain.outbox import Intent
from settlement.embedded_chain.process import EmbeddedNode
from settlement.tiers import commitments, epochs, registry, rows, signing_keys
from settlement.tiers.epochs import Desk
from settlement.tiers.founding import TierFounding, read_circuit
from settlement.tiers.rows import State
from settlement.tiers.trees import Trees
from tests.api.conftest import Caller, Clock
from tests.api.tiers import alliance
from tests.api.tiers.alliance import CLOCK, GOLD, KEYS, MEMBERS, NODE, VAULT, Partner, key_of, own_commitment
from tests.conftest import ROOT
from tests.e2e.browser import browser
from tests.settlement.chain.field import Field, registry_commands
from tests.settlement.tiers.paper import EPOCH_KEY

SHOP = 1
FIRST, SECOND = 3, 4
WANG = MEMBERS[0]
RECIPIENT = b"\x5a" * 20
WHEELS = ("coincurve", "tiny_keccak", "Crypto", "cffi", "_cffi_backend", "pycparser", "asn1crypto")
"""What a partner's `pip install` brings; those that are not here are not needed here."""
DRIVES_MAX, DRIVE_SECONDS = 60, 0.5
VERIFY_GAS = 600_000
PAGE = """<!doctype html><meta charset="utf-8"><title>wallet</title><script type="module">
import * as prover from "./prover.js";
const load = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const [wasm, zkey] = await Promise.all([load("./circuit.wasm"), load("./circuit.zkey")]);
const { secret, commitment } = prover.makeCommitment();
const big = (value) => BigInt(value);
window.wallet = {
  commitment,
  async answer({ delivered, grid, cohorts, chain, request, now, tiers }) {
    const asked = prover.parseRequest(request);
    const epoch = prover.parseHeader(delivered.signed);
    const witness = prover.parseWitness(delivered.witness);
    const [epochTag, root] = [prover.epochTag(delivered.signed.header.alliance_id, delivered.epoch), epoch.header.root];
    if (!prover.checkWitness(witness, { secret: big(secret), epochTag, root })) throw new Error("not my witness");
    const known = {
      ...{ chainId: big(chain.chain_id), registry: chain.registry, epochKey: chain.epoch_key },
      ...{ partnerKey: chain.partner_key, anchoredRoot: big(chain.root), epoch, grid, cohorts },
      attributes: witness.attributes,
    };
    const shown = prover.checkRequest(asked, known, { now: big(now), tierNames: tiers });
    if (shown.refused) return { refused: `${shown.refused}: ${shown.detail}` };
    const { scope, policy } = asked.request;
    const challenge = prover.challengeOf(asked);
    const told = { secret: big(secret), witness, epochTag, root, scope, challenge, policy, useIndex: 0n };
    const begun = performance.now();
    const response = await prover.prove(prover.makeInput(told), { wasm, zkey });
    const ms = Math.round(performance.now() - begun);
    return { predicate: shown.predicate, cohort: Number(shown.cohort), response, ms };
  },
};
document.title = "ready";
</script>"""
UNPACK = """
import { writeFileSync } from "node:fs";
import { loaded } from "./proofs/circuits/build/manifest.mjs";
const [folder, keys] = process.argv.slice(-2);
const { wasm, zkey } = loaded(keys, { production: false });
writeFileSync(`${folder}/circuit.wasm`, wasm);
writeFileSync(`${folder}/circuit.zkey`, zkey);
"""
SNARKJS = """
import { readFileSync } from "node:fs";
import { groth16 } from "snarkjs";
const { key, signals, proof } = JSON.parse(readFileSync(0, "utf8"));
const [a, b, c] = [[...proof.pi_a, "1"], [...proof.pi_b, ["1", "0"]], [...proof.pi_c, "1"]];
const three = { protocol: "groth16", curve: "bn128", pi_a: a, pi_b: b, pi_c: c };
process.stdout.write(String(await groth16.verify(key, signals, three)));
process.exit(0);
"""
ALONE = "import runpy, sys; sys.path[:0] = [sys.argv.pop(1)]; runpy.run_module('proofs.tier', run_name='__main__')"


@dataclass
class Show:
    """What is at hand, and what was seen."""

    settlement: Settlement
    partners: tuple[Partner, Partner]
    operator: Caller
    device: Caller
    page: Page
    folder: Path
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def contract(self) -> Contract:
        found = self.settlement.alliance.tiers
        assert found is not None
        return found


def show(dsn: str, node: EmbeddedNode, folder: Path) -> dict[str, Any]:
    """Everything, in order; what was seen of it."""
    circuit = read_circuit(KEYS)
    founding = TierFounding(
        epoch_key=address(PrivateKey(EPOCH_KEY)),
        circuit=circuit,
        partners={number: address(key_of(number)) for number in (FIRST, SECOND)},
    )
    field_of = Field(dsn=dsn, url=node.url, folder=folder, tiers=founding)
    field_of.post(registry_commands())
    clock = Clock(datetime.now(UTC) - timedelta(days=1))
    desk = alliance.desk_of(folder)
    with (
        field_of.settlement() as settlement,
        open_door(dsn, production=False, readers_max=2, now=clock, move_clock=clock.move_to, tiers=desk) as door,
        TestClient(create_app(door)) as http,
        site(folder) as address_of_page,
        browser() as chromium,
    ):
        page = chromium.new_page()
        page.goto(address_of_page)
        page.wait_for_function("document.title === 'ready'")
        with psycopg.connect(dsn) as connection:
            shop = keys.issue(
                connection, merchant_id=SHOP, environment="test", scopes=["events:write", "sessions:write"]
            )
            boss = keys.issue(connection, merchant_id=OPERATOR_ID, environment="test")
        operator = Caller(http, boss)
        enrol(Caller(http, shop), operator, dsn, clock, str(page.evaluate("wallet.commitment")))
        clock.at += timedelta(days=1)
        anchor(settlement, dsn, folder, clock)
        partners = (alliance.partner(operator, door, FIRST), alliance.partner(operator, door, SECOND))
        scene = Show(settlement, partners, operator, alliance.let_in(operator, WANG), page, folder)
        shown_to_a_partner(scene)
        shown_on_chain(scene)
        return scene.seen


def address(key: PrivateKey) -> bytes:
    return address_of(key.public_key)


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """A page with the prover and the circuit's files, on loopback."""
    served = folder / "site"
    served.mkdir()
    subprocess.run([str(NODE), "proofs/circuits/prover/bundle.mjs", str(served)], cwd=ROOT, check=True)
    unpack = [str(NODE), "--input-type=module", "-e", UNPACK, str(served), str(KEYS)]
    subprocess.run(unpack, cwd=ROOT, check=True)
    (served / "index.html").write_text(PAGE, encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Quiet(SimpleHTTPRequestHandler):
    """Files, and no word about them."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def enrol(shop: Caller, operator: Caller, dsn: str, clock: Clock, of_the_page: str) -> None:
    """Sixty customers, yesterday; one of them over the API with the commitment that its page made."""
    at = clock.at.isoformat()
    operator.done("/v1/tiers", occurred_at=at, tiers=alliance.TIERS, window_seconds=31_536_000, grace_seconds=2_592_000)
    joined: list[dict[str, Any]] = [{"type": "member.joined", "id": f"join-{each}", "member": each} for each in MEMBERS]
    bought: list[dict[str, Any]] = [
        {"type": "order.paid", "id": f"p-{each}", "member": each, "order": f"o-{each}", "amount_minor": 1_500}
        for each in MEMBERS
    ]
    answer = shop.post("/v1/events/batch", {"events": [each | {"occurred_at": at} for each in (*joined, *bought)]})
    assert {each["status"] for each in answer.json()["results"]} == {201}, answer.text
    with psycopg.connect(dsn, autocommit=True) as connection:
        for member in MEMBERS[1:]:
            word = uint_word(own_commitment(member))
            commitments.enrol(connection, CLOCK, member, word, now=int(clock.at.timestamp()))
    mine = alliance.put(alliance.let_in(shop, WANG), "/v1/me/tier-commitment", {"commitment": of_the_page})
    assert mine.status_code == 200, mine.text


def anchor(settlement: Settlement, dsn: str, folder: Path, clock: Clock) -> None:
    """Seal the epoch of today and wait until the chain has it for good."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        signing_keys.keep(connection, VAULT, EPOCH_KEY, now=0, production=False)
        desk = Desk(
            conn=connection,
            vault=VAULT,
            clock=CLOCK,
            trees=Trees(folder / "tiers"),
            registry=registry.attach(connection, settlement.alliance.chain, settlement.outbox),
            now=int(clock.at.timestamp()),
            grid=alliance.GRID,
        )
        standings = []
        for _ in range(DRIVES_MAX):
            standings = epochs.drive(desk)
            assert not [each for each in standings if each.alarm], standings
            if rows.last_anchored(connection) is not None:
                return
            time.sleep(DRIVE_SECONDS)
    raise AssertionError(f"not {State.ANCHORED.name}: {standings}")


def proven(scene: Show, signed: dict[str, Any], number: int) -> dict[str, Any]:
    """What the page answers to a request after it has looked at everything itself."""
    delivered = scene.device.get("/v1/me/tier-witness").json()
    epoch = scene.operator.http.get(f"/v1/epochs/{delivered['epoch']}").json()
    root, *_ = scene.contract.read("epochOf", delivered["epoch"])
    chain = {
        "chain_id": signed["chain_id"],
        "registry": hex_text(scene.contract.address),
        "epoch_key": str(scene.contract.read("epochKey")).lower(),
        "partner_key": str(scene.contract.read("partnerKey", number)).lower(),
        "root": str(root),
    }
    told = {
        "delivered": delivered,
        "grid": epoch["policy_grid"],
        "cohorts": epoch["cohorts"],
        "chain": chain,
        "request": signed,
        "now": int(time.time()),
        "tiers": ["regular", "silver", "gold"],
    }
    answer: dict[str, Any] = scene.page.evaluate("told => wallet.answer(told)", told)
    assert "response" in answer, answer
    return answer


def shown_to_a_partner(scene: Show) -> None:
    """Over the API, by the partner's own verifier, by snarkjs; the second time, and at another partner."""
    first, second = scene.partners
    place = {"place": (scene.settlement.outbox.chain_id, scene.contract.address), "epoch": today(scene)}
    asked = first.asked(Policy(tier_mask=GOLD), **scoped(scene, FIRST), **place)
    answer = proven(scene, asked["signed"], FIRST)
    assert "tier gold" in answer["predicate"]
    response = answer["response"]
    scene.seen |= {"predicate": answer["predicate"], "cohort": answer["cohort"], "browser_proof_ms": answer["ms"]}
    files = kept(scene, asked["signed"], response)
    scene.seen["own_verifier"] = alone(scene, files)
    scene.seen["snarkjs"] = by_snarkjs(scene, asked["signed"], response)
    elsewhere = second.asked(Policy(tier_mask=GOLD), **scoped(scene, SECOND), **place)
    scene.seen["at_another_partner"] = second.show(elsewhere["id"], response).json()["code"]
    scene.seen["others_request"] = second.show(asked["id"], response).json()["code"]
    scene.seen["api"] = first.show(asked["id"], response).json().get("accepted")
    scene.seen["api_again"] = first.show(asked["id"], response).json()["code"]


def today(scene: Show) -> int:
    epoch, _ = scene.contract.read("lastEpoch")
    return int(epoch)


def scoped(scene: Show, number: int, window: int = 1) -> dict[str, Any]:
    """The scope as the contract makes it."""
    return {"scope": scene.contract.read("scopeOf", number, "a free upgrade", window), "window_id": window}


def kept(scene: Show, signed: dict[str, Any], response: dict[str, Any]) -> list[str]:
    """The files that a partner has: its request, the response, and what it trusts, by one GET."""
    files = {
        "request.json": json.dumps(signed),
        "response.json": json.dumps(response),
        "trusted.json": scene.operator.http.get("/v1/verification-key").text,
    }
    for name, text in files.items():
        (scene.folder / name).write_text(text, encoding="utf-8")
    request, answer, trusted = (str(scene.folder / name) for name in files)
    return ["verify", request, answer, "--trusted", trusted, "--allow-dev"]


def alone(scene: Show, arguments: list[str]) -> int:
    """The exit code of the partner's verifier, in a process that has the package `proofs` and its wheels alone."""
    installed = scene.folder / "installed"
    shutil.copytree(
        ROOT / "proofs", installed / "proofs", ignore=shutil.ignore_patterns("circuits", "js", "__pycache__")
    )
    for wheel in WHEELS:
        found = find_spec(wheel)
        if found is not None and found.origin is not None:
            origin = Path(found.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (installed / source.name).symlink_to(source)
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(installed), *arguments]
    done = subprocess.run(command, cwd=scene.folder, capture_output=True, text=True, check=False)
    scene.seen["own_verifier_said"] = (done.stdout or done.stderr).strip().splitlines()[:3]
    return done.returncode


def by_snarkjs(scene: Show, signed: dict[str, Any], response: dict[str, Any]) -> bool:
    delivered = scene.device.get("/v1/me/tier-witness").json()
    header = EpochHeader.from_json(delivered["signed"]["header"])
    signals = signals_of(SignedRequest.from_json(signed), header, int(response["nullifier"])).in_order()
    told = {
        "key": json.loads((KEYS / "verification_key.json").read_bytes()),
        "signals": [str(each) for each in signals],
        "proof": response["proof"],
    }
    command = [str(NODE), "--input-type=module", "-e", SNARKJS]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(told), capture_output=True, text=True, check=True)
    return done.stdout == "true"


def shown_on_chain(scene: Show) -> None:
    """A request with a recipient, taken by the contract; the second time, and for another partner's request."""
    contract, outbox = scene.contract, scene.settlement.outbox
    place = {"place": (outbox.chain_id, contract.address), "epoch": today(scene), "recipient": RECIPIENT}
    requests = {
        number: scene.partners[number - FIRST].request(
            Policy(tier_mask=GOLD), **scoped(scene, number, 9), **place, expires_at=int(time.time()) + 600
        )
        for number in (FIRST, SECOND)
    }
    answer = proven(scene, requests[FIRST], FIRST)
    calls = {number: verify_call(contract, signed, answer["response"]) for number, signed in requests.items()}
    scene.seen["chain_at_another_partner"] = refusal(contract, calls[SECOND])
    with outbox.leading(wait_s_max=20) as led:
        taken = led.complete(Intent("tier-show", contract.address, calls[FIRST], VERIFY_GAS))
    digest = SignedRequest.from_json(requests[FIRST]).digest
    scene.seen |= {"chain": contract.read("isVerified", digest), "chain_gas": taken.gas_used}
    scene.seen["chain_again"] = refusal(contract, calls[FIRST])


def verify_call(contract: Contract, signed: dict[str, Any], response: dict[str, Any]) -> bytes:
    """Calldata of verifyTier; of B's limbs the imaginary part first."""
    request = SignedRequest.from_json(signed)
    proof = response["proof"]
    limbs = [*proof["pi_a"], *(limb for pair in proof["pi_b"] for limb in reversed(pair)), *proof["pi_c"]]
    nullifier, numbers = int(response["nullifier"]), [int(each) for each in limbs]
    return contract.data("verifyTier", request.request, request.signature, nullifier, numbers)


def refusal(contract: Contract, data: bytes) -> str:
    """The name of the error that the contract answers."""
    try:
        contract.try_out(data, gas=VERIFY_GAS)
    except Refused as refused:
        return refused.name
    return "taken"

"""An alliance whose tiers can be proven: sixty members with commitments in an epoch in force, partners with keys
and passes, a registry on paper, and a wallet that proves with the development keys.

Fifty-two members are gold, six silver, two regular, so a policy that only silver meets has too few. Keys are derived in
the open: keccak256("tongdui-test-" + name).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import psycopg
from coincurve import PrivateKey

from api.door import Door
from api.tiers.desk import TierDesk
from proofs.groth16 import VerificationKey
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.signature import address_of
from proofs.tier.circuit_folder import read_keys
from proofs.tier.grid import PolicyGrid
from proofs.tier.policy import Policy, at_least
from proofs.tier.request import NOBODY, ProofRequest
from proofs.tier.statement import CIRCUIT_ID, commitment, nullifier, scope
from settlement.tiers import epochs, signing_keys
from settlement.tiers.clock import EpochClock
from settlement.tiers.epochs import Desk
from settlement.tiers.registry import Circuit
from settlement.tiers.trees import Trees
from settlement.vault import Vault
from tests.api.conftest import START, Caller
from tests.conftest import ROOT
from tests.settlement.tiers.paper import ADDRESS, CHAIN_ID, EPOCH_KEY, Paper

CLOCK = EpochClock()
VAULT = Vault(b"\x06" * 32)
KEYS = ROOT / "proofs" / "circuits" / "dev"
NODE = Path(sys.executable).parent / "node"
MEMBERS = [f"m-{number}" for number in range(60)]
GOLD, SILVER = at_least(2), at_least(1)
ONLY_SILVER = 1 << 1
GRID = PolicyGrid(tier_masks=(ONLY_SILVER, GOLD, SILVER), points_edges=(20, 100), spend_edges=(20, 100), max_uses_max=3)
TODAY = CLOCK.epoch_at(int(START.timestamp()))
PROVING_SECONDS_MAX = 60
TIERS = [
    {"code": "regular", "qualifying_au": 0},
    {"code": "silver", "qualifying_au": 20},
    {"code": "gold", "qualifying_au": 100},
]


@dataclass(frozen=True, slots=True)
class Shelf(Paper):
    """The registry on paper, with the circuit whose proofs are made here."""

    def circuit(self) -> Circuit:
        form = json.loads((KEYS / "verification_key.json").read_bytes())
        return Circuit(CIRCUIT_ID, VerificationKey.from_json(form).hash(), development=True)


def secret(member: str) -> int:
    """What the member's device holds."""
    return int.from_bytes(keccak256(f"tongdui-test-{member}".encode()), "big") >> 8


def spent(member: str) -> int:
    """What the member bought for, in minor units: 150, 30 or 5 AU worth of tea."""
    number = int(member.removeprefix("m-"))
    return 15_000 if number < 52 else 3_000 if number < 58 else 500


def desk_of(folder: Path) -> TierDesk:
    """What a door needs to check proofs and hand out witnesses."""
    circuits = (read_keys(KEYS),)
    return TierDesk(circuits=circuits, clock=CLOCK, vault=VAULT, trees=Trees(folder / "tiers"))


def settle_in(tea: Caller, operator: Caller, at: datetime = START) -> None:
    """Sixty customers of tea, and the tiers; they bought two days before."""
    rules = {"tiers": TIERS, "window_seconds": 31_536_000, "grace_seconds": 2_592_000}
    operator.done("/v1/tiers", occurred_at=at.isoformat(), **rules)
    joined: list[dict[str, Any]] = [{"type": "member.joined", "id": f"join-{each}", "member": each} for each in MEMBERS]
    bought: list[dict[str, Any]] = [
        {"type": "order.paid", "id": f"pay-{each}", "member": each, "order": f"o-{each}", "amount_minor": spent(each)}
        for each in MEMBERS
    ]
    before = (at - timedelta(days=2, hours=2)).isoformat()
    events = [each | {"occurred_at": before} for each in (*joined, *bought)]
    answer = tea.post("/v1/events/batch", {"events": events})
    assert {each["status"] for each in answer.json()["results"]} == {201}, answer.text


def seal(door: Door, dsn: str, folder: Path, *, at: int) -> None:
    """Take the epochs as far as they go at that second."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        signing_keys.keep(conn, VAULT, EPOCH_KEY, now=0, production=False)
        stand_by(conn)
        desk = Desk(
            conn=conn,
            vault=VAULT,
            clock=CLOCK,
            trees=Trees(folder / "tiers"),
            registry=Shelf(folder / "registry.json"),
            now=at,
            grid=GRID,
        )
        standings = epochs.drive(desk)
        assert not [each for each in standings if each.alarm], standings
    assert door.tiers.trees is not None


def stand_by(conn: psycopg.Connection[Any]) -> None:
    """Record where the registry is."""
    conn.execute(
        "INSERT INTO settlement.tier_registry (chain_id, address, code_hash, deploy_block) VALUES (%s, %s, %s, 1)"
        " ON CONFLICT DO NOTHING",
        (CHAIN_ID, ADDRESS, keccak256(b"code")),
    )


@dataclass
class Partner:
    """A partner's program: its key, its pass, and what it asks."""

    number: int
    caller: Caller
    door: Door
    nonce: int = field(default=0)

    @property
    def key(self) -> PrivateKey:
        return key_of(self.number)

    def request(self, policy: Policy, **changes: Any) -> dict[str, Any]:
        """A signed request.json; a new nonce each time."""
        self.nonce += 1
        window, purpose = changes.get("window_id", 1), changes.get("purpose", "a free upgrade")
        asker = changes.get("partner_id", self.number)
        usual: dict[str, Any] = {
            "partner_id": asker,
            "audience": f"partner-{self.number}.example",
            "purpose": purpose,
            "window_id": window,
            "scope": scope(CHAIN_ID, ADDRESS, asker, purpose, window),
            "policy": policy.packed(),
            "epoch": TODAY,
            "circuit_id": CIRCUIT_ID,
            "nonce": keccak256(f"nonce {self.number} {self.nonce}".encode()),
            "expires_at": int((self.door.now() + timedelta(minutes=10)).timestamp()),
            "max_uses": policy.max_uses,
            "recipient": NOBODY,
        }
        place = changes.pop("place", (CHAIN_ID, ADDRESS))
        key = changes.pop("key", self.key)
        return ProofRequest(**usual | changes).sign(key, *place).to_json()

    def ask(self, policy: Policy, **changes: Any) -> Any:
        return self.caller.post("/v1/proof-requests", self.request(policy, **changes))

    def asked(self, policy: Policy, **changes: Any) -> dict[str, Any]:
        """A request that is taken in, as a wallet reads it."""
        answer = self.ask(policy, **changes)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def show(self, request_id: str, response: object) -> Any:
        return self.caller.post("/v1/tier-proofs/verify", {"request_id": request_id, "response": response})


def key_of(number: int) -> PrivateKey:
    return PrivateKey(keccak256(f"tongdui-test-partner-{number}".encode()))


def registered(operator: Caller, number: int, **changes: Any) -> Any:
    """What the operator sends for a partner of that number."""
    usual = {
        "partner_id": number,
        "audience": f"partner-{number}.example",
        "address": hex_text(address_of(key_of(number).public_key)),
        "grid": GRID.to_json(),
        "asks_per_day_max": 50,
        "narrowings_max": 2,
    }
    return operator.post("/v1/partners", usual | changes)


def partner(operator: Caller, door: Door, number: int, **changes: Any) -> Partner:
    """A partner, registered, with a pass."""
    answer = registered(operator, number, **changes)
    assert answer.status_code == 201, answer.text
    given = operator.post(f"/v1/partners/{number}/passes", {"days": 30})
    assert given.status_code == 201, given.text
    return Partner(number, Caller(operator.http, given.json()["token"]), door)


def let_in(opener: Caller, member: str) -> Caller:
    """The member's own device, with a pass that was opened for it."""
    answer = opener.post(f"/v1/members/{member}/sessions", {"seconds": 3_600})
    assert answer.status_code == 201, answer.text
    return Caller(opener.http, answer.json()["token"])


def put(caller: Caller, path: str, body: object) -> Any:
    return caller.http.put(path, json=body, headers={"Authorization": f"Bearer {caller.token}"})


def own_nullifier(member: str, request: dict[str, Any], use_index: int = 0) -> int:
    return nullifier(secret(member), int(request["signed"]["request"]["scope"]), use_index)


def own_commitment(member: str) -> int:
    return commitment(secret(member))


@dataclass
class Wallets:
    """A process that proves, for whichever member."""

    stdin: IO[str]
    stdout: IO[str]

    def prove(
        self, member: str, delivered: dict[str, Any], asked: dict[str, Any], use_index: int = 0, *, of: str = ""
    ) -> Any:
        """A response.json of the member to a request, from the witness that it was delivered; with the secret `of` that
        name, where it is not the member's first.
        """
        told = {
            "secret": str(secret(of or member)),
            "use_index": use_index,
            "witness": delivered["witness"],
            "header": delivered["signed"]["header"],
            "request": asked["signed"],
        }
        self.stdin.write(json.dumps(told) + "\n")
        self.stdin.flush()
        answer = json.loads(self.stdout.readline())
        assert "response" in answer, answer
        return answer["response"]


@contextmanager
def wallets() -> Iterator[Wallets]:
    """Until the block ends."""
    command = [str(NODE), str(Path(__file__).with_name("prover.mjs"))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Wallets(process.stdin, process.stdout)
        process.stdin.close()
        process.wait(PROVING_SECONDS_MAX)

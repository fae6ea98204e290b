"""How fast the front door takes tier proofs, beside the plain function on the same proofs in the same run.

    python -m bench.tier_door [--proofs 120] [--rounds 3]

`python -m api.serve` is started as a process over a migrated database; this process keeps 1, 3 and 12 connections busy
with `POST /v1/tier-proofs/verify`, each proof shown once and taken: a pass looked up, the request read, the proof
checked in a thread of its own, request and nullifier used up in a transaction. A partner may wait for three answers, so
up to three connections are one partner's, and twelve are twelve partners'. Beside it `verify_response` judges as many
proofs one after the other here. The door checks one proof at a time, so more connections cannot be faster than the
function, only keep it busy. Processor time is told apart: server and database. Refusals are not measured: they wait for
steps of a quarter of a second.

Keys and proofs are made from a known trapdoor, with six signals as the tier circuit has; the epoch, the partners and
their requests are written straight into their tables.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from coincurve import PrivateKey
from psycopg.types.json import Jsonb

from api.slow import EACH_MAX
from api.tiers import passes, rows
from api.tiers.rows import Partner
from bench.conditions import Rounds, arguments, keep, machine, medians, quantiles, show
from bench.front_door import listening
from bench.http_load import drive
from bench.stage import TICKS_PER_SECOND, migrated, own_ticks, server_cpu_seconds
from ledger.postgres.embedded import EmbeddedServer, start
from proofs.groth16 import VerificationKey
from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.signature import address_of
from proofs.tier.cohorts import MEMBERS_MIN, Cohorts
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import EpochHeader, SignedHeader
from proofs.tier.policy import Policy
from proofs.tier.request import ProofRequest, SignedRequest
from proofs.tier.statement import CIRCUIT_ID, DEPTH, alliance_id, scope
from proofs.tier.trusted import Trusted
from proofs.tier.verify import signals_of, verify_response
from tests.proofs.trapdoor import R, Trapdoor, trapdoor

SIGNALS, SEED = 6, 64
CHAIN_ID, REGISTRY, EPOCH = 31_337, b"\x77" * 20, 7
KEY = PrivateKey(keccak256(b"tongdui-bench-partner"))
PARTNERS = 12
LASTS_SECONDS = 3_600
CONNECTIONS = (1, 3, 12)
PLAIN = "verify_response, one after the other"
FIGURE = "takenPerSecond"
SECONDS_MAX = 600.0
_PLACE = """
INSERT INTO settlement.tier_registry (chain_id, address, code_hash, deploy_block) VALUES (%s, %s, %s, 1)
"""
_EPOCH = """
INSERT INTO settlement.tier_epoch (epoch, state, not_before, not_after, drawn_at, alliance_id, policy_grid, members,
    tiers, cohorts, root, header, header_hash, signature, anchored_at)
VALUES (%s, 'ANCHORED', %s, %s, %s, %s, %s, 50, '["all"]', %s, %s, %s, %s, %s, %s)
"""


class Shown(NamedTuple):
    """A request and the member's answer to it."""

    signed: SignedRequest
    response: dict[str, Any]

    @property
    def body(self) -> bytes:
        return json.dumps({"request_id": hex_text(self.signed.digest), "response": self.response}).encode()


@dataclass(frozen=True)
class Alliance:
    """A circuit's key whose trapdoor is known, an epoch in force, partners with passes."""

    door: Trapdoor
    header: SignedHeader
    now: int
    tokens: Sequence[str]

    def trusted(self) -> Trusted:
        """What the plain function believes: the same as the server."""
        form = {
            "chain_id": CHAIN_ID,
            "registry": hex_text(REGISTRY),
            "alliance_id": alliance_id(CHAIN_ID, REGISTRY),
            "circuits": [circuit_form(self.door) | {"verification_key": self.door.key}],
            "epochs": [self.header.to_json()],
        }
        return Trusted.from_json(form, allow_dev=True)

    def shown(self, number: int, chance: random.Random) -> Shown:
        """The request of that number, of one partner after the other, and a true proof for it."""
        policy, partner = Policy(), 1 + number % PARTNERS
        request = ProofRequest(
            partner_id=partner,
            audience=f"partner-{partner}.example",
            purpose="bench",
            window_id=1,
            scope=scope(CHAIN_ID, REGISTRY, partner, "bench", 1),
            policy=policy.packed(),
            epoch=EPOCH,
            circuit_id=CIRCUIT_ID,
            nonce=keccak256(number.to_bytes(8, "big")),
            expires_at=self.now + LASTS_SECONDS,
            max_uses=policy.max_uses,
        )
        signed, nullifier = request.sign(KEY, CHAIN_ID, REGISTRY), chance.randrange(1, R)
        proof = self.door.prove(signals_of(signed, self.header.header, nullifier).in_order(), chance)
        return Shown(signed, {"circuit_id": hex_text(CIRCUIT_ID), "nullifier": str(nullifier), "proof": proof})


def circuit_form(door: Trapdoor) -> dict[str, Any]:
    """The manifest of the key, as a circuit's folder has it."""
    vk_hash = VerificationKey.from_json(door.key).hash()
    return {"circuit_id": hex_text(CIRCUIT_ID), "setup": "dev", "vk_hash": hex_text(vk_hash)}


def circuit_folder(door: Trapdoor, folder: Path) -> Path:
    """Where the server reads the key."""
    folder.mkdir()
    (folder / "circuit.json").write_text(json.dumps(circuit_form(door)))
    (folder / "verification_key.json").write_text(json.dumps(door.key))
    return folder


def founded(dsn: str, door: Trapdoor) -> Alliance:
    """The rows that proofs are checked against."""
    at = datetime.now(UTC)
    now, grid, cohorts = int(at.timestamp()), PolicyGrid(), Cohorts({})
    header = EpochHeader(
        alliance_id=alliance_id(CHAIN_ID, REGISTRY),
        epoch=EPOCH,
        root=1,
        depth=DEPTH,
        cohorts=cohorts.hash(),
        policy_grid=grid.hash(),
        circuit_id=CIRCUIT_ID,
        vk_hash=VerificationKey.from_json(door.key).hash(),
        not_before=now - LASTS_SECONDS,
        not_after=now + 24 * LASTS_SECONDS,
        previous=bytes(32),
    ).sign(KEY, CHAIN_ID, REGISTRY)
    told = header.header
    tokens = []
    with psycopg.connect(dsn) as conn:
        conn.execute(_PLACE, [CHAIN_ID, REGISTRY, bytes(32)])
        conn.execute(
            _EPOCH,
            [
                *(EPOCH, told.not_before, told.not_after, now, told.alliance_id, Jsonb(grid.to_json())),
                *(Jsonb(cohorts.to_json()), told.root.to_bytes(32, "big"), Jsonb(told.to_json())),
                *(told.struct_hash(), header.signature, now),
            ],
        )
        for number in range(1, PARTNERS + 1):
            name = f"partner-{number}.example"
            rows.register(conn, Partner(number, name, address_of(KEY.public_key), grid, 1_000_000, 0, at))
            token, _ = passes.issue(
                conn,
                holder="partner",
                holder_id=number,
                environment="test",
                issued_by=0,
                now=at,
                lasts=timedelta(days=1),
            )
            tokens.append(token)
    return Alliance(door, header, now, tokens)


def asked(dsn: str, every: Sequence[Shown], now: datetime) -> None:
    """Let the requests have been asked."""
    with psycopg.connect(dsn) as conn:
        for each in every:
            expires_at = datetime.fromtimestamp(each.signed.request.expires_at, UTC)
            rows.ask(conn, each.signed, cohort=MEMBERS_MIN, now=now, expires_at=expires_at)


def requests(alliance: Alliance, every: Sequence[Shown]) -> Iterator[bytes]:
    """Whole HTTP requests, each with its partner's pass."""
    for each in every:
        token = alliance.tokens[each.signed.request.partner_id - 1]
        head = (
            f"POST /v1/tier-proofs/verify HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(each.body)}\r\n\r\n"
        )
        yield head.encode() + each.body


def at_the_door(
    server: EmbeddedServer, process: subprocess.Popen[bytes], port: int, made: list[bytes], connections: int
) -> dict[str, float]:
    """Every proof shown once over so many connections. Raises AssertionError unless each was taken."""
    before = own_ticks(process.pid) / TICKS_PER_SECOND, server_cpu_seconds(server)
    heard = drive(port, iter(made), connections, SECONDS_MAX)
    after = own_ticks(process.pid) / TICKS_PER_SECOND, server_cpu_seconds(server)
    assert heard.statuses == {200: len(made)}, heard.statuses
    api, postgres = (now - then for now, then in zip(after, before, strict=True))
    return {
        FIGURE: round(len(made) / heard.seconds, 1),
        "apiCpuMillisecondsPerProof": round(api / len(made) * 1e3, 2),
        "postgresCpuMillisecondsPerProof": round(postgres / len(made) * 1e3, 2),
        **quantiles(heard.waits),
    }


def judged(alliance: Alliance, trusted: Trusted, every: Sequence[Shown]) -> dict[str, float]:
    """The plain function's verdicts on the same proofs, which must all be good."""
    partner_key, waits = address_of(KEY.public_key), []
    begun, worked = time.perf_counter(), time.process_time()
    for each in every:
        before = time.perf_counter()
        verdict = verify_response(each.signed, each.response, trusted, now=alliance.now, partner_key=partner_key)
        assert verdict.accepted, verdict.reason
        waits.append(time.perf_counter() - before)
    worked, took = time.process_time() - worked, time.perf_counter() - begun
    return {
        FIGURE: round(len(every) / took, 1),
        "apiCpuMillisecondsPerProof": round(worked / len(every) * 1e3, 2),
        **quantiles(waits),
    }


def partner_of(each: Shown) -> int:
    return each.signed.request.partner_id


def measure(server: EmbeddedServer, folder: Path, proofs: int, rounds: int) -> Rounds:
    """Every round's figures by case; each case has proofs of its own."""
    dsn, door, chance = migrated(server, "tiers"), trapdoor(SEED, SIGNALS), random.Random(SEED)
    alliance = founded(dsn, door)
    trusted, numbers, found = alliance.trusted(), count(), Rounds()
    every: list[Shown] = []
    with listening(dsn, TONGDUI_TIER_CIRCUIT=str(circuit_folder(door, folder / "circuit"))) as (process, port):
        for _ in range(rounds):
            for connections in CONNECTIONS:
                every = [alliance.shown(next(numbers), chance) for _ in range(proofs)]
                every = every if connections > EACH_MAX else sorted(every, key=partner_of)
                asked(dsn, every, datetime.fromtimestamp(alliance.now, UTC))
                figures = at_the_door(server, process, port, list(requests(alliance, every)), connections)
                found.setdefault(f"door, {connections} connections", []).append(figures)
            found.setdefault(PLAIN, []).append(judged(alliance, trusted, every))
    return found


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--proofs", type=int, default=120, help="shown in each case of a round")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    conditions = machine() | vars(chosen)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, start(Path(name) / "postgres") as server:
        rounds = measure(server, Path(name), chosen.proofs, chosen.rounds)
    middle = medians(rounds)
    show("tier proofs taken", middle)
    plain = middle[PLAIN][FIGURE]
    told = {case: round(figures[FIGURE] / plain, 2) for case, figures in middle.items() if case != PLAIN}
    result = {"conditions": conditions, "medians": middle, "takenOverPlainFunction": told, "rounds": rounds}
    print(f"taken a second over the plain function's verdicts: {told}")
    print(f"kept in {keep('tier_door', result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

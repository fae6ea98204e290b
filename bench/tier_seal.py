"""How fast an epoch of tiers is sealed, stage by stage, beside the same hashes in plain Python.

    python -m bench.tier_seal [--members 20000] [--lots 3] [--plain-members 500]

Ours: from members in a real PostgreSQL to the root on disk: snapshot (everybody's attributes read, judged, counted and
kept), tree (salts, leaves, all levels), witness (one path, checked). Baseline: leaf and node of the first members with
our Poseidon in plain Python, on one core, scaled by the number of hashes. The ledger is written straight into its
tables, which no benchmark of sealing has to wait for; its members were in an epoch before. Full: --members 1000000.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import psycopg

from bench.conditions import arguments, keep, machine
from bench.stage import cpu, migrated
from ledger.postgres.embedded import EmbeddedServer, start
from ledger.queries import registry
from ledger.store import open_store
from proofs.poseidon import WORD_BYTES, plain_rows
from proofs.poseidon.compiled import loaded
from proofs.tier.statement import epoch_tag
from settlement.tiers import epoch_secrets, rows, snapshot
from settlement.tiers.epochs import grid_of
from settlement.tiers.rows import Epoch
from settlement.tiers.trees import Trees
from settlement.vault import Vault
from tests.ledger.scene import DAY, small_alliance
from tests.ledger.tier_scene import tiers

T = TypeVar("T")

EPOCH: Final = 40
VAULT: Final = Vault(b"\x06" * 32)
MICRO: Final = 1e6

MEMBERS = """
INSERT INTO ledger.member (shard, member_no, name)
SELECT 0, 1000 + n, 'bench' || n FROM generate_series(1, %(members)s) AS n;
"""
RECORDED = """
INSERT INTO ledger.membership (shard, member_no, bonded, frozen, closed, tier_since_ms, tier)
SELECT 0, 1000 + n, true, false, false, %(since_ms)s, (ARRAY['', 'silver', 'gold', 'diamond'])[1 + n %% 4]
FROM generate_series(1, %(members)s) AS n
"""
LOTS = """
INSERT INTO ledger.lot (shard, seq, no, role, issuer, terms_id, member_no, points, standing, remaining, confirmed_at_ms,
    expires_at_ms, earned_seq, earned_leg, open)
SELECT 0, 10000000 + n, lot, 0, 1 + (n + lot) %% 3, 1 + (n + lot) %% 3, 1000 + n, 1 + n %% 400, 1 + n %% 400,
    1 + n %% 400, %(now_ms)s - (n %% 40) * 86400000::bigint, %(now_ms)s + 300 * 86400000::bigint, 10000000 + n, 1, true
FROM generate_series(1, %(members)s) AS n, generate_series(1, %(lots)s) AS lot
"""
COMMITMENTS = """
INSERT INTO settlement.tier_commitment (member_no, key_no, commitment, enrolled_at, from_epoch)
SELECT 1000 + n, 1, '\\x00' || substr(sha256(n::text::bytea), 2), 0, 1 + n %% 30
FROM generate_series(1, %(members)s) AS n
"""

BLINDS = "INSERT INTO vault.tier_blind (member_no, key_no) SELECT member_no, key_no FROM settlement.tier_commitment"


class Cost(NamedTuple):
    """Seconds of a stage: on the clock, and of processor time in this process and in the database's."""

    wall: float
    own: float
    database: float


def timed(stages: dict[str, Cost], name: str, server: EmbeddedServer, work: Callable[[], T]) -> T:
    """Do the work and note its cost."""
    wall, before = time.perf_counter(), cpu(server)
    made = work()
    used = cpu(server).since(before)
    stages[name] = Cost(time.perf_counter() - wall, used.python, used.postgres)
    return made


def fill(dsn: str, members: int, lots: int) -> None:
    """An alliance of three merchants, and members with their purchases and commitments."""
    with open_store(dsn) as store:
        store.post([*small_alliance(), tiers()])
    now_ms = (EPOCH - 1) * DAY
    values = {"members": members, "lots": lots, "now_ms": now_ms, "since_ms": now_ms - 5 * DAY}
    with psycopg.connect(dsn, autocommit=True) as conn:
        for statement in (MEMBERS, RECORDED, LOTS, COMMITMENTS):
            conn.execute(statement, values)
        conn.execute(BLINDS)
        conn.execute("VACUUM ANALYZE")


def drawn(conn: psycopg.Connection[Any]) -> Epoch:
    """The epoch to be sealed."""
    fields = {
        "epoch": EPOCH,
        "not_before": (EPOCH - 1) * 86_400,
        "not_after": EPOCH * 86_400 - 1,
        "drawn_at": 0,
        "alliance_id": 1,
        "policy_grid": grid_of(registry(conn)).to_json(),
    }
    rows.draw(conn, fields)
    epoch_secrets.draw(conn, VAULT, EPOCH)
    return read(conn)


def read(conn: psycopg.Connection[Any]) -> Epoch:
    epoch = rows.epoch(conn, EPOCH)
    assert epoch is not None
    return epoch


def sealed(server: EmbeddedServer, dsn: str, folder: Path) -> dict[str, Cost]:
    """The stages of one epoch."""
    stages: dict[str, Cost] = {}
    trees = Trees(folder)
    with psycopg.connect(dsn, autocommit=True) as conn:
        epoch, secret = drawn(conn), epoch_secrets.opened(conn, VAULT, EPOCH)
        timed(stages, "snapshot", server, lambda: snapshot.take(conn, epoch, secret))
        root = timed(stages, "tree", server, lambda: trees.build(conn, VAULT, read(conn)))
        conn.execute("UPDATE settlement.tier_epoch SET root = %s", [root.to_bytes(32, "big")])
        timed(stages, "witness", server, lambda: trees.path_of(conn, VAULT, read(conn), 1))
    return stages


def plain_seconds(members: int, of: int) -> float:
    """What `members` would take in plain Python by the mean of the first `of`."""
    tag = epoch_tag(1, EPOCH)
    inputs = [each for number in range(of) for each in (number + 2**240, tag, number + 2**230, number + 2**245)]
    data = b"".join(each.to_bytes(WORD_BYTES, "big") for each in inputs)
    for count in (2, 4):
        plain_rows(bytes(count * WORD_BYTES), count)  # constants are made once
    begin = time.process_time()
    leaves = plain_rows(data, 4)
    plain_rows(leaves + leaves, 2)  # a tree has as many nodes as leaves
    return (time.process_time() - begin) * members / of


def figures(members: int, stages: dict[str, Cost], plain: float) -> dict[str, Any]:
    """The result as it is printed and kept."""
    sealing = [stages[name] for name in ("snapshot", "tree")]
    whole = {name: sum(getattr(cost, name) for cost in sealing) for name in Cost._fields}
    seconds = {name: {key: round(value, 3) for key, value in cost._asdict().items()} for name, cost in stages.items()}
    return {
        "members": members,
        "poseidon": "compiled" if loaded() else "plain Python",
        "seconds": seconds,
        "sealedInSeconds": {name: round(value, 2) for name, value in whole.items()},
        "microsecondsPerMember": {name: round(value / members * MICRO, 1) for name, value in whole.items()},
        "plainHashesSeconds": round(plain, 2),
        "plainOverTree": round(plain / stages["tree"].own, 1),
        "peakMegabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--lots", type=int, default=3)
    parser.add_argument("--plain-members", type=int, default=500)
    chosen = parser.parse_args()
    conditions = machine()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, start(Path(folder) / "postgres") as server:
        dsn = migrated(server, "tiers")
        fill(dsn, chosen.members, chosen.lots)
        stages = sealed(server, dsn, Path(folder) / "trees")
    plain = plain_seconds(chosen.members, min(chosen.plain_members, chosen.members))
    result = figures(chosen.members, stages, plain)
    print(json.dumps(result, indent=1))
    print(f"kept in {keep('tier_seal', {'conditions': conditions, 'lotsPerMember': chosen.lots} | result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

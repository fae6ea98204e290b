"""What the demonstration finds in its books, and what it tells of settlements and of lines the ledger refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg

from api.demo.books import REBUILT, examine
from api.demo.founding import found
from api.demo.merchants import under_replay_conditions
from api.demo.purchases import Purchase, Rejects
from api.demo.replay import replay
from api.demo.report import Moved
from api.demo.summary import moved
from ledger import verify
from ledger.poster import Poster
from ledger.store import open_store
from proofs.accounts import OPERATOR_ID
from tests.ledger.random_commands import history

AT_MS = 1_451_606_400_000
LINE = "e1,2016-01-01T00:00:00Z,purchase,shop,m1,500,GBP,ref-1"
BOUGHT = Purchase(2, "e1", AT_MS, "purchase", "shop", "m1", 500, "GBP", "ref-1", LINE)


def test_the_rebuild_stands_among_the_invariants_and_fires(database: str) -> None:
    with open_store(database) as store:
        store.post(history(seed=5, length=60))
    heard: list[int] = []
    with psycopg.connect(database, autocommit=True) as conn:
        found = examine(conn, heard.append)
        assert [each.name for each in found] == [*verify.STATEMENTS, REBUILT]
        assert all(each.held for each in found)
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE ledger.orders SET fee_bps = fee_bps + 1")
        rebuilt = examine(conn, heard.append)[-1]
    assert not rebuilt.held
    assert "differences, for example stored order" in rebuilt.detail


def test_what_moved_is_counted_settlement_by_settlement() -> None:
    """The first batch pays what the second pays back: nothing is left of it in the nets, and both moved."""
    first, second = {1: -100, 2: 95, OPERATOR_ID: 5}, {1: 80, 2: -95, OPERATOR_ID: 15}
    assert moved([{}, first, second]) == Moved(settlements=2, au=195, to_operator_au=20)


def twice(database: str, folder: Path, change: Callable[[Purchase], Purchase]) -> list[dict[str, object]]:
    """The same id in two files, changed in the second; what the second file's rejects say."""
    with open_store(database) as store, Poster(store) as poster:
        plans = tuple(map(under_replay_conditions, ("shop",)))
        numbers = found(poster.post, known={}, plans=plans, members=("m1", "m2"), progress=lambda _: None)
        for purchase in (BOUGHT, change(BOUGHT)):
            with Rejects(folder / "rejects.jsonl") as rejects:
                replay(
                    iter([purchase]),
                    post=poster.post,
                    merchant_ids=numbers,
                    origins={},
                    rejects=rejects,
                    source="events.csv",
                    progress=lambda _: None,
                )
    return [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]


def test_an_id_used_before_is_refused_naming_the_field_and_keeping_the_line(database: str, tmp_path: Path) -> None:
    line = LINE.replace("m1,500", "m2,700")
    [row] = twice(database, tmp_path, lambda first: replace(first, member="m2", amount_minor=700, text=line))
    assert (row["code"], row["line"], row["text"]) == ("key-reused", 2, line)
    assert str(row["reason"]).endswith("Field: member.")

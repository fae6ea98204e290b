"""What the chain watch tells of a graph, and that it reads the graph as persons, not as accounts."""

from __future__ import annotations

import psycopg
import pytest

from ledger.commands import Enrol, Merge
from ledger.members import watch
from ledger.members.watch import EVIDENCE_MEMBERS_MAX, Alert, alerts
from ledger.store import open_store
from tests.ledger.scene import bond, small_alliance

FAN = {f"f{i:03}": "root" for i in range(29)}
CHAIN = {f"c{i:03}": f"c{i - 1:03}" for i in range(1, 200)}


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, []),
        ({"b": "a"}, []),
        ({"b": "a", "c": "a", "e": "d"}, []),
        ({"b": "a", "c": "b"}, [Alert("long-chain", "a", 3, 3, ("a", "b", "c"))]),
        ({"b": "a", "c": "b", "x": "a"}, [Alert("long-chain", "a", 3, 3, ("a", "b", "c"))]),
        ({"b": "a", "x": "a", "c": "x"}, [Alert("long-chain", "a", 3, 3, ("a", "x", "c"))]),
        ({"b": "a", "c": "b", "d": "c", "y": "x", "z": "y"}, [
            Alert("long-chain", "a", 4, 3, ("a", "b", "c", "d")),
            Alert("long-chain", "x", 3, 3, ("x", "y", "z")),
        ]),
        (FAN, []),
        (FAN | {"last": "root"}, [Alert("wide-root", "root", 30, 30, (*FAN, "last"))]),
        (FAN | {"low": "f000"}, [
            Alert("long-chain", "root", 3, 3, ("root", "f000", "low")),
            Alert("wide-root", "root", 30, 30, (*FAN, "low")),
        ]),
        (CHAIN, [
            Alert("long-chain", "c000", 200, 3, ("c000", *CHAIN)[:EVIDENCE_MEMBERS_MAX]),
            Alert("wide-root", "c000", 199, 30, tuple(CHAIN)[:EVIDENCE_MEMBERS_MAX]),
        ]),
    ],
)  # fmt: skip
def test_alerts(graph: dict[str, str], expected: list[Alert]) -> None:
    assert alerts(graph) == expected
    assert alerts(dict(reversed(graph.items()))) == expected


def test_merged_accounts_are_one_person(database: str) -> None:
    """m1 referred m2; m2 is m3, who referred m4: a chain of three people. The bond of m5, merged into m1, is asleep."""
    with open_store(database) as store, psycopg.connect(database) as conn:
        store.post([*small_alliance(), bond("m2", "m1"), bond("m4", "m3"), bond("m5", "m4")])
        store.post([Enrol(key="e", at_ms=0, member="m6"), bond("m6", "m5")])
        assert [alert.evidence for alert in watch.chains(conn)] == [("m3", "m4", "m5", "m6")]
        conn.rollback()
        store.post([Merge(key="m", at_ms=0, member="m3", into="m2")])
        assert [alert.evidence for alert in watch.chains(conn)] == [("m1", "m2", "m4", "m5", "m6")]
        conn.rollback()
        store.post([Merge(key="n", at_ms=0, member="m5", into="m1")])
        assert watch.chains(conn) == [Alert("long-chain", "m1", 3, 3, ("m1", "m2", "m4"))]

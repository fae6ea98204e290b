"""What is due, asked of the stored ledger page by page, and done until nothing is."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from ledger import queries, rebuild, verify
from ledger.answers import Receipt
from ledger.commands import CancelPending, Confirm, Expire
from ledger.store import Store, open_store
from tests.ledger.scene import DAY, A, B, Scene, small_alliance


@pytest.fixture(name="store")
def store_(database: str) -> Iterator[Store]:
    with open_store(database) as store:
        yield store


@pytest.fixture(name="conn")
def conn_(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def test_orders_and_lots_come_due(store: Store, conn: psycopg.Connection) -> None:
    scene = Scene()
    store.post(small_alliance(hold_ms=DAY))
    store.post([scene.earn(f"m{i % 5 + 1}", A, 1_000, at=i, order=f"o{i}") for i in range(12)])
    store.post([CancelPending(key="c", at_ms=0, order_merchant_id=A, order="o0"), scene.refund("m2", A, 1_000, "o1")])
    assert queries.due_orders(conn, DAY + 1, 100) == []
    assert queries.due_orders(conn, DAY + 4, 100) == [(A, "o2"), (A, "o3"), (A, "o4")]
    pages = 0
    while due := queries.due_orders(conn, 2 * DAY, 4):
        done = [Confirm(key=f"c/{order}", at_ms=2 * DAY, order_merchant_id=by, order=order) for by, order in due]
        assert all(isinstance(answer.outcome, Receipt) for answer in store.post(done))
        pages += 1
    assert pages == 3
    over = 367 * DAY
    assert queries.due_members(conn, over - 1, 100) == []
    assert queries.due_members(conn, over, 100) == ["m1", "m2", "m3", "m4", "m5"]
    while names := queries.due_members(conn, over, 3):
        store.post([Expire(key=f"x/{name}", at_ms=over, member=name) for name in names])
    assert queries.outstanding(conn)[A].outstanding == 0
    assert [each for each in verify.check(conn) if not each.held] == []
    assert rebuild.differences(conn) == []


def test_a_page_is_bounded(store: Store, conn: psycopg.Connection) -> None:
    scene = Scene()
    store.post([*small_alliance(), *[scene.earn("m1", B, 1_000) for _ in range(5)], scene.earn("m2", B, 1_000, at=1)])
    assert queries.due_members(conn, 400 * DAY, 5) == ["m1"]
    assert queries.due_members(conn, 400 * DAY, 6) == ["m1", "m2"]


@pytest.mark.parametrize(("statement", "index"), [("_DUE_MEMBERS", "lot_by_expiry"), ("_DUE_ORDERS", "orders_due")])
def test_what_is_due_is_found_by_an_index(conn: psycopg.Connection, statement: str, index: str) -> None:
    conn.execute("SET enable_seqscan = off")
    plan = conn.execute("EXPLAIN " + getattr(queries, statement), [DAY, 10]).fetchall()
    assert any(index in line for (line,) in plan)

"""What is due, asked of the stored ledger page by page, and done until nothing is: in order, dated when it fell due."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from ledger import due, queries, rebuild, tiers_due, verify
from ledger.answers import Receipt
from ledger.commands import Authorize, CancelPending, Confirm, Expire, LapseHold, SetTiers, Tier
from ledger.store import Store, open_store
from tests.ledger.scene import DAY, A, B, C, Scene, small_alliance

LIFE = 365 * DAY


@pytest.fixture(name="store")
def store_(database: str) -> Iterator[Store]:
    with open_store(database) as store:
        yield store


@pytest.fixture(name="conn")
def conn_(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def hold(name: str, until: int, au: int = 1) -> Authorize:
    return Authorize(
        key=f"hold-{name}", at_ms=DAY, merchant_id=B, member="m1", redemption=name, au=au, hold_until_ms=until
    )


def test_everything_comes_due_in_its_order(store: Store, conn: psycopg.Connection) -> None:
    scene = Scene()
    store.post(small_alliance(hold_ms=DAY))
    store.post([scene.earn(f"m{i % 5 + 1}", A, 10_000, at=i, order=f"o{i}") for i in range(12)])
    store.post([CancelPending(key="c", at_ms=0, order_merchant_id=A, order="o5"), scene.refund("m2", A, 10_000, "o6")])
    assert due.due(conn, DAY - 1) == []
    found = due.due(conn, DAY + 2)
    assert [(each.at_ms, each.order) for each in found if isinstance(each, Confirm)] == [
        (DAY, "o0"),
        (DAY + 1, "o1"),
        (DAY + 2, "o2"),
    ]
    pages = 0
    while page := due.due(conn, 2 * DAY, limit=4):
        assert all(isinstance(answer.outcome, Receipt) for answer in store.post(page))
        pages += 1
    assert pages == 3
    store.post([hold("h-2", 3 * DAY), hold("h-1", 2 * DAY)])
    assert [each.redemption for each in due.due(conn, 3 * DAY) if isinstance(each, LapseHold)] == ["h-1", "h-2"]
    store.post(due.due(conn, 3 * DAY))
    over = {(type(each), each.at_ms - DAY - LIFE) for each in due.due(conn, 2 * LIFE)}
    assert over == {(Expire, i) for i in range(12) if i not in {5, 6}}
    while page := due.due(conn, 2 * LIFE, limit=3):
        store.post(page)
    assert queries.outstanding(conn)[A].outstanding == 0
    assert [each for each in verify.check(conn) if not each.held] == []
    assert rebuild.differences(conn) == []


def test_done_twice_is_done_once(store: Store, conn: psycopg.Connection) -> None:
    """The same page twice is the same answers; a page read before is refused by what was done since."""
    scene = Scene()
    store.post([*small_alliance(), scene.earn("m1", A, 1_000), hold("h", 2 * DAY)])
    early = due.due(conn, 2 * LIFE)
    assert {type(each) for each in early} == {LapseHold, Expire}
    assert not any(answer.replayed for answer in store.post(early))
    assert all(answer.replayed for answer in store.post(early))
    while page := due.due(conn, 2 * LIFE):
        store.post(page)
    assert queries.outstanding(conn)[A].outstanding == 0


@pytest.mark.parametrize("index", ["lot_by_expiry", "orders_due", "record_held"])
def test_what_is_due_is_found_by_an_index(conn: psycopg.Connection, index: str) -> None:
    conn.execute("SET enable_seqscan = off")
    plan = conn.execute(
        "EXPLAIN " + due._DUE, {"at_ms": DAY, "limit": 10, "waiting": [1]}
    ).fetchall()  # the statement itself
    assert any(index in line for (line,) in plan)


def test_tiers_that_changed_are_found_page_by_page(store: Store, conn: psycopg.Connection) -> None:
    """m1 and m4 reach gold; a year later the window is empty and they fall. Whoever never rose is not written down."""
    scene = Scene()
    store.post(small_alliance())
    assert tiers_due.changed(conn, DAY, after_no=0) == tiers_due.Page([], None)
    gold = SetTiers(key="t", at_ms=0, tiers=(Tier("regular", 0), Tier("gold", 100)), window_ms=LIFE)
    store.post([gold, scene.earn("m1", A, 10_000), scene.earn("m2", A, 9_900), scene.earn("m4", C, 5_000)])

    def sweep(at_ms: int) -> list[str]:
        names, after = [], 0
        while True:
            page = tiers_due.changed(conn, at_ms, after_no=after, limit=2)
            store.post(page.commands)
            names += [each.member for each in page.commands]
            if page.next_no is None:
                return names
            after = page.next_no

    assert (sweep(DAY), sweep(DAY)) == (["m1", "m4"], [])
    assert (sweep(2 * LIFE), sweep(2 * LIFE)) == (["m1", "m4"], [])
    assert rebuild.differences(conn) == []

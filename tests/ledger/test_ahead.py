"""Batches decided while others are being written: the same answers, in order, whatever happens to those in flight."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import psycopg
import pytest

from ledger import rebuild, verify
from ledger.answers import Answer, Receipt
from ledger.book import Book
from ledger.commands import Adjust, ApproveAdjustment, Command
from ledger.slice import Slice
from ledger.storage.flight import Outcome
from ledger.store import Store
from tests.ledger.random_commands import history, opening_commands
from tests.ledger.scene import A, B, Scene, small_alliance

LOCKED_SECONDS = 0.5


@pytest.fixture(name="conn")
def conn_(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def expect_sound(conn: psycopg.Connection) -> None:
    assert [each for each in verify.check(conn) if not each.held] == []
    assert rebuild.differences(conn) == []


def begun(store: Store, commands: Sequence[Command], size: int) -> list[Outcome]:
    """Hand in batches of `size` one after the other; what each heard, in the order of hearing."""
    heard: list[Outcome] = []
    for start in range(0, len(commands), size):
        store.begin(commands[start : start + size], heard.append)
    return heard


def bodies(heard: list[Outcome]) -> list[bytes]:
    assert all(isinstance(outcome, list) for outcome in heard), heard
    return [answer.body for outcome in heard if isinstance(outcome, list) for answer in outcome]


@pytest.mark.parametrize("size", [1, 3, 17])
def test_deciding_ahead_changes_no_answer(database: str, conn: psycopg.Connection, size: int) -> None:
    commands = history(seed=37, length=500)
    with Store(database) as store:
        heard = begun(store, commands, size)
        store.finish()
    assert bodies(heard) == [answer.body for answer in map(Book(Slice.whole()).apply, commands)]
    expect_sound(conn)


def test_several_batches_are_in_flight(database: str) -> None:
    points: list[str] = []
    with Store(database, named_point=points.append) as store:
        store.post(small_alliance())
        points.clear()
        scene = Scene()
        begun(store, [scene.earn("m1", A, 100) for _ in range(4)], 1)
        assert len(store.in_flight) > 1
        store.finish()
        assert store.in_flight == []
    assert points.index("committed") > points.index("decided", points.index("written")), points


def test_a_key_repeated_while_its_first_use_is_in_flight_is_replayed(database: str) -> None:
    scene = Scene()
    earn = scene.earn("m1", A, 10_000)
    with Store(database) as store:
        store.post(small_alliance())
        heard = begun(store, [earn, earn, earn], 1)
        store.finish()
    first, second, third = (outcome[0] for outcome in heard if isinstance(outcome, list))
    assert (first.replayed, second.replayed, third.replayed) == (False, True, True)
    assert first.body == second.body == third.body


def test_a_rival_between_two_batches_is_noticed(database: str, conn: psycopg.Connection) -> None:
    """Two stores hand in the same commands by turns, none waiting: each key is done once, both hear the same."""
    commands = [*opening_commands(), *history(seed=41, length=300)[len(opening_commands()) :]]
    heard: tuple[list[Outcome], list[Outcome]] = ([], [])
    with Store(database) as one, Store(database) as other:
        for start in range(0, len(commands), 10):
            one.begin(commands[start : start + 10], heard[0].append)
            if start % 30 == 0:
                one.finish()
                for again in range(max(0, start - 20), start + 10, 10):
                    other.begin(commands[again : again + 10], heard[1].append)
                other.finish()
        one.finish()
    assert bodies(heard[0]) == bodies(heard[1])[: len(bodies(heard[0]))] or len(bodies(heard[0])) == len(commands)
    assert bodies(heard[0]) == [answer.body for answer in Scene().play(*commands)]
    expect_sound(conn)


def test_a_head_that_moved_refuses_what_was_decided_ahead(database: str, conn: psycopg.Connection) -> None:
    scene = Scene()
    with Store(database) as one, Store(database) as other:
        one.post(small_alliance())
        heard = begun(one, [scene.earn("m1", A, 10_000)], 1)
        one._flights[0].committed.wait()
        other.post([scene.earn("m2", A, 10_000)])
        one.begin([scene.earn("m3", A, 10_000)], heard.append)
        one.begin([scene.earn("m4", A, 10_000)], heard.append)
        one.finish()
    receipts = [answer.outcome for outcome in heard if isinstance(outcome, list) for answer in outcome]
    assert [(each.key, each.seq) for each in receipts if isinstance(each, Receipt)] == [
        ("earn-1-n1", 12),
        ("earn-1-n3", 14),
        ("earn-1-n4", 15),
    ]
    expect_sound(conn)


def test_a_refusal_of_a_rival_under_the_same_key_is_noticed(database: str, conn: psycopg.Connection) -> None:
    """A refusal moves no head, so that only its key tells."""
    scene = Scene()
    asked = scene.redeem("m3", B, 50)
    with Store(database) as one, Store(database) as other:
        one.post([*small_alliance(), scene.earn("m1", A, 100)])
        heard = begun(one, [scene.redeem("m2", B, 1)], 1)
        one._flights[0].committed.wait()
        decide, refused = one._named_point, list[Answer]()

        def rival(point: str) -> None:
            if point == "decided" and not refused:
                refused.extend(other.post([asked]))
            decide(point)

        one._named_point = rival
        one.begin([asked], heard.append)
        one.finish()
    assert [getattr(answer.outcome, "code", "") for answer in refused] == ["balance-too-low"]
    assert bodies(heard)[1] == refused[0].body
    assert [outcome[0].replayed for outcome in heard if isinstance(outcome, list)] == [False, True]
    expect_sound(conn)


def test_a_batch_that_fails_is_told_alone_and_those_behind_it_are_done(database: str, conn: psycopg.Connection) -> None:
    scene = Scene()
    with Store(database) as store:
        store.post(small_alliance())
        conn.execute("ALTER TABLE ledger.orders ADD CONSTRAINT not_today CHECK (amount_minor <> 777)")
        heard = begun(store, [scene.earn("m1", A, amount) for amount in (100, 777, 200, 300)], 1)
        store.finish()
    assert [isinstance(outcome, psycopg.errors.CheckViolation) for outcome in heard] == [False, True, False, False]
    assert len(bodies([heard[0], *heard[2:]])) == 3
    expect_sound(conn)


def test_connections_lost_with_batches_in_flight_are_mended(database: str, conn: psycopg.Connection) -> None:
    commands = history(seed=43, length=120)
    heard: list[Outcome] = []
    with Store(database) as store:
        for start in range(0, len(commands), 10):
            store.begin(commands[start : start + 10], heard.append)
            if start in {40, 80}:
                conn.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        store.finish()
    assert bodies(heard) == [answer.body for answer in Scene().play(*commands)]
    expect_sound(conn)


def test_who_only_a_record_names_is_read_when_nothing_is_in_flight(database: str, conn: psycopg.Connection) -> None:
    """A correction that waited names a member whose newest lot is still being written."""
    scene = Scene()
    asked = Adjust(key="a", at_ms=0, adjustment="a", issuer_id=A, member="m1", points=-50, reason="count", by="ann")
    before = [*small_alliance(adjust_alone_max=0), asked]
    first, second = scene.earn("m1", A, 10_000), scene.earn("m2", A, 100)
    approval = ApproveAdjustment(key="b", at_ms=1, adjustment="a", issuer_id=A, by="bob")
    with Store(database) as store:
        store.post(before)
    with psycopg.connect(database) as rival, Store(database) as store:
        heard = begun(store, [second], 1)
        store._flights[0].committed.wait()
        rival.execute("SELECT FROM ledger.head FOR UPDATE")  # so that the first is not written when the approval comes
        release = threading.Timer(LOCKED_SECONDS, rival.rollback)
        release.start()
        store.begin([first], heard.append)
        store.begin([approval], heard.append)
        store.finish()
        release.join()
    expected = [answer.body for answer in Scene().play(*before, second, first, approval)]
    assert bodies(heard) == expected[-3:]
    assert b'"debt":0' in expected[-1]
    expect_sound(conn)

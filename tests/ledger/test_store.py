"""The store on a real PostgreSQL: it decides what the pure book decides, however commands are grouped, and says it
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ledger import accounts, journal, queries, rebuild, verify
from ledger.answers import Receipt
from ledger.book import Book
from ledger.commands import Command, Enrol
from ledger.slice import Slice
from ledger.store import Store, open_store
from tests.ledger.promises import cancel
from tests.ledger.random_commands import MERCHANTS, history, opening_commands
from tests.ledger.scene import A, B, Scene, changed, opening, rate, small_alliance

STATEMENTS_PER_BATCH_MAX = 16
"""BEGIN, lock, keys, registry, members, claims, records, orders, open lots, then open lots of those whom an order of
the batch may reward, purchases of those whose tier is asked for, lots of records, who was merged, accounts, one that
writes all, COMMIT.
"""


PATIENCE_SECONDS = 10.0


@pytest.fixture(name="store")
def store_(database: str) -> Iterator[Store]:
    with open_store(database) as store:
        yield store


@pytest.fixture(name="conn")
def conn_(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def expect_sound(conn: psycopg.Connection) -> None:
    """Every invariant holds and a rebuild gives what is stored."""
    assert [each for each in verify.check(conn) if not each.held] == []
    assert rebuild.differences(conn) == []


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_results_do_not_depend_on_grouping(store: Store, conn: psycopg.Connection, batch: int) -> None:
    commands = history(seed=7, length=500)
    expected = [answer.body for answer in map(Book(Slice.whole()).apply, commands)]
    answers = []
    for start in range(0, len(commands), batch):
        answers += [answer.body for answer in store.post(commands[start : start + batch])]
    assert answers == expected
    expect_sound(conn)


def test_two_stores_that_alternate_decide_as_one(database: str, conn: psycopg.Connection) -> None:
    commands = history(seed=11, length=300)
    expected = [answer.body for answer in map(Book(Slice.whole()).apply, commands)]
    answers = []
    with open_store(database) as one, open_store(database) as other:
        for start in range(0, len(commands), 13):
            writer = one if start % 3 else other
            answers += [answer.body for answer in writer.post(commands[start : start + 13])]
    assert answers == expected
    expect_sound(conn)


def test_a_new_store_replays_every_first_answer(database: str) -> None:
    commands = history(seed=3, length=120)
    with open_store(database) as store:
        first = store.post(commands)
    with open_store(database) as store:
        again = store.post(commands)
    assert [answer.body for answer in again] == [answer.body for answer in first]
    refused_by_key = [answer for answer in first if getattr(answer.outcome, "code", "") == "key-reused"]
    assert sum(not answer.replayed for answer in again) == len(refused_by_key) > 0


def test_a_duplicate_inside_one_batch_replays_the_first(store: Store) -> None:
    scene = Scene()
    store.post(small_alliance())
    earn = scene.earn("m1", A, 10_000, order="o")
    first, second, other = store.post([earn, earn, changed(earn, amount_minor=1)])
    assert (first.replayed, second.replayed, first.body) == (False, True, second.body)
    assert getattr(other.outcome, "field", None) == "amount_minor"


def test_a_refusal_in_the_middle_disturbs_nobody(store: Store, conn: psycopg.Connection) -> None:
    scene = Scene()
    store.post(small_alliance())
    good = [scene.earn("m1", A, 10_000), scene.earn("m2", B, 10_000)]
    answers = store.post([good[0], scene.redeem("m3", A, 1), changed(good[0], key="malformed", member=""), good[1]])
    assert [isinstance(answer.outcome, Receipt) for answer in answers] == [True, False, False, True]
    assert [answer.outcome.seq for answer in answers if isinstance(answer.outcome, Receipt)] == [12, 13]
    expect_sound(conn)


def test_one_batch_may_build_the_alliance_it_uses(store: Store, conn: psycopg.Connection) -> None:
    scene = Scene()
    earn = scene.earn("m1", A, 10_000, order="o")
    batch = [
        opening(A),
        rate(A, 7, 3),
        opening(B),
        Enrol(key="e", at_ms=0, member="m1"),
        earn,
        scene.redeem("m1", B, 100),
        scene.refund("m1", A, 5_000, "o"),
    ]
    assert all(isinstance(answer.outcome, Receipt) for answer in store.post(batch))
    expect_sound(conn)


def test_what_was_given_back_whole_has_no_owner_to_load(database: str, conn: psycopg.Connection) -> None:
    """A store that has just opened loads what the record names; of one with no lots left, nobody."""
    scene = Scene()
    with open_store(database) as store:
        store.post([*small_alliance(), scene.earn("m1", A, 10_000), scene.redeem("m1", B, 40, redemption="r")])
        assert isinstance(store.post([cancel(B, "r", "whole")])[0].outcome, Receipt)
    with open_store(database) as store:
        again = store.post([cancel(B, "r", "again")])[0].outcome
    assert (getattr(again, "code", None), getattr(again, "field", None)) == ("cancel-exceeds-redemption", "au")
    expect_sound(conn)


def test_a_preview_writes_nothing(store: Store, conn: psycopg.Connection) -> None:
    scene = Scene()
    store.post([*small_alliance(), scene.earn("m1", A, 10_000)])
    asked = scene.redeem("m1", B, 40)
    previewed = store.preview(asked)
    assert journal.head_seq(conn) == 12
    assert queries.answer_by_key(conn, asked.key) is None
    done = store.post([asked])[0]
    assert (done.body, done.replayed) == (previewed.body, False)
    assert store.preview(asked).replayed


def test_previews_read_the_registry_when_it_changed(store: Store, conn: psycopg.Connection) -> None:
    """The writer waits for them, so they do not read again what they know; what one tried is not there for the next."""
    scene = Scene()
    store.post([*small_alliance(), scene.earn("m1", A, 10_000)])
    asked, dearer = scene.redeem("m1", B, 200), rate(A, 2, 1, key="dearer", terms_id=9)
    assert getattr(store.preview(asked).outcome, "code", None) == "balance-too-low"
    with ThreadPoolExecutor(1) as pool, conn.transaction():
        conn.execute("LOCK TABLE ledger.configuration IN ACCESS EXCLUSIVE MODE")
        assert isinstance(pool.submit(store.preview, dearer).result(PATIENCE_SECONDS).outcome, Receipt)
    order = scene.earn("m2", A, 10_000)
    tried = store.preview(order).outcome
    store.post([dearer])
    done = store.preview(order).outcome
    assert isinstance(tried, Receipt)
    assert isinstance(done, Receipt)
    assert (tried.legs[0].terms_id, done.legs[0].terms_id) == (A, 9)


def test_a_preview_that_fails_spoils_nothing_after_it(store: Store, conn: psycopg.Connection) -> None:
    store.post(small_alliance())
    asked = Enrol(key="k", at_ms=1, member="m9")
    assert isinstance(store.preview(asked).outcome, Receipt)
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(psycopg.OperationalError):
        store.preview(asked)
    assert isinstance(store.preview(asked).outcome, Receipt)


@pytest.mark.parametrize("size", [1, 50, 500])
def test_the_number_of_statements_does_not_depend_on_the_batch(store: Store, tmp_path: Path, size: int) -> None:
    store.post(opening_commands())
    with (tmp_path / "trace").open("w+") as trace:
        store._writer.connection.pgconn.trace(trace.fileno())
        store.post(history(seed=5, length=size)[len(opening_commands()) :])
        store._writer.connection.pgconn.untrace()
        trace.seek(0)
        sent = [line.split("\t")[3].strip() for line in trace if line.split("\t")[1:2] == ["F"]]
    assert 5 <= sum(message in {"Execute", "Query"} for message in sent) <= STATEMENTS_PER_BATCH_MAX


def test_the_journal_reads_back_what_was_answered(store: Store, conn: psycopg.Connection) -> None:
    commands = history(seed=2, length=80)
    receipts = [
        answer for answer in store.post(commands) if isinstance(answer.outcome, Receipt) and not answer.replayed
    ]
    entries = journal.read(conn, 0)
    assert [entry.seq for entry in entries] == list(range(1, len(receipts) + 1))
    for entry, answer in zip(entries, receipts, strict=True):
        assert isinstance(answer.outcome, Receipt)
        assert (entry.legs, entry.postings, entry.key) == (
            answer.outcome.legs,
            answer.outcome.postings,
            answer.outcome.key,
        )
        assert entry.canonical.endswith(b"\n" + answer.body)
    assert journal.read(conn, 5, limit=3) == entries[5:8]
    assert journal.read(conn, len(entries)) == []


def test_queries_tell_what_the_book_knows(store: Store, conn: psycopg.Connection) -> None:
    commands: list[Command] = history(seed=4, length=400)
    scene = Scene()
    scene.play(*commands)
    store.post(commands)
    assert {party: each.total for party, each in queries.positions(conn).items() if each.total} == scene.positions()
    people = scene.book.slice.people
    members = [person.name for person in people.values() if person.merged_into is None]
    for merged in [person for person in people.values() if person.merged_into is not None]:
        means = people[merged.merged_into or 0].name
        assert queries.member_balances(conn, merged.name, at_ms=0) == queries.member_balances(conn, means, at_ms=0)
    for member in members:
        for balance in queries.member_balances(conn, member, at_ms=0):
            assert balance.confirmed == scene.points(member, balance.issuer)
            assert balance.pending == scene.pending(member, balance.issuer)
            closed = scene.book.slice.registry.is_closed(balance.issuer)
            assert balance.held == scene.balance(accounts.held(balance.issuer, scene.number(member)))
            assert balance.debt == max(0, balance.held - balance.confirmed)
            assert balance.available_points == (0 if closed else max(0, balance.confirmed - balance.held))
    totals = queries.outstanding(conn)
    assert {issuer: each.outstanding for issuer, each in totals.items()} == {
        issuer: sum(scene.points(member, issuer) for member in members) for issuer in totals
    }
    assert [merchant.merchant_id for merchant in queries.merchants(conn)] == list(MERCHANTS)
    assert [terms.terms_id for terms in queries.terms(conn)] == [1, 2, 3, 4, 5, 6, 44]
    assert queries.command_by_key(conn, commands[0].key) == commands[0]
    assert (queries.member_exists(conn, "m0"), queries.member_exists(conn, "m99")) == (True, False)
    assert queries.member_balances(conn, "m99", at_ms=0) == []


def test_available_au_is_what_a_redemption_can_draw(store: Store, conn: psycopg.Connection) -> None:
    scene = Scene()
    store.post([opening(A), rate(A, 2, 3), opening(B), Enrol(key="e", at_ms=0, member="m1")])
    store.post([scene.earn("m1", A, 100) for _ in range(4)])
    balance = queries.member_balances(conn, "m1", at_ms=0)[0]
    assert (balance.available_points, balance.available_au) == (4, 2)
    assert getattr(store.preview(scene.redeem("m1", B, 3)).outcome, "code", None) == "balance-too-low"
    assert isinstance(store.preview(scene.redeem("m1", B, 2)).outcome, Receipt)

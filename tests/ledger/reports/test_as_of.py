"""Balances at any time, on both axes, against sums over the journal; the days, interrupted and doubled."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from ledger import verify
from ledger.accounts import AccountName
from ledger.commands import Command, Earn
from ledger.journal import head_seq
from ledger.reports import as_of, labels, projection
from ledger.reports.recorded import Recorded
from tests.conftest import one
from tests.ledger.random_commands import history
from tests.ledger.reports.journals import posted
from tests.ledger.scene import DAY, changed

NOWHERE = AccountName(7, 0, 77)


def backdated() -> list[Command]:
    """A history in which every fifth purchase is told late, some of them in the middle of a day that is long over."""
    draw = random.Random(11)
    commands = history(seed=13, length=300)
    return [
        changed(command, at_ms=draw.randrange(command.at_ms + 1))
        if isinstance(command, Earn) and i % 5 == 0
        else command
        for i, command in enumerate(commands)
    ]


@pytest.fixture(name="entries")
def entries_(database: str) -> list[Recorded]:
    return posted(database, backdated())


@pytest.fixture(name="conn")
def conn_(database: str, entries: list[Recorded]) -> Iterator[psycopg.Connection]:
    assert entries
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def accounts_in(entries: list[Recorded]) -> list[AccountName]:
    return sorted({posting.account for each in entries for posting in each.receipt.postings})


def summed(entries: list[Recorded], account: AccountName) -> int:
    return sum(p.amount for each in entries for p in each.receipt.postings if p.account == account)


def test_as_recorded(conn: psycopg.Connection, entries: list[Recorded]) -> None:
    accounts = [*accounts_in(entries), NOWHERE]
    for seq in [*range(0, len(entries) + 1, 13), len(entries)]:
        expected = {account: summed(entries[:seq], account) for account in accounts}
        found = as_of.all_recorded(conn, accounts, seq)
        assert {account: found.get(account, 0) for account in accounts} == expected
    assert as_of.recorded(conn, accounts[0], len(entries)) == summed(entries, accounts[0])
    assert as_of.recorded(conn, NOWHERE, len(entries)) == 0


def instants(entries: list[Recorded]) -> list[int]:
    """Ends of days, middles of days, and instants at which something happened."""
    times = sorted({each.receipt.at_ms for each in entries})
    return [0, *times[:: len(times) // 12], *(day * DAY - 1 for day in range(1, 11)), 3 * DAY, 7 * DAY + DAY // 2]


@pytest.mark.parametrize("batches", [0, 1, 4, None])
def test_as_valid_with_any_part_projected(
    conn: psycopg.Connection, entries: list[Recorded], batches: int | None
) -> None:
    if batches != 0:
        projection.catch_up(conn, entries_per_batch=37, batches_max=batches)
    accounts = [*accounts_in(entries)[::3], NOWHERE]
    for at_ms in instants(entries):
        happened = [each for each in entries if each.receipt.at_ms <= at_ms]
        for account in accounts:
            assert as_of.valid(conn, account, at_ms) == summed(happened, account), (account.label(), at_ms)


def days(conn: psycopg.Connection) -> list[tuple[object, ...]]:
    return conn.execute("SELECT * FROM ledger.day ORDER BY family, unit, party, day").fetchall()


def broken(conn: psycopg.Connection) -> list[str]:
    return [each.name for each in verify.check(conn) if not each.held]


def test_batches_of_any_size_give_the_same_days(conn: psycopg.Connection) -> None:
    heard: list[int] = []
    assert projection.catch_up(conn, entries_per_batch=7, progress=heard.append) == head_seq(conn)
    assert heard == sorted(heard)
    small = days(conn)
    assert projection.catch_up(conn) == head_seq(conn)
    assert days(conn) == small
    projection.start_afresh(conn)
    assert days(conn) == []
    projection.catch_up(conn)
    assert days(conn) == small
    assert broken(conn) == []


def test_what_was_killed_has_done_whole_batches(conn: psycopg.Connection, database: str) -> None:
    killed_at = 60

    def kill(seq: int) -> None:
        if seq >= killed_at:
            conn.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])

    with psycopg.connect(database, autocommit=True) as victim, pytest.raises(psycopg.OperationalError):
        projection.catch_up(victim, entries_per_batch=20, progress=kill)
    cursor = one(database, "SELECT seq FROM ledger.projection")
    assert cursor == killed_at
    assert broken(conn) == []
    assert projection.catch_up(conn) == head_seq(conn)
    assert broken(conn) == []


def test_an_unfinished_batch_leaves_nothing(conn: psycopg.Connection) -> None:
    with conn.transaction(force_rollback=True):
        projection.catch_up(conn, batches_max=1)
        assert days(conn)
    assert days(conn) == []
    assert broken(conn) == []


def test_two_at_once_add_everything_once(conn: psycopg.Connection, database: str) -> None:
    def run(_: int) -> int:
        with psycopg.connect(database, autocommit=True) as mine:
            return projection.catch_up(mine, entries_per_batch=11)

    with ThreadPoolExecutor(2) as both:
        assert list(both.map(run, range(2))) == [head_seq(conn)] * 2
    assert broken(conn) == []


def test_the_application_may_project_and_not_erase(conn: psycopg.Connection) -> None:
    conn.execute("SET ROLE tongdui_app")
    assert projection.catch_up(conn) == head_seq(conn)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        projection.start_afresh(conn)


def test_an_account_is_found_by_probes_and_never_by_reading_it_whole(conn: psycopg.Connection) -> None:
    plan = conn.execute("EXPLAIN " + as_of._RECORDED, {"families": [7], "units": [0], "parties": [1], "seq": 100})
    text = "\n".join(row[0] for row in plan)
    assert "posting_pkey" in text
    assert "Seq Scan on posting" not in text


def test_every_account_is_parsed_back_from_its_label(conn: psycopg.Connection, entries: list[Recorded]) -> None:
    for account in accounts_in(entries):
        assert labels.parse(account.label()) == account
    for party in ("operator", "reserve", "chain", "alliance"):
        assert labels.parse(f"cash:{party}").family == 7
    named = labels.parse("points:1:member:@m3", labels.member_number(conn))
    assert named.party == one(conn.info.dsn, "SELECT member_no FROM ledger.member WHERE name = 'm3'")


@pytest.mark.parametrize(
    "label", ["", "cash", "cash:x", "points:1", "points:1:spare:2", "points:a:held:1", "a:b:c:d:e"]
)
def test_what_names_no_account_is_refused_with_the_forms(label: str) -> None:
    with pytest.raises(labels.UnknownAccount, match="names no account: points:ISSUER:outstanding"):
        labels.parse(label)


def test_an_unknown_member_is_refused_by_name() -> None:
    with pytest.raises(labels.UnknownAccount, match="no member is named 'zoe'"):
        labels.parse("points:1:held:@zoe")

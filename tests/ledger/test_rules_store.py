"""Rules on a real PostgreSQL: no budget is passed in a burst, a dry run says what the real call says, and nothing
depends on how commands are grouped.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger import rebuild, verify
from ledger.answers import Answer, Receipt
from ledger.book import Book
from ledger.commands import (
    Command,
    Confirm,
    Earn,
    Enrol,
    Merge,
    Observe,
    Particulars,
    Refund,
    Unmerge,
    WithdrawRule,
)
from ledger.poster import Poster
from ledger.rules.caps import Caps
from ledger.rules.conditions import FirstOrder, Platform
from ledger.rules.rewards import PerStreakDay, TimesBase
from ledger.rules.rule import Best, Rule
from ledger.rules.task import Step
from ledger.slice import Slice
from ledger.store import Store, open_store
from tests.ledger.rule_scene import RuleScene, of_rule
from tests.ledger.rules.making import rule
from tests.ledger.scene import DAY, A, B, small_alliance

TRIGGERS: tuple[Any, ...] = ("checkin", "share.arrived", "birthday", "content.liked")
PLATFORMS = ("wechat", "alipay", "douyin")


@pytest.fixture(name="store")
def store_(database: str) -> Iterator[Store]:
    with open_store(database) as store:
        yield store


@pytest.fixture(name="conn")
def conn_(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def expect_sound(conn: psycopg.Connection) -> None:
    assert [each for each in verify.check(conn) if not each.held] == []
    assert rebuild.differences(conn) == []


def receipt(answer: Answer) -> Receipt:
    assert isinstance(answer.outcome, Receipt), answer.outcome
    return answer.outcome


def versions(number: int) -> list[Rule]:
    """Rules of every kind, the later versions of some with other caps."""
    task = (Step(trigger="checkin", times=3, daily=True), Step(trigger="order.paid"), Step(trigger="share.arrived"))
    return [
        rule(number, reward=TimesBase(3, 2), caps=Caps(budget_points=400), stacking=Best("sale")),
        rule(
            number + 1, points=30, condition=Platform(("wechat",)), caps=Caps(member_points=70), stacking=Best("sale")
        ),
        rule(number + 2, "checkin", reward=PerStreakDay((1, 2, 5)), caps=Caps(member_day_times=1)),
        rule(number + 3, "task.completed", points=200, steps=task, caps=Caps(budget_points=500), hold_ms=DAY),
        rule(number + 4, condition=FirstOrder(), points=50),
        rule(number + 5, "birthday", points=15, caps=Caps(member_times=1, budget_points=100), hold_ms=DAY),
        rule(number, version=2, points=9, caps=Caps(budget_points=500, member_day_points=20), valid_from_ms=2 * DAY),
        rule(number + 1, version=2, points=5, valid_from_ms=3 * DAY),
    ]


def history(seed: int, length: int) -> list[Command]:
    """An alliance, then orders, events, refunds, confirmations over five days; rules come, change and go on the way."""
    draw, scene = random.Random(seed), RuleScene()
    publications = [scene.publication(each) for each in versions(1)] + [
        scene.publication(each, B) for each in versions(11)
    ]
    commands: list[Command] = [*small_alliance(hold_ms=DAY), *publications[:3]]
    waiting: list[Command] = [*publications[3:], WithdrawRule(key="w", at_ms=4 * DAY, rule_id=1)]
    for i in range(length):
        if waiting and draw.random() < 3 * len(waiting) / length:
            commands.append(waiting.pop(0))
        if draw.random() < 0.05:
            commands.append(Enrol(key=f"e{i}", at_ms=0, member=f"n{i % 7}"))
        if draw.random() < 0.04:
            commands.append(_merging(draw, i, i * 5 * DAY // length))
        known = [command for command in commands if isinstance(command, Earn | Observe)]
        if known and draw.random() < 0.25:
            commands.append(_sequel(draw, i, i * 5 * DAY // length, draw.choice(known)))
        else:
            commands.append(_event(draw, i, i * 5 * DAY // length, scene))
    return commands


def _merging(draw: random.Random, i: int, at: int) -> Command:
    member, into = draw.sample(["m1", "m2", "m3", *(f"n{each}" for each in range(7))], 2)
    if draw.random() < 0.4:
        return Unmerge(key=f"u{i}", at_ms=at, member=member)
    return Merge(key=f"m{i}", at_ms=at, member=member, into=into)


def _event(draw: random.Random, i: int, at: int, scene: RuleScene) -> Command:
    member, merchant = draw.choice(["m1", "m2", "m3", f"n{draw.randrange(7)}"]), draw.choice((A, B))
    said: dict[str, Any] = {"platform": draw.choice(PLATFORMS), "utc_offset_minutes": draw.choice((0, 480, -300))}
    if draw.random() < 0.5:
        amount = draw.choice((1, 99, 5_000, 20_000))
        if draw.random() < 0.7:
            return scene.bought(member, amount, at=at, order=f"x{i}", **said)
        return scene.earn(member, merchant, amount, at=at, order=f"x{i}")
    return Observe(
        key=f"o{i}",
        at_ms=at,
        merchant_id=merchant,
        member=member,
        event=f"x{i}",
        trigger=draw.choice(TRIGGERS),
        particulars=Particulars(**said),
    )


def _sequel(draw: random.Random, i: int, at: int, known: Earn | Observe) -> Command:
    """An order or event is confirmed, or given back in part or whole."""
    merchant = known.merchant_id
    name, amount = (known.order, known.amount_minor) if isinstance(known, Earn) else (known.event, 1)
    if draw.random() < 0.5:
        return Confirm(key=f"c{i}", at_ms=at, order_merchant_id=merchant, order=name)
    back = max(1, amount // draw.choice((1, 2, 3)))
    return Refund(
        key=f"f{i}", at_ms=at, merchant_id=merchant, member=known.member, refund=f"f{i}", order=name, amount_minor=back
    )


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_grouping_changes_nothing(store: Store, conn: psycopg.Connection, batch: int) -> None:
    commands = history(seed=5, length=500)
    expected = [answer.body for answer in map(Book(Slice.whole()).apply, commands)]
    answers = []
    for start in range(0, len(commands), batch):
        answers += [answer.body for answer in store.post(commands[start : start + batch])]
    assert answers == expected
    expect_sound(conn)


def test_the_history_meets_every_reason() -> None:
    book, seen = Book(Slice.whole()), set()
    for outcome in (book.apply(command).outcome for command in history(seed=5, length=500)):
        if isinstance(outcome, Receipt):
            seen |= {value for name, value in outcome.why.items() if name.endswith(":reason")}
    assert seen == {"granted", "budget", "member-cap", "member-day-cap", "exclusive"}


def test_two_writers_that_alternate_count_as_one(database: str, conn: psycopg.Connection) -> None:
    commands = history(seed=6, length=300)
    expected = [answer.body for answer in map(Book(Slice.whole()).apply, commands)]
    answers = []
    with open_store(database) as one, open_store(database) as other:
        for start in range(0, len(commands), 11):
            writer = one if start % 3 else other
            answers += [answer.body for answer in writer.post(commands[start : start + 11])]
    assert answers == expected
    expect_sound(conn)


MEMBERS_IN_BURST = 60
BUDGET = 1_000


def burst(scene: RuleScene) -> list[Command]:
    """A flash sale: 300 orders that ask for ten points each, five of each member."""
    return [scene.bought(f"b{i % MEMBERS_IN_BURST}", 100, order=f"sale{i}") for i in range(300)]


BONUSES = """
SELECT sum(points), max(times) FROM (
    SELECT sum(points) AS points, count(*) AS times FROM ledger.lot WHERE role = 3 GROUP BY member_no
) AS bonus
"""


@pytest.mark.parametrize("writers", [1, 2])
def test_a_burst_of_callers_never_passes_the_budget(database: str, conn: psycopg.Connection, writers: int) -> None:
    """One writer that decides batches ahead, and two that know nothing of each other."""
    scene = RuleScene()
    joining = [Enrol(key=f"join{i}", at_ms=0, member=f"b{i}") for i in range(MEMBERS_IN_BURST)]
    promise = scene.publication(rule(caps=Caps(budget_points=BUDGET, member_times=4)))
    with contextlib.ExitStack() as opened, ThreadPoolExecutor(24) as callers:
        stores = [opened.enter_context(open_store(database)) for _ in range(writers)]
        stores[0].post([*small_alliance(), *joining, promise])
        posters = itertools.cycle([opened.enter_context(Poster(store)) for store in stores])
        asked = [(next(posters), command) for command in burst(scene)]
        answers = [answer for (answer,) in callers.map(lambda each: each[0].post([each[1]]), asked)]
    granted = [of_rule(receipt(answer)) for answer in answers]
    assert sum(points for _, points, _ in granted) == BUDGET
    assert {reason for _, _, reason in granted} >= {"granted", "budget"}
    points, times = conn.execute(BONUSES).fetchone() or (0, 0)
    assert (int(points), times <= 4) == (BUDGET, True)
    expect_sound(conn)


@pytest.mark.parametrize("left", [0, 7, 30])
def test_a_dry_run_says_what_the_real_call_says_and_changes_nothing(
    store: Store, conn: psycopg.Connection, left: int
) -> None:
    scene = RuleScene()
    steps = (Step(trigger="checkin"), Step(trigger="order.paid"))
    store.post(small_alliance())
    store.post(
        [
            scene.publication(rule(caps=Caps(budget_points=10 + left))),
            scene.publication(rule(2, "task.completed", points=100, steps=steps, caps=Caps(member_times=1))),
            scene.bought("m2", 100),
            scene.seen("m1", "checkin"),
        ]
    )
    for command in (scene.bought("m1", 10_000), scene.seen("m1", "checkin", at=DAY), scene.publication(rule(3))):
        before = everything(conn)
        dry = store.preview(command)
        assert everything(conn) == before
        (real,) = store.post([command])
        assert (real.body, real.replayed) == (dry.body, False)
    expect_sound(conn)


def everything(conn: psycopg.Connection) -> list[object]:
    tables = ("head", "journal", "posting", "answer", "orders", "lot", "record", "configuration")
    return [conn.execute(f"SELECT t::text FROM ledger.{table} t ORDER BY 1").fetchall() for table in tables]


def test_a_merchant_without_rules_asks_for_nothing_more(database: str, tmp_path: Path) -> None:
    scene = RuleScene()
    with open_store(database) as store:
        store.post(small_alliance())
    before = statements(database, tmp_path, scene.earn("m1", B, 100))
    with open_store(database) as store:
        store.post([scene.publication(rule(caps=Caps(budget_points=5)))])
    assert statements(database, tmp_path, scene.earn("m1", B, 100)) == before
    assert statements(database, tmp_path, scene.earn("m1", A, 100)) == before + 1


def statements(database: str, folder: Path, command: Command) -> int:
    """How many statements a new writer needs for one command."""
    with open_store(database) as store, (folder / "trace").open("w+") as trace:
        store._writer.connection.pgconn.trace(trace.fileno())
        receipt(store.post([command])[0])
        store._writer.connection.pgconn.untrace()
        trace.seek(0)
        sent = [line.split("\t")[3].strip() for line in trace if line.split("\t")[1:2] == ["F"]]
    return sum(message in {"Execute", "Query"} for message in sent)

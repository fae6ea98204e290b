"""Time does its work: what is due is done once, dated when it fell due, however often and late anybody asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

from api import clockwork
from api.app import create_app
from api.clock import TestClock
from api.door import Door, open_door
from ledger import journal
from ledger.answers import Receipt
from ledger.commands import Net, SettleNets
from ledger.journal import JournalEntry
from proofs.accounts import RESERVE_ID
from settlement.cycles import CycleSettings
from tests.api.conftest import LATER, START, Caller, Clock, KeyMaker
from tests.api.ways.stage import NOODLES, noodles_that

PATIENCE_SECONDS = 10.0


@pytest.fixture
def later(http: TestClient, new_key: KeyMaker, tea: Caller) -> Caller:
    """A merchant with a hold of 14 days, from which m bought three times."""
    caller = Caller(http, new_key(LATER))
    tea.taken("member.joined", member="m")
    for number in range(3):
        caller.taken("order.paid", member="m", order=f"o-{number}", amount_minor=10_000)
    return caller


def move(caller: Caller, to: str) -> Any:
    return caller.post("/v1/test/clock", {"to": to})


def points(caller: Caller) -> tuple[int, int]:
    found = caller.get("/v1/members/m/balances").json()
    return found["points"], found["pending"]


def test_a_hold_ends_at_its_time_and_not_before(later: Caller) -> None:
    assert move(later, "2026-07-24T11:59:59.999Z").json()["done"] == {}
    assert points(later) == (0, 300)
    assert move(later, "2026-07-24T12:00:00Z").json()["done"] == {"confirm": 3}
    assert points(later) == (300, 0)


def test_moving_again_to_the_same_time_does_nothing(later: Caller) -> None:
    first, again = (move(later, "2026-07-24T12:00:00Z").json() for _ in range(2))
    assert (first["now"], again["now"]) == ("2026-07-24T12:00:00.000Z",) * 2
    assert again["done"] == {}
    back = move(later, "2026-07-01T00:00:00Z").json()
    assert (back["now"], back["done"]) == ("2026-07-24T12:00:00.000Z", {})


def test_what_was_long_due_is_dated_when_it_fell_due(later: Caller) -> None:
    """After two years at once a lot was confirmed after 14 days and was over a year later."""
    for year in ("2027-07-10T12:00:00Z", "2028-07-09T12:00:00Z"):
        move(later, year)
    changes = later.get("/v1/members/m/transactions").json()["data"]
    assert [(each["verb"], each["occurred_at"][:10]) for each in changes] == [
        ("expire", "2027-07-24"),
        *[("confirm", "2026-07-24")] * 3,
        *[("earn", "2026-07-10")] * 3,
    ]
    assert points(later) == (0, 0)


def test_called_off_and_refunded_orders_are_never_due(later: Caller) -> None:
    later.taken("order.cancelled", order="o-0")
    later.taken("order.refunded", member="m", refund="f", order="o-1", amount_minor=10_000)
    assert move(later, "2026-08-01T00:00:00Z").json()["done"] == {"confirm": 1}
    assert points(later) == (100, 0)


def test_two_clockworks_at_once_do_it_once(later: Caller, door: Door, database: str, clock: Clock) -> None:
    clock.pass_by(days=14)
    with open_door(database, production=False, readers_max=1, now=clock) as second, ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(clockwork.run, [door, second]))
    assert sum(count.get("confirm", 0) for count in counts) == 3
    assert points(later) == (300, 0)


def test_pages_are_small_and_many(later: Caller, door: Door, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "DUE_PER_PAGE", 1)
    clock.pass_by(days=14)
    assert clockwork.run(door) == {"confirm": 3}
    assert points(later) == (300, 0)


def test_it_ticks_by_itself_while_serving(later: Caller, door: Door, clock: Clock) -> None:
    with clockwork.ticking(door, every_seconds=0.01):
        clock.pass_by(days=14)
        end = time.monotonic() + PATIENCE_SECONDS
        while points(later) != (300, 0):
            assert time.monotonic() < end
            time.sleep(0.01)


def test_the_clock_is_moved_by_test_keys_in_a_sandbox_alone(
    later: Caller, database: str, clock: Clock, new_key: KeyMaker, http: TestClient
) -> None:
    live = Caller(http, new_key(LATER, environment="live"))
    assert move(live, "2026-07-24T12:00:00Z").json()["code"] == "test-mode-only"
    with (
        open_door(database, production=False, readers_max=1, now=clock) as real,
        TestClient(create_app(real)) as client,
    ):
        assert move(Caller(client, later.token), "2026-07-24T12:00:00Z").json()["code"] == "test-mode-only"
    with open_door(database, production=True, readers_max=1, now=clock) as real, TestClient(create_app(real)) as client:
        assert move(Caller(client, live.token), "2026-07-24T12:00:00Z").json()["code"] == "test-mode-only"
    assert clock.at == START


@pytest.fixture
def monthly(door: Door, database: str, clock: Clock) -> Iterator[Door]:
    """Another door to the alliance; as its clock passes them, months end cycles, in China's time."""
    assert door.now() == clock()
    months_over = CycleSettings(utc_offset_minutes=480).over
    with open_door(
        database, production=False, readers_max=2, now=clock, move_clock=clock.move_to, months_over=months_over
    ) as monthly:
        yield monthly


@pytest.fixture
def sandbox(monthly: Door, later: Caller) -> Iterator[Caller]:
    """The merchant `later` at that door."""
    with TestClient(create_app(monthly), raise_server_exceptions=False) as client:
        yield Caller(client, later.token)


AUTUMN = "2026-10-05T00:00:00Z"
ENDS = [("2026-07", "2026-07-31T16:00:00.000Z"), ("2026-08", "2026-08-31T16:00:00.000Z")]


def buy_late_in_july(sandbox: Caller) -> None:
    """Three orders of the tenth are confirmed in July; this one's hold ends in August, and nothing is in September."""
    assert move(sandbox, "2026-07-31T15:59:59Z").json()["done"] == {"confirm": 3}
    bought = sandbox.post("/v1/events", sandbox.paid("late", 10_000) | {"occurred_at": "2026-07-31T15:00:00Z"})
    assert bought.status_code == 201, bought.text


def assert_each_month_ended_once_in_its_place(door: Door, books: Caller) -> None:
    cycles = books.get("/v1/clearing/cycles").json()["cycles"]
    assert [(each["cycle"], each["last_entry_at"]) for each in cycles if each["cycle"] != "open"] == ENDS
    verbs = [entry.verb for entry in _journal(door)][-6:]
    assert verbs == [*["confirm"] * 2, "earn", "charge_fees", "confirm", "charge_fees"]


def test_months_that_end_on_the_way_are_charged_in_their_place(sandbox: Caller, monthly: Door, books: Caller) -> None:
    """What falls due after a month's end counts in the next, and a month without fees has no end."""
    buy_late_in_july(sandbox)
    for done in ({"charge_fees": 2, "confirm": 1}, {}):
        assert move(sandbox, AUTUMN).json()["done"] == done
    assert_each_month_ended_once_in_its_place(monthly, books)


def test_moves_at_once_end_each_month_once(sandbox: Caller, monthly: Door, books: Caller, clock: Clock) -> None:
    buy_late_in_july(sandbox)
    with ThreadPoolExecutor(3) as pool:
        moved = pool.map(lambda to: move(sandbox, to).json(), ["2026-08-20T00:00:00Z", AUTUMN, AUTUMN])
        done = [each["done"] for each in moved]
    assert sum(each.get("charge_fees", 0) for each in done) == 2
    assert clock.at == datetime(2026, 10, 5, tzinfo=UTC)
    assert_each_month_ended_once_in_its_place(monthly, books)


def test_a_move_that_fails_half_way_goes_on_where_it_failed(
    sandbox: Caller, monthly: Door, books: Caller, clock: Clock, database: str
) -> None:
    """August cannot be charged. The clock has not moved then, and moving it again ends August too."""
    buy_late_in_july(sandbox)
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$")
        owner.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON ledger.claim FOR EACH ROW WHEN (NEW.name = '2026-08')"
            " EXECUTE FUNCTION fail()"
        )
        assert move(sandbox, AUTUMN).status_code == 500
        assert clock.at < datetime(2026, 8, 1, tzinfo=UTC)
        owner.execute("DROP TRIGGER fail ON ledger.claim")
    assert move(sandbox, AUTUMN).json()["done"] == {"charge_fees": 1}
    assert_each_month_ended_once_in_its_place(monthly, books)


def test_what_accrues_after_a_month_without_fees_is_not_charged_as_its(
    tea: Caller, monthly: Door, clock: Clock, new_key: KeyMaker
) -> None:
    """The serving process ticks while the clock is moved past July, and its next tick meets August's first fee."""
    tea.taken("member.joined", member="m")
    with TestClient(create_app(monthly)) as client, clockwork.ticking(monthly, every_seconds=0.3):
        seller, holder = Caller(client, tea.token), Caller(client, new_key(LATER))
        assert move(seller, "2026-08-05T00:00:00Z").json()["done"] == {}
        for caller, order in ((holder, "h-1"), (seller, "s-1")):
            paid = caller.paid(order, 10_000) | {"occurred_at": "2026-08-05T00:00:00Z"}
            assert caller.post("/v1/events", paid).status_code == 201
        clock.pass_by(days=14)
        end = time.monotonic() + PATIENCE_SECONDS
        while points(holder) != (100, 0):
            assert time.monotonic() < end
            time.sleep(0.01)
    assert [entry.verb for entry in _journal(monthly)][-3:] == ["earn", "earn", "confirm"]


def _journal(door: Door) -> list[JournalEntry]:
    with door.reading() as connection:
        return journal.read(connection, 0)


@pytest.mark.parametrize("to", ["2027-07-12T12:00:00Z", "2026-07-24", "soon", None])
def test_a_time_that_cannot_be_is_refused(later: Caller, to: str | None) -> None:
    refused = move(later, to)  # type: ignore[arg-type]  # what a program might send all the same
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/to")


def test_a_moved_clock_runs_on_and_never_back() -> None:
    real = Clock(datetime(2026, 7, 10, tzinfo=UTC))
    moved = TestClock(real)
    assert moved() == real.at
    moved.move_to(real.at + timedelta(days=3))
    moved.move_to(real.at - timedelta(days=3))
    real.pass_by(seconds=5)
    assert moved() - real.at == timedelta(days=3)


@pytest.fixture
def noodles(operator: Caller, http: TestClient, new_key: KeyMaker) -> Caller:
    """A merchant with a collateral of 1,000 AU and nothing published."""
    operator.done("/v1/merchants", **noodles_that(credit_limit_au=1_000, issuance_fee_bps=0))
    return Caller(http, new_key(NOODLES))


def test_orders_of_an_issuer_at_its_limit_wait_and_hold_up_nobody(
    door: Door, noodles: Caller, later: Caller, clock: Clock
) -> None:
    """Ten orders wait for an issuer that pays on issuance; once it may, the clock lets them through within the hour."""
    noodles.done("/v1/rates", terms_id=NOODLES, au_num=1, au_den=1, mode="on_issuance")
    for number in range(20):
        noodles.taken("order.paid", member="m", order=f"p-{number}", amount_minor=10_000)
    assert points(noodles) == (1_000, 1_000)
    refused = noodles.event("order.completed", order="p-10")
    assert (refused.status_code, refused.json()["code"]) == (409, "issuer-over-limit")
    assert move(later, "2026-07-24T12:00:00Z").json()["done"] == {"confirm": 3}, "those of the other merchant"
    nets = (Net(NOODLES, -600), Net(RESERVE_ID, 600))
    [settled] = door.poster.post([SettleNets(key="settled", at_ms=0, batch_no=1, nets=nets)])
    assert isinstance(settled.outcome, Receipt)
    assert clockwork.run(door) == {}, "asked in this hour before"
    clock.pass_by(hours=1)
    assert clockwork.run(door) == {"confirm": 6}
    assert points(noodles) == (1_600, 400)

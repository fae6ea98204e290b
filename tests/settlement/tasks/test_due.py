"""The ledger's due work by tasks: late by hours, twice, by two workers at once; done once, dated when it fell due."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from ledger import journal, queries
from ledger.answers import Receipt
from ledger.commands import BindReferral, Command, Enrol, Merge, SetTiers, Tier
from ledger.reports import projection
from ledger.store import open_store
from settlement.tasks import attempts, due, turn
from settlement.tasks.asking import Turn
from settlement.tasks.ticks import BY_NAME
from settlement.tasks.turn import Outcome
from settlement.tasks.works import Works
from settlement.watch import alerts
from tests.conftest import one
from tests.ledger.scene import DAY, A, B, Scene, small_alliance
from tests.settlement.tasks.stage import stage

HOUR = DAY // 24
ORDERS = 5
NOVEMBER, DECEMBER = (int(datetime(2026, month, 15, tzinfo=UTC).timestamp()) * 1_000 for month in (11, 12))


@pytest.fixture
def works(database: str, tmp_path: Path) -> Iterator[Works]:
    """An alliance with a hold of a day, and five purchases in it at the same moment."""
    scene = Scene()
    with open_store(database) as store:
        store.post(small_alliance(hold_ms=DAY))
        store.post([SetTiers(key="t", at_ms=0, tiers=(Tier("regular", 0), Tier("gold", 100)), window_ms=365 * DAY)])
        store.post([scene.earn(f"m{i + 1}", A, 10_000, order=f"o{i}") for i in range(ORDERS)])
    with stage(database, tmp_path) as played:
        yield played.works


def at(works: Works, at_ms: int) -> Works:
    return replace(works, now_ms=lambda: at_ms)


def done(works: Works, verb: str) -> list[int]:
    with psycopg.connect(works.dsn) as conn:
        rows = conn.execute("SELECT at_ms FROM ledger.journal WHERE verb = %s ORDER BY seq", [verb]).fetchall()
    return [at_ms for (at_ms,) in rows]


def test_late_by_hours_and_twice_is_done_once_and_dated_right(works: Works) -> None:
    late = at(works, DAY + 5 * HOUR)
    assert turn.take(BY_NAME["due"], at(works, DAY - 1)) is Outcome.DONE
    assert done(works, "confirm") == []
    assert [turn.take(BY_NAME["due"], late) for _ in range(2)] == [Outcome.DONE] * 2
    assert done(works, "confirm") == [DAY] * ORDERS


def test_two_workers_at_once_do_it_once(works: Works) -> None:
    """Without the lease, as if it had been lost: the keys of the commands hold alone."""
    late = at(works, 2 * DAY)

    def ask(_: int) -> object:
        with late.connection() as conn:
            return due.due(Turn(late, conn))

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(ask, range(2)))
    assert sum(dict(each).get("confirm", 0) for each in told) == ORDERS  # type: ignore[call-overload]
    assert done(works, "confirm") == [DAY] * ORDERS


def test_tiers_are_walked_once_an_hour_and_a_walk_keeps_its_place(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "PAGES_PER_TURN_MAX", 1)
    monkeypatch.setattr("ledger.tiers_due.MEMBERS_PER_READ_MAX", 3)
    turn.take(BY_NAME["due"], at(works, 2 * DAY))
    turns = 0
    while True:
        assert turn.take(BY_NAME["tiers"], at(works, 2 * DAY + turns)) is Outcome.DONE
        turns += 1
        with works.connection() as conn:
            if "after_no" not in attempts.position(conn, "tiers"):
                break
    assert turns > 1
    assert done(works, "evaluate_tier") == [2 * DAY] * ORDERS
    turn.take(BY_NAME["tiers"], at(works, 2 * DAY + HOUR - 1))
    with works.connection() as conn:
        assert attempts.position(conn, "tiers") == {"at_ms": 2 * DAY}
    turn.take(BY_NAME["tiers"], at(works, 2 * DAY + HOUR))
    with works.connection() as conn:
        assert attempts.position(conn, "tiers")["at_ms"] == 2 * DAY + HOUR


def test_a_clock_that_went_back_does_not_stop_the_walk(works: Works) -> None:
    """A walk that a clock far ahead began is no reason to wait for that time."""
    turn.take(BY_NAME["due"], at(works, 2 * DAY))
    with open_store(works.dsn) as store:
        store.post([Enrol(key="late", at_ms=0, member="late"), Scene().earn("late", A, 20_000, at=900 * DAY)])
    assert turn.take(BY_NAME["tiers"], at(works, 900 * DAY)) is Outcome.DONE
    judged = done(works, "evaluate_tier")
    assert turn.take(BY_NAME["tiers"], at(works, 2 * DAY)) is Outcome.DONE
    assert done(works, "evaluate_tier") > judged, "those whose purchases count at that time"
    with works.connection() as conn:
        assert attempts.position(conn, "tiers") == {"at_ms": 2 * DAY}


def redeemed(works: Works) -> None:
    """A redemption, whose fee accrues."""
    with open_store(works.dsn) as store:
        store.post([Scene().redeem("m1", B, 50, at=2 * DAY)])


def test_a_month_that_is_over_is_charged_once_if_any_fee_accrued(works: Works) -> None:
    late = at(works, NOVEMBER)
    turn.take(BY_NAME["due"], at(works, 2 * DAY))
    redeemed(works)
    by_hand = replace(late, settings=late.settings.model_copy(update={"cycles": "by-hand"}))
    assert turn.take(BY_NAME["cycle"], by_hand) is Outcome.DONE
    assert done(works, "charge_fees") == []
    for _ in range(2):
        assert turn.take(BY_NAME["cycle"], late) is Outcome.DONE
    with psycopg.connect(works.dsn, autocommit=True) as conn:
        assert not any(position.fees for position in queries.positions(conn).values())
    assert len(done(works, "charge_fees")) == 1
    assert one(works.dsn, "SELECT name FROM ledger.claim WHERE name = '2026-10'") == "2026-10"


def test_what_accrues_after_a_months_end_is_the_next_ones_also_where_it_had_none(works: Works) -> None:
    """October ended without a fee. November's first must not be October's only because October was never charged."""
    assert turn.take(BY_NAME["cycle"], at(works, NOVEMBER)) is Outcome.DONE
    turn.take(BY_NAME["due"], at(works, 2 * DAY))
    redeemed(works)
    assert turn.take(BY_NAME["cycle"], at(works, NOVEMBER + HOUR)) is Outcome.DONE
    assert done(works, "charge_fees") == []
    for _ in range(2):
        assert turn.take(BY_NAME["cycle"], at(works, DECEMBER)) is Outcome.DONE
    assert one(works.dsn, "SELECT string_agg(name, ',') FROM ledger.claim WHERE name LIKE '2026-%'") == "2026-11"


def test_the_first_fees_are_those_of_the_month_in_which_the_alliance_began(works: Works) -> None:
    """A worker that begins in the first month looks at the one before, in which there was no alliance."""
    turn.take(BY_NAME["due"], at(works, 2 * DAY))
    redeemed(works)
    assert turn.take(BY_NAME["cycle"], at(works, 2 * DAY)) is Outcome.DONE
    assert done(works, "charge_fees") == []
    assert turn.take(BY_NAME["cycle"], at(works, 40 * DAY)) is Outcome.DONE
    assert one(works.dsn, "SELECT string_agg(name, ',') FROM ledger.claim WHERE name LIKE '19%'") == "1970-01"


def test_days_follow_the_journal(works: Works) -> None:
    assert [turn.take(BY_NAME["days"], works) for _ in range(2)] == [Outcome.DONE] * 2
    with psycopg.connect(works.dsn, autocommit=True) as conn:
        assert projection.reached(conn) == journal.head_seq(conn)
    assert one(works.dsn, "SELECT count(*) FROM ledger.day") != 0
    assert one(works.dsn, "SELECT sum(amount) FROM ledger.day WHERE family = 1") == one(
        works.dsn, "SELECT sum(amount) FROM ledger.posting WHERE family = 1"
    )


def test_chains_of_referrals_become_alerts_and_end(works: Works) -> None:
    """A chain of three is told once; merging its ends undoes it, and the alert is resolved. No member is in the log."""

    def post(*commands: Command) -> list[tuple[str, str, bool]]:
        with open_store(works.dsn) as store:
            assert [answer for answer in store.post(commands) if not isinstance(answer.outcome, Receipt)] == []
        with capture_logs() as logs:
            assert turn.take(BY_NAME["chains"], works) is Outcome.DONE
        assert not re.search(r"\bn[0-9]\b", str(logs))
        with psycopg.connect(works.dsn, autocommit=True) as conn:
            return [(each.place, each.actual, each.resolved_at is None) for each in alerts.alerts(conn, resolved=True)]

    enrolled = [Enrol(key=f"enrol {name}", at_ms=0, member=name) for name in ("n1", "n2", "n3")]
    assert post(*enrolled, bond("n2", "n1")) == []
    told = [("n1", "3: n1, n2, n3", True)]
    assert post(bond("n3", "n2")) == told
    assert post() == told, "nothing is new, nothing is resolved"
    assert post(Merge(key="m", at_ms=0, member="n3", into="n1")) == [("n1", "3: n1, n2, n3", False)]


def chain(*names: str) -> list[Command]:
    """Members, each referred by the one before."""
    enrolled = [Enrol(key=f"enrol {name}", at_ms=0, member=name) for name in names]
    return [*enrolled, *(bond(each, before) for before, each in pairwise(names))]


def open_alerts(works: Works) -> list[tuple[str, str]]:
    with psycopg.connect(works.dsn, autocommit=True) as conn:
        return sorted((each.code, each.place) for each in alerts.alerts(conn))


def test_many_small_chains_neither_hide_a_large_one_nor_end_what_was_told(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever floods the watch, by names that come first, is told of in one line; what is open stays while it is so."""
    monkeypatch.setattr(due, "CHAIN_ALERTS_MAX", 2)

    def looked(*commands: Command) -> list[tuple[str, str]]:
        with open_store(works.dsn) as store:
            store.post(commands)
        assert turn.take(BY_NAME["chains"], works) is Outcome.DONE
        return open_alerts(works)

    small = [("long-chain", "p1"), ("long-chain", "q1")]
    assert looked(*chain("p1", "p2", "p3"), *chain("q1", "q2", "q3")) == small
    told = [("chains-many", "referrals"), ("long-chain", "a1"), *small, ("long-chain", "z1")]
    assert looked(*chain("a1", "a2", "a3"), *chain("z1", "z2", "z3", "z4")) == told
    fewer = looked(*(Merge(key=f"m {each}", at_ms=0, member=f"{each}3", into=f"{each}1") for each in "aq"))
    assert fewer == [("long-chain", "p1"), ("long-chain", "z1")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaken(Works):
    """A worker that is slow between looking and keeping what it saw: `meanwhile` happens there."""

    meanwhile: Callable[[], object]

    @contextmanager
    def reading(self) -> Iterator[psycopg.Connection]:
        with Works.reading(self) as conn:
            yield conn
        self.meanwhile()


def test_a_worker_that_was_overtaken_ends_nothing_that_a_later_look_told(works: Works) -> None:
    """Without the lease, as if it had been lost."""

    def look(looking: Works) -> None:
        with looking.connection() as conn:
            due.chains(Turn(looking, conn))

    def later() -> None:
        with open_store(works.dsn) as store:
            store.post(chain("n1", "n2", "n3"))
        look(works)

    assert turn.take(BY_NAME["chains"], works) is Outcome.DONE
    with open_store(works.dsn) as store:
        store.post(chain("k1", "k2"))
    fields = {each.name: getattr(works, each.name) for each in dataclasses.fields(works)}
    look(Overtaken(**fields, meanwhile=later))
    assert open_alerts(works) == [("long-chain", "n1")]
    assert turn.take(BY_NAME["chains"], works) is Outcome.DONE
    assert one(works.dsn, "SELECT count(*) FROM settlement.alert WHERE code = 'long-chain'") == 1


def bond(member: str, referrer: str) -> BindReferral:
    return BindReferral(key=f"bond {member}", at_ms=0, member=member, referrer=referrer)

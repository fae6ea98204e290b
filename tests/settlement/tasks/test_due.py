"""The ledger's due work by tasks: late by hours, twice, by two workers at once; done once, dated when it fell due."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
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
NOVEMBER = int(datetime(2026, 11, 15, tzinfo=UTC).timestamp()) * 1_000


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


def test_a_month_that_is_over_is_charged_once_if_any_fee_accrued(works: Works) -> None:
    scene, late = Scene(), at(works, NOVEMBER)
    assert turn.take(BY_NAME["cycle"], late) is Outcome.DONE
    assert done(works, "charge_fees") == []
    turn.take(BY_NAME["due"], at(works, 2 * DAY))
    with open_store(works.dsn) as store:
        store.post([scene.redeem("m1", B, 50, at=2 * DAY)])
    by_hand = replace(late, settings=late.settings.model_copy(update={"cycles": "by-hand"}))
    for chosen in (by_hand, late, late):
        assert turn.take(BY_NAME["cycle"], chosen) is Outcome.DONE
    with psycopg.connect(works.dsn, autocommit=True) as conn:
        assert not any(position.fees for position in queries.positions(conn).values())
    assert len(done(works, "charge_fees")) == 1
    assert one(works.dsn, "SELECT name FROM ledger.claim WHERE name = '2026-10'") == "2026-10"


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


def bond(member: str, referrer: str) -> BindReferral:
    return BindReferral(key=f"bond {member}", at_ms=0, member=member, referrer=referrer)

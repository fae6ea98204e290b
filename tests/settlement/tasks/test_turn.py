"""One turn, in this process: counted before, forgotten after, parked in the end; one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from settlement.chain.client import ChainError, ChainUnclear, NodeRefused
from settlement.tasks import __main__ as command
from settlement.tasks import attempts, turn
from settlement.tasks.asking import Told, Turn
from settlement.tasks.attempts import Parked
from settlement.tasks.ticks import LEDGER, TICKS, Tick
from settlement.tasks.turn import Outcome
from settlement.tasks.works import Works
from settlement.watch.alerts import alerts
from tests.settlement.tasks.stage import stage


@pytest.fixture
def works(database: str, tmp_path: Path) -> Iterator[Works]:
    with stage(database, tmp_path) as played:
        yield played.works


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def failing(_turn: Turn) -> Told:
    raise ValueError("no such thing\0")


def away(error: ChainError) -> Callable[[Turn], Told]:
    def run(_turn: Turn) -> Told:
        raise error

    return run


def fine(_turn: Turn) -> Told:
    return {}


def a_tick(run: object, name: str = "seal") -> Tick:
    return Tick(name, 1, LEDGER, run, "")  # type: ignore[arg-type]


Conn = psycopg.Connection[tuple[object, ...]]


def test_what_fails_five_times_is_parked_with_an_alert_until_it_is_released(works: Works, conn: Conn) -> None:
    tick = a_tick(failing)
    assert [turn.take(tick, works) for _ in range(7)] == [Outcome.FAILED] * 4 + [Outcome.PARKED] * 3
    (work,) = attempts.listed(conn)
    assert (work.attempts, work.error) == (5, "ValueError: no such thing")
    (alert,) = alerts(conn)
    assert (alert.code, alert.severity, alert.place) == ("task-parked", "urgent", "seal")
    assert turn.take(a_tick(fine), works) is Outcome.PARKED
    assert attempts.release(conn, "seal")
    assert not attempts.release(conn, "seal")
    assert alerts(conn) == []
    assert turn.take(a_tick(fine), works) is Outcome.DONE
    (work,) = attempts.listed(conn)
    assert (work.attempts, work.error, work.parked_at) == (0, None, None)


def test_a_success_forgets_failures(works: Works) -> None:
    said = [turn.take(a_tick(run), works) for run in [*[failing] * 4, fine, *[failing] * 4]]
    assert Outcome.PARKED not in said


@pytest.mark.parametrize("error", [ChainUnclear("no answer"), NodeRefused(-32005, "too many requests")])
def test_a_server_that_is_away_is_not_held_against_a_task(works: Works, conn: Conn, error: ChainError) -> None:
    assert {turn.take(a_tick(away(error)), works) for _ in range(10)} == {Outcome.AWAY}
    (work,) = attempts.listed(conn)
    assert (work.attempts, work.parked_at, work.error) == (0, None, f"{type(error).__name__}: {error}")


def test_a_database_that_is_away_is_waited_for(works: Works) -> None:
    gone = replace(works, dsn=works.dsn.replace("test_", "gone_"))
    assert turn.take(a_tick(fine), gone) is Outcome.AWAY


def test_deaths_are_counted_by_beginning(conn: Conn) -> None:
    for _ in range(3):
        attempts.begin(conn, "drive", attempts_max=3)
    with pytest.raises(Parked) as first:
        attempts.begin(conn, "drive", attempts_max=3)
    with pytest.raises(Parked) as second:
        attempts.begin(conn, "drive", attempts_max=3)
    assert (first.value.now, second.value.now) == (True, False)


def test_two_at_once_take_turns_and_one_that_waits_too_long_goes(works: Works) -> None:
    inside, go = threading.Event(), threading.Event()
    at_once: list[int] = []

    def waiting(_turn: Turn) -> Told:
        at_once.append(1)
        inside.set()
        assert go.wait(30)
        return {}

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(turn.take, a_tick(waiting), works)
        assert inside.wait(30)
        assert turn.take(a_tick(waiting), works) is Outcome.LED_ELSEWHERE
        go.set()
        assert first.result() is Outcome.DONE
    assert len(at_once) == 1


def test_every_tick_finds_nothing_to_do_before_an_alliance_is_founded(works: Works, conn: Conn) -> None:
    said = {tick.name: turn.take(tick, works) for tick in TICKS}
    assert set(said.values()) <= {Outcome.DONE, Outcome.NOT_FOUNDED}
    assert said["seal"] is Outcome.NOT_FOUNDED
    assert [work.attempts for work in attempts.listed(conn)] == [0] * len(TICKS)


def test_status_lists_and_release_frees(
    works: Works, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TONGDUI_DATABASE_URL", database)
    assert command.main(["status"]) == 0
    assert "seal         every 20 s         never ran" in capsys.readouterr().out
    for _ in range(5):
        turn.take(a_tick(failing), works)
    assert command.main(["status"]) == 1
    assert "ValueError: no such thing" in capsys.readouterr().out
    assert [command.main(["release", "seal"]) for _ in range(2)] == [0, 1]
    assert command.main(["status"]) == 0

"""Real workers and beats on real brokers: what a task does is done once, whoever dies in between."""

from __future__ import annotations

import signal
import time

from tests.settlement.tasks.stage import Stage
from tests.waiting import PATIENCE_SECONDS, eventually


def test_a_task_runs_and_a_worker_stops_when_told(played: Stage) -> None:
    worker = played.begin()
    played.ask("note")
    eventually(lambda: played.notes() == ["note"])
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_SECONDS) == 0


def test_a_worker_finishes_what_it_has_before_it_stops(played: Stage) -> None:
    worker = played.begin()
    played.ask("slow")
    eventually((played.folder / "held").exists)
    worker.send_signal(signal.SIGTERM)
    (played.folder / "go").touch()
    assert worker.wait(PATIENCE_SECONDS) == 0
    assert played.notes() == ["begun", "ended"]


def test_a_worker_killed_in_the_middle_hands_its_task_on(played: Stage) -> None:
    first = played.begin()
    played.ask("slow")
    eventually(lambda: played.notes() == ["begun"])
    played.kill(first)
    played.let_leases_run_out()
    (played.folder / "go").touch()
    played.begin()
    eventually(lambda: played.notes() == ["begun", "begun", "ended"])
    work = played.works_of("slow")
    assert work is not None
    eventually(lambda: (now := played.works_of("slow")) is not None and now.attempts == 0)


def test_two_workers_take_turns(played: Stage) -> None:
    played.begin()
    played.begin()
    played.ask("slow", "slow", "slow")
    eventually((played.folder / "held").exists)
    time.sleep(1)
    assert played.notes() == ["begun"]
    (played.folder / "go").touch()
    eventually(lambda: len(played.notes()) >= 2)
    words = played.notes()
    assert words == ["begun", "ended"] * (len(words) // 2)


def test_what_takes_too_long_is_ended_and_counted(played: Stage) -> None:
    played.redelivery_seconds = 120  # or it is begun once more while its first end is still being written down
    played.begin()
    played.ask("slow")
    eventually(lambda: (work := played.works_of("slow")) is not None and work.error is not None)
    work = played.works_of("slow")
    assert work is not None
    assert work.error is not None
    assert (work.attempts, work.error.split(":")[0]) == (1, "SoftTimeLimitExceeded")
    assert played.notes() == ["begun"]


def test_what_kills_its_worker_is_parked_and_the_rest_goes_on(played: Stage) -> None:
    played.begin()
    played.ask(*["poison"] * 6)

    def parked() -> bool:
        played.let_leases_run_out()
        work = played.works_of("poison")
        return work is not None and work.parked_at is not None

    eventually(parked)
    played.ask("note")
    eventually(lambda: "note" in played.notes())
    work = played.works_of("poison")
    assert work is not None
    assert (work.attempts, work.error) == (6, "its worker died")

"""A writer dies, or its connection does, at every named point: nothing acknowledged is lost, nothing is doubled or half
done.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ledger import queries, rebuild, verify
from ledger.answers import Receipt
from ledger.commands import Command, canonical
from ledger.store import Store, open_store
from tests.ledger.random_commands import history, opening_commands
from tests.ledger.scene import A, Scene, small_alliance

ROOT = Path(__file__).resolve().parents[3]
POINTS = ("locked", "decided", "written", "committed")
BATCH = 40
WRITER_SECONDS_MAX = 60


def writer(
    database: str,
    commands: list[Command],
    *,
    die_at: str = "never",
    die_in_batch: int = 0,
    batch: int = BATCH,
    ahead: bool = False,
) -> subprocess.CompletedProcess[bytes]:
    """Run `tests.ledger.crash.named_point_writer` on `commands` to its end; its output is the keys it acknowledged."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.ledger.crash.named_point_writer",
            database,
            die_at,
            str(die_in_batch),
            str(batch),
            *(["ahead"] if ahead else []),
        ],
        input=b"\n".join(canonical(command) for command in commands),
        capture_output=True,
        cwd=ROOT,
        timeout=WRITER_SECONDS_MAX,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("point", POINTS)
def test_a_writer_killed_at_a_named_point(database: str, point: str) -> None:
    commands = history(seed=13, length=160)
    died = writer(database, commands, die_at=point, die_in_batch=2)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    acknowledged = died.stdout.decode().split("\n")[:-1]
    assert len(acknowledged) == 2 * BATCH
    expected = [answer.body for answer in Scene().play(*commands)]
    with psycopg.connect(database, autocommit=True) as conn, open_store(database) as store:
        for key in acknowledged:
            assert queries.answer_by_key(conn, key) is not None, f"{key} was acknowledged and is lost"
        assert [answer.body for answer in store.post(commands)] == expected
        assert [each for each in verify.check(conn) if not each.held] == []
        assert rebuild.differences(conn) == []


@pytest.mark.parametrize("point", POINTS)
def test_a_writer_killed_with_batches_in_flight(database: str, point: str) -> None:
    """What was told is there; what was on its way is there as a whole or not at all, in the order it was handed in."""
    commands = [*opening_commands(), *history(seed=31, length=200)[len(opening_commands()) :]]
    died = writer(database, commands, die_at=point, die_in_batch=8, batch=10, ahead=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    acknowledged = died.stdout.decode().split("\n")[:-1]
    assert acknowledged == [command.key for command in commands[: len(acknowledged)]]
    assert len(acknowledged) >= 50
    with psycopg.connect(database, autocommit=True) as conn, open_store(database) as store:
        known = [queries.answer_by_key(conn, command.key) is not None for command in commands]
        done = known.index(False)
        assert done >= len(acknowledged)
        assert done % 10 == 0
        assert [answer.body for answer in store.post(commands)] == [answer.body for answer in Scene().play(*commands)]
        assert [each for each in verify.check(conn) if not each.held] == []
        assert rebuild.differences(conn) == []


class Cutter:
    """Ends the store's own connections, from another one, when a batch reaches `point` for the first time."""

    def __init__(self, database: str, point: str) -> None:
        self.database = database
        self.point = point
        self.cuts = 0

    def __call__(self, point: str) -> None:
        if point == self.point and not self.cuts:
            self.cuts += 1
            with psycopg.connect(self.database, autocommit=True) as conn:
                conn.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.mark.parametrize("point", ["locked", "decided", "written"])
def test_a_connection_cut_inside_a_batch_is_mended(database: str, point: str) -> None:
    cutter = Cutter(database, point)
    commands = history(seed=17, length=50)
    expected = [answer.body for answer in Scene().play(*commands)]
    with Store(database) as store:
        store.post(commands[:20])
    with Store(database, named_point=cutter) as store:
        assert [answer.body for answer in store.post(commands)] == expected
    assert cutter.cuts == 1


def test_an_answer_lost_after_commit_is_found_by_its_key(database: str) -> None:
    """The COMMIT was done and its acknowledgement lost: posting again replays, and does nothing twice."""
    scene = Scene()
    earn = scene.earn("m1", A, 10_000)

    class Lost(Exception):
        pass

    def lose(point: str) -> None:
        if point == "committed":
            raise Lost

    with Store(database) as store:
        store.post(small_alliance())
    with Store(database, named_point=lose) as store, pytest.raises(Lost):
        store.post([earn])
    with Store(database) as store:
        again = store.post([earn])[0]
    assert again.replayed
    assert isinstance(again.outcome, Receipt)
    assert again.outcome.seq == 12


def test_two_writer_processes_at_once(database: str) -> None:
    """Both post the same commands in batches of different sizes: each key is done once, and both hear the same."""
    commands = [*opening_commands(), *history(seed=19, length=200)[len(opening_commands()) :]]
    with ThreadPoolExecutor() as threads:
        for done in threads.map(lambda size: writer(database, commands, batch=size), (7, 11)):
            assert done.returncode == 0, done.stderr.decode()
            assert done.stdout.decode().split("\n")[:-1] == [command.key for command in commands]
    with psycopg.connect(database, autocommit=True) as conn:
        answered = {key for (key,) in conn.execute("SELECT key FROM ledger.answer")}
        assert answered == {command.key for command in commands}
        assert [each for each in verify.check(conn) if not each.held] == []
        assert rebuild.differences(conn) == []

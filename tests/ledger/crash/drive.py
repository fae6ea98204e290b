"""Two writer processes on one ledger, and something dies: a writer at a named point or whenever, a backend, the server.

    python -m tests.ledger.crash.drive [--cycles 100] [--commands 500000] [--seed 1] [--keep]

It goes on until both numbers are reached, then judges: every acknowledged command has its answer, byte for byte as it
was acknowledged (none lost); every key has one answer (none doubled); every batch that was not acknowledged is there as
a whole or not at all (none half); all invariants hold and the journal rebuilds the stored state. The server runs with
full durability. `--keep` writes the record to bench/results/crash.json. Exit code 1 when anything is found.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

import psycopg
from rich.console import Console
from rich.progress import Progress

from bench.conditions import keep, machine
from ledger import rebuild, verify
from ledger.postgres.embedded import EmbeddedServer, start
from ledger.slice import Role
from ledger.store import open_store
from tests.conftest import ROOT, migrate
from tests.ledger.crash.stream import key, opening
from tests.ledger.crash.writer import batch_size

WRITERS = (1, 2)
POINTS = ("locked", "decided", "written", "committed")
DEATHS = ("writer-at-point", "writer", "both-writers", "backend", "server", "server-and-writers")
LIVE_SECONDS_MAX = 2.5
EXIT_SECONDS_MAX = 120
REWARDS = [Role.LEVEL_1.value, Role.LEVEL_2.value]
BATCHES_TO_POINT_MAX = 30


@dataclass
class Writer:
    """One writer's process, and what it was acknowledged over all its lives: [(start, size, digest)]."""

    number: int
    acknowledged: list[tuple[int, int, str]] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    @property
    def next(self) -> int:
        """The first index that was not acknowledged."""
        if not self.acknowledged:
            return 0
        first, size, _ = self.acknowledged[-1]
        return first + size

    def live(self, dsn: str, point: str = "never", batch: int = 0) -> None:
        """Start it where it was, with the last acknowledged batch once more: that one must be replayed."""
        begin = self.acknowledged[-1][0] if self.acknowledged else 0
        command = [sys.executable, "-m", "tests.ledger.crash.writer", dsn, str(self.number), str(begin), point]
        self.process = subprocess.Popen(
            [*command, str(batch)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            if not line.endswith("\n"):
                return  # killed while it wrote: not acknowledged
            first, size, digest = line.split()
            said = (int(first), int(size), digest)
            if self.acknowledged and said[0] == self.acknowledged[-1][0]:
                assert said == self.acknowledged[-1], f"acknowledged {self.acknowledged[-1]}, then {said}"
            else:
                self.acknowledged.append(said)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.gone()

    def gone(self) -> int:
        """Wait until it is; its exit code."""
        assert self.process is not None
        assert self._reader is not None
        code = self.process.wait(EXIT_SECONDS_MAX)
        self._reader.join(EXIT_SECONDS_MAX)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@dataclass
class Field:
    """The server, the writers, and what died so far."""

    folder: Path
    draw: Random
    server: EmbeddedServer
    writers: list[Writer]
    deaths: Counter[str] = field(default_factory=Counter)

    @property
    def dsn(self) -> str:
        return self.server.dsn("crash")

    def acknowledged(self) -> int:
        return sum(writer.next for writer in self.writers)

    def cycle(self) -> None:
        """Both writers live for a while, something dies, what is left is stopped, and the server stands again."""
        death = self.draw.choice(DEATHS)
        at_point = death == "writer-at-point"
        point = self.draw.choice(POINTS)
        self.deaths[f"{death} {point}" if at_point else death] += 1
        self.writers[0].live(self.dsn, point if at_point else "never", self.draw.randrange(BATCHES_TO_POINT_MAX))
        self.writers[1].live(self.dsn)
        if at_point:
            assert self.writers[0].gone() == -signal.SIGKILL
            time.sleep(self.draw.random())
            self.writers[1].kill()
            return
        time.sleep(self.draw.random() * LIVE_SECONDS_MAX)
        self._die(death)
        for writer in self.writers:
            writer.kill()
        if not self.server.is_ready():
            self.server.close()
            self.server = start(self.folder)

    def _die(self, death: str) -> None:
        match death:
            case "writer":
                self.writers[self.draw.randrange(2)].kill()
                time.sleep(self.draw.random())
            case "backend":
                with psycopg.connect(self.dsn, autocommit=True) as conn:
                    [pid] = conn.execute(
                        "SELECT pid FROM pg_stat_activity WHERE datname = 'crash' AND pid <> pg_backend_pid() LIMIT 1"
                    ).fetchone() or [0]
                if pid:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(self.draw.random() * LIVE_SECONDS_MAX)
            case "server" | "server-and-writers":
                if death == "server-and-writers":
                    for writer in self.writers:
                        assert writer.process is not None
                        writer.process.kill()
                os.kill(int(self.server.place.pid_file.read_text().split()[0]), signal.SIGKILL)
            case _:
                pass  # both writers are killed by the cycle


def judge(dsn: str, writers: list[Writer], progress: Progress) -> list[str]:
    """Everything that is not as it must be."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        found = [fault for writer in writers for fault in _lost_or_half(conn, writer)]
        task = progress.add_task("invariants", total=len(verify.STATEMENTS))
        held = verify.check(conn, progress=lambda _: progress.advance(task))
        found += [f"{each.name}: {each.detail}" for each in held if not each.held]
        [head] = conn.execute("SELECT seq FROM ledger.head").fetchone() or [0]
        task = progress.add_task("rebuild", total=head)
        found += rebuild.differences(conn, progress=lambda seq: progress.update(task, completed=seq))
    return found


def _done(dsn: str) -> dict[str, int]:
    """How many entries of each verb there are, and how many lots are somebody's reward for a referral."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        verbs = conn.execute("SELECT verb, count(*) FROM ledger.journal GROUP BY verb ORDER BY verb").fetchall()
        rewards = conn.execute("SELECT count(*) FROM ledger.lot WHERE role = ANY(%s)", [REWARDS]).fetchall()
    return dict(verbs) | {"referral rewards": rewards[0][0]}


def _lost_or_half(conn: psycopg.Connection, writer: Writer) -> list[str]:
    found = []
    for first, size, digest in writer.acknowledged:
        bodies = _bodies(conn, writer.number, first, size)
        if len(bodies) != size or sha256("".join(bodies).encode()).hexdigest() != digest:
            found.append(f"writer {writer.number}: {size} from {first} were acknowledged, {len(bodies)} are there")
    size = batch_size(writer.number, writer.next)
    there = len(_bodies(conn, writer.number, writer.next, size))
    if there not in {0, size}:
        found.append(f"writer {writer.number}: {there} of the {size} from {writer.next} are there")
    beyond = len(_bodies(conn, writer.number, writer.next + size, 10**8))
    if beyond:
        found.append(f"writer {writer.number}: {beyond} commands that were never asked")
    return found


def _bodies(conn: psycopg.Connection, writer: int, first: int, size: int) -> list[str]:
    """The stored answers of a range of one writer's keys, in order."""
    rows = conn.execute(
        "SELECT coalesce(a.body, j.receipt) FROM ledger.answer a LEFT JOIN ledger.journal j ON j.shard = 0 AND "
        "j.seq = a.seq WHERE a.shard = 0 AND a.key >= %s AND a.key < %s ORDER BY a.key",
        [key(writer, first), key(writer, first + size)],
    )
    return [body for (body,) in rows]


def run(
    folder: Path, *, cycles: int, commands: int, seed: int, console: Console
) -> tuple[dict[str, object], list[str]]:
    """At least `cycles` deaths and `commands` acknowledged; the record and the faults."""
    server = start(folder)
    migrate(server.ensure_database("crash"))
    place = Field(folder, Random(seed), server, [Writer(number) for number in WRITERS])
    with open_store(place.dsn) as store:
        store.post(opening())
    begun, done = time.monotonic(), 0
    with Progress(console=console) as progress:
        dying = progress.add_task("deaths", total=cycles)
        taken = progress.add_task("commands", total=commands)
        while done < cycles or place.acknowledged() < commands:
            place.cycle()
            done += 1
            progress.update(dying, completed=min(done, cycles))
            progress.update(taken, completed=min(place.acknowledged(), commands))
        found = judge(place.dsn, place.writers, progress)
    record: dict[str, object] = {
        "cycles": done,
        "acknowledgedCommands": place.acknowledged(),
        "acknowledgedBatches": sum(len(writer.acknowledged) for writer in place.writers),
        "deaths": dict(sorted(place.deaths.items())),
        "done": _done(place.dsn),
        "seconds": int(time.monotonic() - begun),
        "seed": seed,
        "faults": found,
    }
    place.server.stop()
    return record, found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100, help="at least this many deaths")
    parser.add_argument("--commands", type=int, default=500_000, help="at least this many acknowledged commands")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="write bench/results/crash.json")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        record, found = run(
            Path(folder) / "postgres",
            cycles=chosen.cycles,
            commands=chosen.commands,
            seed=chosen.seed,
            console=Console(stderr=True),
        )
    Console().print_json(data=record)
    if chosen.keep:
        keep("crash", {"conditions": machine()} | record, lasting=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

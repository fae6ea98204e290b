"""Where Python's processor time goes, by file: of earns in bulk, of the same with rewards on two levels, over HTTP.

    python -m bench.shares [--earns 20000]

The interpreter's own profiler, by the thread's processor time: it makes every call dearer, so the shares say more than
the microseconds, and small functions look larger than they are. In bulk it sees the thread that posts; over HTTP the
event loop's (the writer's thread is then not in it), with one purchase a request at 64 connections.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from api import keys
from bench.conditions import keep, machine
from bench.front_door import CASES, ROOT, STOP_SECONDS_MAX, Door, free_port, loaded, wait_until_ready
from bench.stage import Till, by_the_third, founding, migrated, purchase, receipt, referring
from ledger.commands import Command
from ledger.poster import BATCH_COMMANDS_MAX
from ledger.postgres.embedded import EmbeddedServer, start
from ledger.store import Store, open_store

FILES_SHOWN_MAX = 14
STARTING = {"<built-in method builtins.compile>", "<built-in method marshal.loads>"}
"""What only a process that starts does."""
SERVE = """
import cProfile, sys, time
from api import serve
profile = cProfile.Profile(time.thread_time)
try:
    profile.runcall(serve.main)
finally:
    profile.dump_stats(sys.argv[1])
"""

Shares = dict[str, float]


def by_file(stats: pstats.Stats, earns: int) -> Shares:
    """Microseconds per earn of each file's own code, the dearest first; what waits costs nothing."""
    found: Counter[str] = Counter()
    for (path, _, name), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        found[_place(path, name)] += own * (name not in STARTING)
    return {place: round(own / earns * 1e6, 1) for place, own in found.most_common(FILES_SHOWN_MAX)}


def _place(path: str, name: str) -> str:
    """The file as one would say it: ours from the root, a library by its package, the interpreter's own by name."""
    if path == "~":
        return name.removeprefix("<built-in method ").removeprefix("<method ").removesuffix(">")
    if path.startswith(str(ROOT)) and "site-packages" not in path:
        return str(Path(path).relative_to(ROOT))
    parts = Path(path).parts
    return parts[parts.index("site-packages") + 1] if "site-packages" in parts else f"python {Path(path).name}"


def in_bulk(server: EmbeddedServer, earns: int, *, two_levels: bool) -> Shares:
    """Batches of 1,000 posted by this thread."""
    dsn = migrated(server, f"shares_{two_levels}")
    made = [purchase(number) for number in range(1, earns + 1)]
    commands: list[Command] = [by_the_third(each) for each in made] if two_levels else list(made)
    with open_store(dsn) as store:
        _post(store, [*founding(), *(referring() if two_levels else ())])
        with cProfile.Profile(time.thread_time) as profile:
            _post(store, commands)
    return by_file(pstats.Stats(profile), earns)


def _post(store: Store, commands: Sequence[Command]) -> None:
    for first in range(0, len(commands), BATCH_COMMANDS_MAX):
        assert all(receipt(answer.outcome) for answer in store.post(commands[first : first + BATCH_COMMANDS_MAX]))


def over_http(server: EmbeddedServer, folder: Path, seconds: float) -> Shares:
    """Single events, 64 connections."""
    dsn, file, port = migrated(server, "shares_http"), folder / "profile", free_port()
    Till(server, dsn).poster.close()
    with psycopg.connect(dsn) as connection:
        token = keys.issue(connection, merchant_id=1, environment="test")
    environment = os.environ | {"TONGDUI_DATABASE_URL": dsn, "TONGDUI_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(file)], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready(process, port)
        done = loaded(server, Door(process, port, token), CASES[0], seconds, 0)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS_MAX)
    return by_file(pstats.Stats(str(file)), int(done["earnsPerSecond"] * seconds))


def show(name: str, shares: Shares) -> None:
    """One table."""
    table, whole = Table("file", "µs per earn, profiled", "share", title=name), sum(shares.values())
    for place, own in shares.items():
        table.add_row(place, f"{own:.1f}", f"{own / whole:.0%}")
    Console().print(table)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--earns", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load over HTTP")
    chosen = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as name, start(Path(name) / "postgres") as server:
        conditions = machine() | vars(chosen)
        found = {
            "earns in bulk": in_bulk(server, chosen.earns, two_levels=False),
            "with rewards on two levels": in_bulk(server, chosen.earns, two_levels=True),
            "over HTTP, the event loop": over_http(server, Path(name), chosen.seconds),
        }
    for title, shares in found.items():
        show(title, shares)
    print(f"kept in {keep('shares', {'conditions': conditions, 'microsecondsPerEarn': found})}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A log volume of its own that runs full under a store, as a program: it mounts, so it runs in a mount namespace.

    unshare --mount python -m tests.ledger.crash.full_disk FOLDER

The server's log (pg_wal) lies on a small tmpfs beside a ballast file. With the ballast grown over all free space the
store posts until the database gives up; then the ballast goes, the server starts again, and everything is posted once
more. Prints one JSON object: what was acknowledged before, whether it was replayed byte for byte, what verify says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from ledger import rebuild, verify
from ledger.postgres.embedded import EmbeddedServer, start
from ledger.store import open_store
from tests.conftest import migrate
from tests.ledger.crash.stream import commands, opening

VOLUME_MIB = 96
BATCH_COMMANDS = 200
BATCHES_MAX = 2_000
RECOVERY_SECONDS_MAX = 20
SETTINGS = {"max_wal_size": "64MB", "min_wal_size": "32MB", "wal_init_zero": "on"}


def own_volume(folder: Path) -> Path:
    """A server whose log lies on a small volume; answers the volume."""
    server = start(folder / "postgres", options=SETTINGS)
    migrate(server.ensure_database("full"))
    server.stop()
    volume = folder / "volume"
    volume.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MIB}m", "tmpfs", str(volume)], check=True)
    logs = folder / "postgres" / "data" / "pg_wal"
    owner = logs.stat()
    shutil.copytree(logs, volume / "pg_wal", symlinks=True)
    shutil.rmtree(logs)
    logs.symlink_to(volume / "pg_wal")
    for path in [volume, volume / "pg_wal", *(volume / "pg_wal").rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid)
    return volume


def fill(volume: Path) -> None:
    """Ballast over all that is free."""
    with (volume / "ballast").open("wb") as ballast:
        try:
            while True:
                ballast.write(b"\0" * 65_536)
                ballast.flush()
        except OSError:
            return


def until_it_gives_up(dsn: str, volume: Path) -> tuple[list[bytes], str]:
    """Answers of the batches that were acknowledged, and the words of the failure."""
    answered: list[bytes] = []
    with open_store(dsn) as store:
        store.post(opening())
        for batch in range(BATCHES_MAX):
            if batch == 3:
                fill(volume)
            try:
                answers = store.post(commands(1, batch * BATCH_COMMANDS, BATCH_COMMANDS))
            except psycopg.Error as error:
                return answered, f"{type(error).__name__}: {error}"
            answered += [answer.body for answer in answers]
    return answered, ""


def wait_for_recovery(server: EmbeddedServer) -> None:
    """The server starts itself anew after its panic, or has given that up before there was room."""
    for _ in range(RECOVERY_SECONDS_MAX):
        if server.is_ready() or not server.place.pid_file.exists():
            return
        time.sleep(1)


def main(folder: Path) -> int:
    volume = own_volume(folder)
    server = start(folder / "postgres", options=SETTINGS)
    answered, failure = until_it_gives_up(server.dsn("full"), volume)
    (volume / "ballast").unlink()
    wait_for_recovery(server)
    server.close()
    server = start(folder / "postgres", options=SETTINGS)
    with open_store(server.dsn("full")) as store:
        again = [
            answer
            for begin in range(0, len(answered) + BATCH_COMMANDS, BATCH_COMMANDS)
            for answer in store.post(commands(1, begin, BATCH_COMMANDS))
        ]
    with psycopg.connect(server.dsn("full"), autocommit=True) as conn:
        broken = [each.name for each in verify.check(conn) if not each.held] + rebuild.differences(conn)
    server.stop()
    told = {
        "acknowledged": len(answered),
        "failure": failure,
        "disk_was_full": "No space left on device" in server.place.log.read_text(errors="replace"),
        "same": [answer.body for answer in again[: len(answered)]] == answered,
        "replayed": all(answer.replayed for answer in again[: len(answered)]),
        "went_on": len(again) - len(answered),
        "broken": broken,
    }
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

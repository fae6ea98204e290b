"""Where a session's database server lies: in memory where the machine has plenty, because a thousand databases of six
hundred files each, made and dropped, cost a disk's file system more than the tests themselves.

Invariants: the folder is gone afterwards; what a killed session left behind, folder and server, ends with the next one.
Called by `tests/conftest.py`.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ledger.postgres.embedded import stop

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
FREE_BYTES_MIN = 2 * 1024**3
PREFIX = "tongdui-tests-"
SERVER = "postgres"


@contextmanager
def scratch(memory: Path, otherwise: Path) -> Iterator[Path]:
    """A new folder in `memory` where enough of it is free, else `otherwise`."""
    if not _roomy(memory):
        yield otherwise
        return
    folder, held = _made(memory)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _roomy(memory: Path) -> bool:
    if not os.access(memory, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(memory)
    return found.f_bavail * found.f_frsize >= FREE_BYTES_MIN


def _made(memory: Path) -> tuple[Path, int]:
    """A folder and the lock that says that it is in use; one session at a time makes one, or clears up."""
    door = os.open(memory, os.O_RDONLY)
    try:
        fcntl.flock(door, fcntl.LOCK_EX)
        for left in memory.glob(f"{PREFIX}*"):
            with suppress(OSError):  # in use, or another account's
                _cleared(left)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory))
        return folder, _lock(folder)
    finally:
        os.close(door)


def _cleared(left: Path) -> None:
    held = _lock(left)
    try:
        stop(left / SERVER)
        shutil.rmtree(left)
    finally:
        os.close(held)


def _lock(folder: Path) -> int:
    """Raises OSError where somebody holds it."""
    held = os.open(folder / "held", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held

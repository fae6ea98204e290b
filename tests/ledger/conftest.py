"""What the launcher's tests share: a folder for a server of their own, stopped afterwards, and who may collect what."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.postgres import programs as postgres_programs
from ledger.postgres.embedded import start
from tests.ledger.accounts import NOBODY

# Becoming another account takes root, a namespace takes a machine that allows it (most containers do not). Where that
# is not so these files are not collected, rather than passing for nothing.
ROOT_ONLY = "test_embedded_postgres_accounts.py"
NAMESPACES_ONLY = "test_embedded_postgres_namespaces.py"
MOUNTS_ONLY = "crash/test_full_disk.py"
root = os.geteuid() == 0
namespaces = root and postgres_programs.in_namespace(0, 0) is not None
mounts = root and not subprocess.call(
    ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
CONDITIONS = ((ROOT_ONLY, root), (NAMESPACES_ONLY, namespaces), (MOUNTS_ONLY, mounts))
collect_ignore = [name for name, wanted in CONDITIONS if not wanted]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that does not exist yet, with a space in its name; its server is stopped afterwards."""
    folder = tmp_path / "post gres"
    yield folder
    if (folder / "data").exists():
        start(folder, durable=False).stop()


def open_to_all(folder: Path) -> None:
    for parent in folder.parents[:4]:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/tmp"):  # noqa: S108 - only its mode is looked at
            parent.chmod(0o755)


@pytest.fixture
def foreign(folder: Path) -> Path:
    """A folder of another account."""
    folder.mkdir()
    open_to_all(folder)
    os.chown(folder, NOBODY, NOBODY)
    return folder

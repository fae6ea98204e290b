"""What the ledger's tests share: a folder for a server of their own, stopped afterwards."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.embedded_postgres import start

# Becoming another account takes root; as a normal user these tests do not exist rather than pass for nothing.
collect_ignore = [] if os.geteuid() == 0 else ["test_embedded_postgres_accounts.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that does not exist yet, with a space in its name; its server is stopped afterwards."""
    folder = tmp_path / "post gres"
    yield folder
    if (folder / "data").exists():
        start(folder, durable=False).stop()

"""The launcher where the machine allows namespaces: an account without a name, a disk that is really full.

Only root collects this file, and only there (see `conftest.py` beside it).
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from ledger.postgres.programs import DiskFull
from tests.conftest import ROOT
from tests.ledger.accounts import NAMELESS, as_account


def test_account_without_a_name_runs_its_own(foreign: Path) -> None:
    os.chown(foreign, NAMELESS, NAMELESS)
    code = "with start(folder, durable=False) as s: print(s.account.prefix[0], s.is_ready())"
    assert as_account(NAMELESS, foreign, code) == "unshare True"


def test_really_full_disk_is_named(tmp_path: Path) -> None:
    """A real file system of too few bytes, mounted in a namespace of its own."""
    script = textwrap.dedent(f"""
        from pathlib import Path
        from ledger.postgres.embedded import start
        try:
            start(Path({str(tmp_path)!r}, "pg"), durable=False)
        except Exception as error:
            print(type(error).__name__)
    """)
    mount = f"mount -t tmpfs -o size=8m tmpfs '{tmp_path}' && exec '{sys.executable}' -c \"$SCRIPT\""
    env = {**os.environ, "SCRIPT": script}
    command = ["unshare", "--mount", "sh", "-c", mount]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == DiskFull.__name__, done.stderr

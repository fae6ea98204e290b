"""The launcher run by other accounts: normal ones, nameless ones, root over a foreign folder, root in a container.

Only root can become somebody else, so only root collects this file (see `conftest.py` beside it).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import embedded_postgres, postgres_programs
from ledger.embedded_postgres import start
from ledger.postgres_programs import FolderNotOurs
from tests.conftest import ROOT, one

NOBODY = 65_534
NAMELESS = 54_321  # an account without an entry in the password file


def as_account(uid: int, folder: Path, code: str) -> str:
    """Run Python as another account, which reads the programs but owns nothing else; answers what it printed."""
    script = "from pathlib import Path\nfrom ledger.embedded_postgres import start\n"
    script += f"folder = Path({str(folder)!r})\n{code}"
    command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() + done.stderr.strip()[-300:]


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


def test_normal_account_runs_its_own(foreign: Path) -> None:
    code = "with start(folder, durable=False) as s: print(s.account.prefix, s.is_ready())"
    assert as_account(NOBODY, foreign, code) == "() True"


def test_account_without_a_name_runs_its_own(foreign: Path) -> None:
    os.chown(foreign, NAMELESS, NAMELESS)
    code = "with start(folder, durable=False) as s: print(s.account.prefix[0], s.is_ready())"
    assert as_account(NAMELESS, foreign, code) == "unshare True"


def test_root_becomes_the_owner_of_the_folder(foreign: Path) -> None:
    with start(foreign, durable=False) as server:
        assert server.account.prefix[0] == "setpriv"
        assert server.place.data.stat().st_uid == NOBODY
        assert one(server.dsn(), "SELECT 1") == 1
    assert as_account(NOBODY, foreign, "with start(folder, durable=False) as s: print(s.is_ready())") == "True"


def test_root_without_namespaces_becomes_nobody(folder: Path) -> None:
    """As in a container that forbids namespaces; the folder above is closed to everybody but root, as /root is."""
    folder.mkdir()
    folder.parent.chmod(0o700)
    programs = postgres_programs.find_programs()
    account = postgres_programs.dropped_to(NOBODY, NOBODY, folder, programs)
    assert account is not None
    place = embedded_postgres.Place(folder)
    embedded_postgres.own(place, account)
    embedded_postgres.initialise(place, programs, account, durable=False)
    with start(folder, durable=False) as server:
        assert server.account == account
        assert one(server.dsn(), "SELECT 1") == 1


def test_folder_of_another_account_is_refused(foreign: Path) -> None:
    code = "try: start(folder)\nexcept Exception as e: print(type(e).__name__)"
    assert as_account(NAMELESS, foreign, code) == FolderNotOurs.__name__

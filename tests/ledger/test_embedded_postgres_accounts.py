"""The launcher run by other accounts: normal ones, root over a foreign folder, root in a container.

Only root can become somebody else, so only root collects this file (see `conftest.py` beside it).
"""

from pathlib import Path

from ledger.postgres import embedded as embedded_postgres
from ledger.postgres import programs as postgres_programs
from ledger.postgres.embedded import start
from ledger.postgres.programs import FolderNotOurs
from tests.conftest import one
from tests.ledger.accounts import NAMELESS, NOBODY, as_account


def test_normal_account_runs_its_own(foreign: Path) -> None:
    code = "with start(folder, durable=False) as s: print(s.account.prefix, s.is_ready())"
    assert as_account(NOBODY, foreign, code) == "() True"


def test_root_becomes_the_owner_of_the_folder(foreign: Path) -> None:
    with start(foreign, durable=False) as server:
        assert server.account.prefix[0] == "setpriv"
        assert server.place.data.stat().st_uid == NOBODY
        assert one(server.dsn(), "SELECT 1") == 1
    assert as_account(NOBODY, foreign, "with start(folder, durable=False) as s: print(s.is_ready())") == "True"


def test_root_without_namespaces_becomes_nobody(folder: Path) -> None:
    """As in a container that forbids namespaces; data and programs lie in a folder only root may enter."""
    folder.mkdir()
    folder.parent.chmod(0o700)
    found = postgres_programs.find_programs()
    (folder.parent / "programs").symlink_to(found.folder)
    programs = postgres_programs.Programs(folder.parent / "programs", found.major)
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

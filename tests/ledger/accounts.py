"""Running the launcher as somebody else, for tests that only root can run.

Called by the tests of the launcher beside this file.
"""

import subprocess
import sys
from pathlib import Path

from ledger.postgres import programs
from tests.conftest import ROOT

NOBODY = 65_534
NAMELESS = 54_321  # an account without an entry in the password file


def as_account(uid: int, folder: Path, code: str) -> str:
    """Run Python as another account, which can read the programs wherever they lie; answers what it printed."""
    script = "from pathlib import Path\nfrom ledger.postgres.embedded import start\n"
    script += f"folder = Path({str(folder)!r})\n{code}"
    account = programs.dropped_to(uid, uid, ROOT, programs.find_programs())
    assert account is not None
    command = [*account.prefix, sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() + done.stderr.strip()[-300:]

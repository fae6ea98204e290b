"""Our own launcher for an embedded PostgreSQL: one folder is one server, shared by every process that names the folder.

    with start(Path("var/postgres")) as server:      # starts it, or joins the one that runs
        psycopg.connect(server.dsn("tongdui"))       # the last one out stops it

Invariants: no TCP, only a socket in a folder of mode 0700; what was committed survives kill -9 of the server and of its
users (`durable=False`, for tests alone, gives that up); liveness is what `pg_isready` says, because a pid file survives
its server. It lives in this room because the ledger is the lowest rank that knows a database at all; entry points,
tests and benchmarks call it, the ledger's own modules only ever receive an address. `ledger.postgres.programs` finds
the programs and the account to run them as.

Inside the folder: `data` (PostgreSQL's own), `socket`, `log`, `lock` (held while starting or stopping) and `users`
(shared by every process that uses the server, so that the kernel keeps the count and a killed process leaves it).
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from ledger.postgres.programs import (
    Account,
    DiskFull,
    EmbeddedPostgresError,
    FolderNotOurs,
    Programs,
    StartFailed,
    account_for,
    find_programs,
)

__all__ = ["EmbeddedPostgresError", "EmbeddedServer", "open_database", "running", "sqlalchemy_url", "start", "stop"]

SUPERUSER = "tongdui"
PORT = 5432  # names the socket file; nothing listens on TCP
SOCKET_PATH_BYTES_MAX = 107
START_SECONDS_MAX = 120
FAST_STOP_SECONDS_MAX = 30
STOP_SECONDS_MAX = 60
RETRY_SECONDS = 0.1
LOG_TAIL_BYTES = 4_000
PID_OF_NOBODY = 2**22 + 1  # above the kernel's PID_MAX_LIMIT

SAFE: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    # As durable as the defaults, which are for a machine of long ago: at full speed they force a checkpoint, and whole
    # pages into the log after it, every half minute.
    "shared_buffers": "256MB",
    "wal_buffers": "16MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
}
FAST_AND_FORGETFUL: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one server and the names inside it."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def users(self) -> Path:
        return self.folder / "users"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def socket(self) -> Path:
        """Beside the data; in a private temporary folder where that path is too long for the kernel."""
        beside = self.folder / "socket"
        if len(os.fsencode(beside / f".s.PGSQL.{PORT}.lock")) <= SOCKET_PATH_BYTES_MAX:
            return beside
        mark = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tongdui-{mark}"


@dataclass(slots=True)
class EmbeddedServer:
    """A running server and our share in it. Not to be handed to a forked child: open a new one there."""

    place: Place
    programs: Programs
    account: Account
    _share: int | None = field(default=None, repr=False)

    def dsn(self, database: str = "postgres") -> str:
        """The address as libpq and psycopg read it; `sqlalchemy_url` turns it into SQLAlchemy's."""
        return address(self.place, database)

    def is_ready(self) -> bool:
        return ready(self.place, self.programs)

    def ensure_database(self, name: str) -> str:
        """Create the database if it is not there; answers its address."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.dsn(name)

    def close(self) -> None:
        """Give up our share; the last one out stops the server. Twice is once."""
        share, self._share = self._share, None
        if share is None:
            return
        with locked(self.place):
            if alone(share):
                halt(self.place, self.programs, self.account)
            os.close(share)

    def stop(self) -> None:
        """Stop the server now, whoever else uses it: for `make reset`, and for tests."""
        with locked(self.place):
            halt(self.place, self.programs, self.account)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def start(folder: Path, *, durable: bool = True, options: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Start the server of `folder`, or join the one that already runs there (its options then stay as they are).

    folder   made where missing; may lie anywhere, be long, hold spaces
    durable  False turns fsync off: for tests alone
    options  PostgreSQL settings by name, added to ours
    Raises EmbeddedPostgresError, whose tree names what to do.
    """
    # Not resolve(): following links could make the path longer than a socket may be.
    place = Place(Path(os.path.abspath(folder)))  # noqa: PTH100
    with told(place.folder):
        place.folder.mkdir(parents=True, exist_ok=True)
        programs = find_programs(wanted_major=written_by(place))
        account = account_for(place.data if place.data.exists() else place.folder, programs)
        with locked(place):
            own(place, account)
            if written_by(place) is None:
                initialise(place, programs, account, durable=durable)
            if not ready(place, programs):
                settings = {**SAFE, **({} if durable else FAST_AND_FORGETFUL), **(options or {})}
                launch(place, programs, account, {**settings, "unix_socket_directories": str(place.socket)})
            return EmbeddedServer(place, programs, account, take_share(place))


def stop(folder: Path) -> None:
    """Stop the server of `folder`, whoever uses it, and without starting one: for `make reset`."""
    place = Place(Path(os.path.abspath(folder)))  # noqa: PTH100 - as in start
    if alive(place):
        programs = find_programs(wanted_major=written_by(place))
        with told(place.folder), locked(place):
            halt(place, programs, account_for(place.data, programs))


def address(place: Place, database: str) -> str:
    """The libpq address of a database of the server there, whether it runs or not."""
    where = urlencode({"host": str(place.socket), "port": PORT}, quote_via=quote)
    return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?{where}"


def running(folder: Path, *, name: str = "tongdui") -> str | None:
    """The address of a database of the server that runs in `folder`, None if none does: for whoever only looks, and
    neither starts a server nor keeps it.
    """
    place = Place(Path(os.path.abspath(folder)))  # noqa: PTH100 - as in start
    return address(place, name) if alive(place) else None


@contextlib.contextmanager
def open_database(url: str | None, folder: Path, *, name: str = "tongdui") -> Iterator[str]:
    """The database an entry point works on: the one `url` names, else the embedded one under `folder`.

    Yields a libpq address. An embedded server stops with its last user.
    """
    if url:
        yield url
        return
    with start(folder) as server:
        yield server.ensure_database(name)


def sqlalchemy_url(dsn: str) -> str:
    """The same address for SQLAlchemy over psycopg 3."""
    scheme, separator, rest = dsn.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError(f"not a PostgreSQL address: it begins with {scheme[:20]!r}, not postgresql://")
    return f"postgresql+psycopg://{rest}"


@contextlib.contextmanager
def told(folder: Path) -> Iterator[None]:
    """What the system refuses becomes an error of our tree."""
    try:
        yield
    except PermissionError as error:
        raise FolderNotOurs(f"account {os.geteuid()} may not write in {folder}: {error}") from error
    except OSError as error:
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StartFailed
        raise kind(f"cannot prepare {folder}: {error}") from error


@contextlib.contextmanager
def locked(place: Place) -> Iterator[None]:
    """One process at a time starts or stops the server of a folder."""
    with place.lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def take_share(place: Place) -> int:
    share = os.open(place.users, os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(share, fcntl.LOCK_SH)
    return share


def alone(share: int) -> bool:
    """Whether no other process holds a share. Only asked under `locked`, so the answer stays true while it matters."""
    try:
        fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def written_by(place: Place) -> int | None:
    """The major version that wrote the data, or None where there is none yet."""
    try:
        return int((place.data / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        return None


def own(place: Place, account: Account) -> None:
    """Give the server its folders: the socket's closed to everybody else, and proven ours if it lies among others'."""
    place.socket.mkdir(mode=0o700, exist_ok=True)
    found = place.socket.lstat()
    if place.socket.is_symlink() or found.st_uid not in (os.geteuid(), account.uid):
        raise FolderNotOurs(f"{place.socket} belongs to account {found.st_uid}: remove it, or set TMPDIR")
    place.socket.chmod(0o700)
    for path in (place.lock, place.users, place.log):
        path.touch(mode=0o600)
    for path in (place.socket, place.lock, place.users, place.log):
        if path.stat().st_uid != account.uid:
            os.chown(path, account.uid, account.gid)


def initialise(place: Place, programs: Programs, account: Account, *, durable: bool) -> None:
    """Run initdb into a folder beside, renamed when whole: a killed initdb leaves no half database behind."""
    fresh = place.folder / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    os.chown(fresh, account.uid, account.gid)
    flags = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--no-locale"]
    flags += [] if durable else ["--no-sync"]
    run([*account.prefix, programs.path("initdb"), "-D", str(fresh), *flags], place)
    fresh.rename(place.data)


def launch(place: Place, programs: Programs, account: Account, settings: Mapping[str, str]) -> None:
    """pg_ctl start, again while a killed server's children still hold its memory, until the deadline."""
    words = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
    command = [*account.prefix, programs.path("pg_ctl"), "start", "-w", "-D", str(place.data), "-l", str(place.log)]
    command += ["-t", str(START_SECONDS_MAX), "-o", f"-p {PORT} {words}"]
    until = time.monotonic() + START_SECONDS_MAX
    while not ready(place, programs):
        since = place.log.stat().st_size
        if not alive(place):
            forget_dead(place)
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, cwd="/")
        tail = log_since(place, since)
        if time.monotonic() > until or not (alive(place) or "shared memory block" in tail):
            raise failure(place, tail)
        time.sleep(RETRY_SECONDS)


def recorded_pid(place: Place) -> int | None:
    try:
        return int(place.pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def alive(place: Place) -> bool:
    """Whether the recorded process is this server, perhaps still starting or recovering.

    A postmaster's working folder is its data folder: a process that stands elsewhere, that has ended, or that we may
    not look at, is not it.
    """
    try:
        return (Path("/proc") / str(recorded_pid(place)) / "cwd").samefile(place.data)
    except OSError:
        return False


def forget_dead(place: Place) -> None:
    """Overwrite a dead server's number in its pid file by one no process can have, and drop its socket's lock file.

    The number may belong to a stranger by now (a container that was started again), or to a process whose end nobody
    has collected, and PostgreSQL would refuse to start. The rest of the pid file stays: by it PostgreSQL still finds
    out whether children of the dead server hold its memory.
    """
    (place.socket / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
    if (pid := recorded_pid(place)) is not None:
        place.pid_file.write_text(place.pid_file.read_text().replace(str(pid), str(PID_OF_NOBODY), 1))


def ready(place: Place, programs: Programs) -> bool:
    """Whether the server answers: `pg_isready`, since a pid file outlives a killed server."""
    command = [programs.path("pg_isready"), "-q", "-t", "5"]
    command += ["-h", str(place.socket), "-p", str(PORT), "-U", SUPERUSER]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0


def halt(place: Place, programs: Programs, account: Account) -> None:
    """A fast shutdown: running statements are rolled back, nothing committed is lost. No server is no error.

    A server in the middle of its recovery was seen not to follow. Why is not known for sure (its start-up process looks
    for the request only between the records that it replays); told to stop at once it loses nothing committed either,
    and recovers when it is started again.
    """
    if not alive(place):
        return
    command = [*account.prefix, programs.path("pg_ctl"), "stop", "-w", "-D", str(place.data)]
    try:
        run([*command, "-m", "fast", "-t", str(FAST_STOP_SECONDS_MAX)], place)
    except StartFailed:
        run([*command, "-m", "immediate", "-t", str(STOP_SECONDS_MAX)], place)
    with contextlib.suppress(OSError):  # only an empty folder goes, and only where nobody would look for it later
        place.socket.rmdir()


def run(command: list[str], place: Place) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise failure(place, done.stdout + done.stderr)


def failure(place: Place, words: str) -> EmbeddedPostgresError:
    if "No space left on device" in words or "Disk quota exceeded" in words:
        return DiskFull(f"no space left for the database in {place.folder}: free some, nothing committed is lost")
    return StartFailed(f"PostgreSQL in {place.folder} did not do as asked; it says:\n{words[-LOG_TAIL_BYTES:].strip()}")


def log_since(place: Place, position: int) -> str:
    with place.log.open("rb") as handle:
        handle.seek(max(position, place.log.stat().st_size - LOG_TAIL_BYTES))
        return handle.read().decode("utf-8", "replace")

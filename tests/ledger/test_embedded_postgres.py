"""The launcher against real servers: joined, left, killed, and refused with a reason."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ledger.postgres import embedded as embedded_postgres
from ledger.postgres import programs as postgres_programs
from ledger.postgres.embedded import EmbeddedServer, open_database, sqlalchemy_url, start
from ledger.postgres.programs import BinariesMissing, DiskFull, FolderNotOurs, StartFailed, WrongVersion
from tests.conftest import ROOT, one


def pid_of(server: EmbeddedServer) -> int:
    pid = embedded_postgres.recorded_pid(server.place)
    assert pid is not None
    return pid


def test_starts_durable_without_tcp_and_stops(folder: Path) -> None:
    with start(folder) as server:
        assert one(server.dsn(), "SELECT current_setting('fsync') || current_setting('listen_addresses')") == "on"
        assert server.place.socket.stat().st_mode & 0o777 == 0o700
    assert not server.is_ready()


def test_last_one_out_stops_the_server(folder: Path) -> None:
    first, second = start(folder, durable=False), start(folder, durable=False)
    pid = pid_of(first)
    first.close()
    assert second.is_ready()
    assert pid_of(second) == pid
    second.close()
    second.close()
    assert not second.is_ready()


def test_killed_server_comes_back_with_what_was_committed(folder: Path) -> None:
    with start(folder) as server:
        with psycopg.connect(server.ensure_database("kept")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        with psycopg.connect(server.dsn("kept")):  # a child of the killed server still holds its memory
            os.kill(pid_of(server), signal.SIGKILL)
            with start(folder) as again:
                assert one(again.dsn("kept"), "SELECT n FROM kept") == 42


def test_killed_user_leaves_a_server_the_next_one_joins(folder: Path) -> None:
    script = f"""if True:
        import os, signal
        from pathlib import Path
        from ledger.postgres.embedded import start
        server = start(Path({str(folder)!r}), durable=False)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    with start(folder, durable=False) as server:
        assert one(server.dsn(), "SELECT 1") == 1
    assert not server.is_ready()


def test_pid_file_whose_number_is_now_a_stranger_is_no_obstacle(folder: Path) -> None:
    with start(folder, durable=False) as server:
        os.kill(pid_of(server), signal.SIGKILL)
        words = server.place.pid_file.read_text().split("\n", 1)[1]
        server.place.pid_file.write_text(f"{os.getpid()}\n{words}")
        with start(folder, durable=False) as again:
            assert pid_of(again) != os.getpid()
            assert again.is_ready()


def test_long_path_puts_the_socket_in_a_private_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / "pg"
    server = start(deep, durable=False)
    try:
        assert server.place.socket.parent != deep
        assert server.place.socket.stat().st_mode & 0o777 == 0o700
        assert one(server.dsn(), "SELECT 1") == 1
    finally:
        server.stop()
    assert not server.place.socket.exists()
    assert not server.is_ready()


def test_socket_folder_made_by_somebody_else_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / "pg"
    deep.mkdir(parents=True)
    place = embedded_postgres.Place(deep)
    place.socket.symlink_to(tmp_path)
    try:
        with pytest.raises(FolderNotOurs, match="remove it"):
            start(deep, durable=False)
    finally:
        place.socket.unlink()


def test_half_made_database_is_made_again(folder: Path) -> None:
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("18\n")
    with start(folder, durable=False) as server:
        assert one(server.dsn(), "SELECT 1") == 1


def test_full_disk_is_named(folder: Path, tmp_path: Path) -> None:
    """An initdb that says what the real one says on a full disk, so that this runs where nothing can be mounted."""
    (tmp_path / "initdb").write_text("#!/bin/sh\necho 'could not write to file: No space left on device' >&2\nexit 1\n")
    (tmp_path / "initdb").chmod(0o755)
    folder.mkdir()
    place = embedded_postgres.Place(folder)
    account = postgres_programs.Account((), os.geteuid(), os.getegid())
    with pytest.raises(DiskFull, match="free some"):
        embedded_postgres.initialise(place, postgres_programs.Programs(tmp_path, 18), account, durable=False)
    assert not place.data.exists()


def test_database_is_created_once(folder: Path) -> None:
    with open_database(None, folder, name="alliance") as dsn:
        assert one(dsn, "SELECT current_database()") == "alliance"
        with open_database(None, folder, name="alliance") as again:
            assert again == dsn


def test_named_address_wins(folder: Path) -> None:
    with open_database("postgresql://db.example/x", folder) as dsn:
        assert dsn == "postgresql://db.example/x"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("postgresql:///a?host=/s", "postgresql+psycopg:///a?host=/s"),
        ("postgres://u@h/a", "postgresql+psycopg://u@h/a"),
        ("postgresql+psycopg://u@h/a", "postgresql+psycopg://u@h/a"),
    ],
)
def test_sqlalchemy_address(dsn: str, url: str) -> None:
    assert sqlalchemy_url(dsn) == url


@pytest.mark.parametrize("dsn", ["mysql://h/a", "", "host=/s dbname=a"])
def test_other_addresses_are_refused(dsn: str) -> None:
    with pytest.raises(ValueError, match="not a PostgreSQL address"):
        sqlalchemy_url(dsn)


def test_without_any_postgresql_the_apt_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(BinariesMissing, match=r"apt-get install .* postgresql"):
        postgres_programs.find_programs(folders=(tmp_path,))


def test_data_of_another_major_version_is_refused() -> None:
    with pytest.raises(WrongVersion, match=r"written by PostgreSQL 9; here are only \[.*18"):
        postgres_programs.find_programs(wanted_major=9)


def test_the_newest_of_the_wheel_comes_first() -> None:
    majors = [postgres_programs.major_of(folder) for folder in postgres_programs.wheel_folders()]
    assert majors[0] == postgres_programs.find_programs().major == max(filter(None, majors))


def test_what_the_server_says_is_told(folder: Path) -> None:
    with pytest.raises(StartFailed, match="no_such_setting"):
        start(folder, durable=False, options={"no_such_setting": "1"})

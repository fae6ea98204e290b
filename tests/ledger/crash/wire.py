"""A wire between a store and its server that can be cut in commit: before the server hears of it, or after it has
answered and before the store hears that. What is outside is replaced by an object that speaks its protocol: bytes.

    with Wire(dsn, tmp_path, cut="after") as wire: Store(wire.dsn)

A transaction of the store ends, and commits, with the protocol's Sync message. Only the first one after `arm()` is cut;
later connections pass untouched.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Literal, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

PORT = 5432
BYTES_PER_READ = 65_536
SYNC = b"S\0\0\0\x04"


class Wire:
    """Passes bytes both ways between a socket of its own in `folder` and the server of `dsn`."""

    def __init__(self, dsn: str, folder: Path, *, cut: Literal["before", "after"]) -> None:
        told = conninfo_to_dict(dsn)
        self._server = f"{told['host']}/.s.PGSQL.{PORT}"
        self.dsn = make_conninfo(dsn, host=str(folder))
        self.cut = cut
        self.cuts = 0
        self._armed = False
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / f".s.PGSQL.{PORT}"))
        self._listening.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)

    def arm(self) -> None:
        """Cut the next commit."""
        self._armed = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._server)
                ends = threading.Event()
                for source, target, is_asking in ((near, far, True), (far, near, False)):
                    thread = threading.Thread(
                        target=self._pass, args=(source, target, ends), kwargs={"is_asking": is_asking}, daemon=True
                    )
                    self._threads.append(thread)
                    thread.start()

    def _pass(
        self, source: socket.socket, target: socket.socket, answered: threading.Event, *, is_asking: bool
    ) -> None:
        """One direction, until either side closes. `answered` says that the next bytes of the server are to be lost."""
        with source, contextlib.suppress(OSError):
            while data := source.recv(BYTES_PER_READ):
                if is_asking and self._armed and data.endswith(SYNC):
                    self._armed = False
                    self.cuts += 1
                    if self.cut == "before":
                        break
                    answered.set()
                if not is_asking and answered.is_set():
                    break  # the server has answered: it is done, and the store will never hear of it
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

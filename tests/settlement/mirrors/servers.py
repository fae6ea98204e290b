"""The outside for tests of mirrors: a real S3-compatible server in a process of its own, and a small HTTP server that
can be told to fail or to lie.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.loopback import Quiet, free_port, listening

TOKEN = "a-token-that-nobody-may-see"
STOP_SECONDS_MAX = 60
START_SECONDS_MAX = 60
TRICKLE_SECONDS = 0.02


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """The endpoint of a fresh server; every request has to be signed with a key that it knows, once there is one."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "unused", "AWS_SECRET_ACCESS_KEY": "unused"}
    with (folder / "s3.log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=log,
            env=environment,
        )
        try:
            _wait(endpoint, process)
            yield endpoint
        finally:
            process.terminate()
            process.wait(STOP_SECONDS_MAX)


def _wait(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(START_SECONDS_MAX * 10):
        assert process.poll() is None, "the S3 server ended by itself"
        try:
            httpx2.get(f"{endpoint}/moto-api/", trust_env=False, timeout=2)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the S3 server does not answer")


@dataclass
class Shelf:
    """What the HTTP server keeps, and how it behaves: `forgets` takes writes and loses them, `spoils` hands out other
    bytes than it was given, `trickles` a byte at a time, `down` fails with 503, `guarded` wants the token.
    """

    kept: dict[str, bytes] = field(default_factory=dict)
    forgets: bool = False
    spoils: bool = False
    trickles: bool = False
    down: bool = False
    guarded: bool = False
    puts: int = 0
    address: str = ""


@contextmanager
def web_server() -> Iterator[Shelf]:
    """A server of one shelf on loopback."""
    shelf = Shelf()

    class Handler(_Handler):
        state = shelf

    with listening(Handler) as url:
        shelf.address = f"{url}/alliance"
        yield shelf


class _Handler(Quiet):
    state: Shelf
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self._refused():
            return
        data = self.state.kept.get(self.path)
        if data is None:
            self._answer(404)
        else:
            self._answer(200, data[:-1] + b"\x00" if self.state.spoils else data)

    def do_PUT(self) -> None:
        data = self.asked()
        if self._refused():
            return
        self.state.puts += 1
        if not self.state.forgets:
            self.state.kept[self.path] = data
        self._answer(201)

    def do_DELETE(self) -> None:
        if not self._refused():
            self._answer(204 if self.state.kept.pop(self.path, None) is not None else 404)

    def _refused(self) -> bool:
        if self.state.down:
            self._answer(503, b"secret backend words")
        elif self.state.guarded and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401)
        else:
            return False
        return True

    def _answer(self, status: int, body: bytes = b"") -> None:
        if not self.state.trickles:
            self.answer(body, status)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # until the other side has enough of it
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(TRICKLE_SECONDS)

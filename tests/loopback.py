"""Servers on loopback for tests: what stands in for the outside, ended with its block.

Called by tests of whoever asks a node, a signer or a mirror, or is asked by a browser.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import SystemRandom
from socketserver import BaseRequestHandler
from threading import Thread

POLL_SECONDS = 0.05
UNASKED_PORTS = range(20_000, 32_000)
"""Systems give no port of these to who asks for none: a connection that is opened meanwhile takes none of them."""
PORT_TRIES_MAX = 100
NO_HEADERS: Mapping[str, str] = {}


class Quiet(BaseHTTPRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def asked(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, body: bytes = b"", status: int = 200, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """All of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def listening(handler: Callable[..., BaseRequestHandler]) -> Iterator[str]:
    """The address of a server whose requests this handler takes, each in a thread."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """A port of loopback that nobody listens on, for a program that has to be told one, and begins to listen later.

    Drawn by the system's chance: the tests' own is the same in every worker.
    """
    for _ in range(PORT_TRIES_MAX):
        port = SystemRandom().choice(UNASKED_PORTS)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")

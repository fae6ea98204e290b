"""JSON posted over HTTP to a node or signer, within a time and a size, whatever trickles in.

Invariants: when the time is over the connection is cut, in the middle of a header too; redirections are not followed
and the environment's proxies not used, so a token goes to no other host. A connection that the other side closed
between two requests is opened anew, once: so what is posted may arrive twice, and has to bear that. Called by the
chain's client, and by those who ask signers elsewhere.
"""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Timer
from typing import Any
from urllib.parse import unquote, urlsplit

NOT_POSTED = (OSError, HTTPException, ValueError)
"""What is raised where no answer came."""
OK = 200


class Line:
    """A connection to one address, kept open between requests; for one thread. A name and password in the address are
    given as they are meant.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self._open: HTTPConnection | None = None
        self._place = place = urlsplit(url)
        self._path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        elif place.username is not None:
            named = f"{unquote(place.username)}:{unquote(place.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(named.encode()).decode()}"

    def __del__(self) -> None:
        """Clients of a node are made and dropped everywhere; whoever drops one is done with its connection."""
        self.close()

    def post(self, body: bytes, *, seconds_max: float, bytes_max: int) -> bytes:
        """The answer's bytes. Raises `NOT_POSTED`."""
        if self._open is not None:
            with suppress(ConnectionError):  # closed since the last time
                return self._posted(self._open, body, seconds_max, bytes_max)
        return self._posted(self._connected(seconds_max), body, seconds_max, bytes_max)

    def close(self) -> None:
        """Let go of the connection; the next request opens one."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _connected(self, seconds_max: float) -> HTTPConnection:
        kinds = {"http": HTTPConnection, "https": HTTPSConnection}
        if self._place.scheme not in kinds or not self._place.hostname:
            raise ValueError("not an http(s) address")
        self._open = kinds[self._place.scheme](self._place.hostname, self._place.port, timeout=seconds_max)
        return self._open

    def _posted(self, connection: HTTPConnection, body: bytes, seconds_max: float, bytes_max: int) -> bytes:
        whole = False
        try:
            if connection.sock is None:
                connection.connect()
            watch = Timer(seconds_max, _cut, [connection.sock])
            watch.daemon = True
            watch.start()
            try:
                connection.request("POST", self._path, body, self._headers)
                answer = connection.getresponse()
                taken = answer.read(bytes_max + 1)
            finally:
                watch.cancel()
            whole = _is_whole(answer, taken, bytes_max)
        finally:
            if not whole:  # what comes next on this connection would be taken for another answer
                self.close()
        return taken


def _is_whole(answer: HTTPResponse, taken: bytes, bytes_max: int) -> bool:
    """Whether the connection is good for another request. Raises ValueError for what is no answer."""
    if answer.status != OK:
        raise ValueError(f"answered {answer.status}")
    if len(taken) > bytes_max:
        raise ValueError("longer than an answer may be")
    return answer.isclosed()


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def posted(url: str, body: Any, *, seconds_max: float, bytes_max: int, token: str | None = None) -> bytes:
    """One request on a connection of its own. Raises `NOT_POSTED`."""
    with closing(Line(url, token=token)) as line:
        return line.post(json.dumps(body).encode(), seconds_max=seconds_max, bytes_max=bytes_max)

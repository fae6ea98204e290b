"""One JSON request over HTTP to a service of the operator's own, within a time and a size, whatever trickles in.

Invariants: when the time is over the connection is cut, in the middle of a header too; redirections are not followed
and the environment's proxies not used, so a token goes to no other host; nothing stays open between two requests.
Called by those who ask signers elsewhere.
"""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["NOT_POSTED", "posted"]

NOT_POSTED = (OSError, HTTPException, ValueError)
"""What `posted` raises where no answer came."""


def posted(url: str, body: Any, *, seconds_max: float, bytes_max: int, token: str | None = None) -> bytes:
    """The answer's bytes. A name and password in the address are given as they are meant. Raises `NOT_POSTED`."""
    place = urlsplit(url)
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    connection = kind(place.hostname or "", place.port, timeout=seconds_max)
    headers = {"Content-Type": "application/json", "Connection": "close"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    elif place.username is not None:
        named = f"{unquote(place.username)}:{unquote(place.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(named.encode()).decode()}"
    path = (place.path or "/") + (f"?{place.query}" if place.query else "")
    try:
        connection.connect()
        watch = Timer(seconds_max, _cut, [connection.sock])
        watch.start()
        try:
            connection.request("POST", path, json.dumps(body).encode(), headers)
            taken = connection.getresponse().read(bytes_max + 1)
        finally:
            watch.cancel()
    finally:
        connection.close()
    if len(taken) > bytes_max:
        raise ValueError("longer than an answer may be")
    return taken


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)

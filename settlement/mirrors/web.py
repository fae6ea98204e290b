"""A mirror behind HTTP that takes PUT, GET and DELETE under one address: a WebDAV share, nginx with dav, a gateway.

Invariants: time and answers are bounded; redirections are not followed, so the token goes to no other host; the
environment's proxies are not used. Made by settings and tests.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx2

from settlement.mirrors import MirrorDown

TIMEOUT_SECONDS: Final = 60.0
"""Between two pieces of an answer."""
CONNECT_SECONDS: Final = 10.0
READ_SECONDS_MAX: Final = 300.0
"""For a whole file, however its mirror lets it trickle: who publishes waits for it."""
_GONE: Final = frozenset({httpx2.codes.NOT_FOUND, httpx2.codes.GONE})


class WebMirror:
    """Whatever answers at `address`; with a token each request carries it as a bearer. Nothing stays open between two
    requests.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        read_seconds_max: float = READ_SECONDS_MAX,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("a mirror's address is http(s)://host/path, without a name, password or query in it")
        self._address = address.rstrip("/")
        self._place = parts.netloc
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = httpx2.Timeout(timeout_seconds, connect=min(timeout_seconds, CONNECT_SECONDS))
        self._read_seconds_max = read_seconds_max
        self._tls = ssl.create_default_context()

    @property
    def name(self) -> str:
        return self._address

    @property
    def place(self) -> str:
        return self._place

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        taken, until = bytearray(), time.monotonic() + self._read_seconds_max
        with self._asking("GET", path) as answer:
            if answer.status_code in _GONE:
                return None
            self._require(answer, "GET")
            for piece in answer.iter_bytes():
                taken += piece
                if len(taken) > bytes_max:
                    break
                if time.monotonic() > until:
                    raise MirrorDown(self.name, f"takes more than {self._read_seconds_max:.0f} s for a file")
        return bytes(taken[: bytes_max + 1])

    def write(self, path: str, data: bytes) -> None:
        with self._asking("PUT", path, data) as answer:
            self._require(answer, "PUT")

    def erase(self, path: str) -> None:
        with self._asking("DELETE", path) as answer:
            if answer.status_code not in _GONE:
                self._require(answer, "DELETE")

    @contextmanager
    def _asking(self, method: str, path: str, data: bytes | None = None) -> Iterator[httpx2.Response]:
        client = httpx2.Client(headers=self._headers, timeout=self._timeout, trust_env=False, verify=self._tls)
        try:
            with client, client.stream(method, f"{self._address}/{path}", content=data) as answer:
                yield answer
        except httpx2.HTTPError as error:
            raise MirrorDown(self.name, type(error).__name__) from None

    def _require(self, answer: httpx2.Response, method: str) -> None:
        """The answer's own words are not repeated: they may hold anything."""
        if not answer.is_success:
            raise MirrorDown(self.name, f"{method} answered {answer.status_code}")

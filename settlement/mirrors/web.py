"""A mirror behind HTTP that takes PUT, GET and DELETE under one address: a WebDAV share, nginx with dav, a gateway.

Invariants: time and answers are bounded, whatever trickles; redirections are not followed, so the token goes to no
other host; the environment's proxies are not used. Made by settings and tests.
"""

from __future__ import annotations

from contextlib import closing
from http import HTTPStatus
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from settlement.mirrors import MirrorDown
from settlement.posting import NOT_POSTED, Line, why
from settlement.wire import Answer, system_tls

TIMEOUT_SECONDS: Final = 60.0
"""Between two pieces of what is sent or answered."""
CONNECT_SECONDS: Final = 10.0
FILE_SECONDS_MAX: Final = 300.0
"""For a whole file, there or back, however its mirror lets it trickle: who publishes waits for it."""
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


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
        file_seconds_max: float = FILE_SECONDS_MAX,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError("a mirror's address is http(s)://host/path, without a name, password or query in it")
        self._address, self._place, self._token = address.rstrip("/"), parts.netloc, token
        self._waits_s = {
            "connect": min(timeout_seconds, CONNECT_SECONDS),
            "read": timeout_seconds,
            "write": timeout_seconds,
        }
        self._file_seconds_max = file_seconds_max
        self._tls = system_tls()

    @property
    def name(self) -> str:
        return self._address

    @property
    def place(self) -> str:
        return self._place

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        answer = self._asked("GET", path, bytes_max=bytes_max)
        if answer.status in _GONE:
            return None
        self._require(answer, "GET")
        return answer.body

    def write(self, path: str, data: bytes) -> None:
        self._require(self._asked("PUT", path, data), "PUT")

    def erase(self, path: str) -> None:
        answer = self._asked("DELETE", path)
        if answer.status not in _GONE:
            self._require(answer, "DELETE")

    def _asked(self, method: str, path: str, data: bytes | None = None, *, bytes_max: int = 0) -> Answer:
        began = monotonic()
        line = Line(f"{self._address}/{path}", token=self._token, tls=self._tls, waits_s=self._waits_s)
        try:
            with closing(line):
                return line.ask(method, data, seconds_max=self._file_seconds_max, bytes_max=bytes_max)
        except NOT_POSTED as error:
            over = monotonic() - began >= self._file_seconds_max
            told = f"takes more than {self._file_seconds_max:.0f} s for a file" if over else why(error)
            raise MirrorDown(self.name, told) from None

    def _require(self, answer: Answer, method: str) -> None:
        """The answer's own words are not repeated: they may hold anything."""
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise MirrorDown(self.name, f"{method} answered {answer.status}")

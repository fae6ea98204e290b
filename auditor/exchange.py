"""One request over HTTP and its answer, within one time for all of it: connecting, TLS, the header and the body.

Invariants: whoever answers byte by byte, in whichever part, is cut off at that time (`OutOfTime`), and whoever says
nothing at all for a while before it (`TookTooLong`); an answer is of a bounded length; nothing is unpacked, and what
came packed all the same is no answer; no redirect is followed and no proxy of the environment is used, so what stands
in an address goes to no other host. Looking up a name takes as long as the system's resolver does. Called by `rpc` and
`mirrors`. Source: docs/decisions/0252.
"""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpcore2
import httpx2

OK = 200
IDENTITY = b"identity"
_HEADERS = [(b"Accept", b"*/*"), (b"Accept-Encoding", IDENTITY), (b"User-Agent", b"tongdui-auditor")]
_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
    httpx2.InvalidURL,
)


class NoAnswer(Exception):
    """Nobody there, nothing said for too long, not HTTP, or no address; the message says which, without the address."""


class TookTooLong(NoAnswer):
    """Nothing was said for as long as anybody waits."""


class OutOfTime(TookTooLong):
    """The time for the whole exchange is over: asking again would only take it again."""


class Answer(NamedTuple):
    """HTTP's status and the body, at most one byte more than was allowed."""

    status: int
    body: bytes


class Caller:
    """Requests to addresses, one after the other, over connections that are kept; for one thread."""

    def __init__(self, *, silence_seconds_max: float) -> None:
        self._clock = _Clock()
        self._waits = dict.fromkeys(("connect", "read", "write", "pool"), silence_seconds_max)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(), network_backend=_Network(self._clock)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._pool.close()

    def get(self, url: str, *, until_s: float, bytes_max: int) -> Answer:
        """What lies there. `until_s` is of the monotonic clock. Raises `NoAnswer`, `OutOfTime`."""
        return self._exchange("GET", url, None, until_s, bytes_max)

    def post(self, url: str, body: bytes, *, until_s: float, bytes_max: int) -> Answer:
        """What is answered to this JSON. As `get`."""
        return self._exchange("POST", url, body, until_s, bytes_max)

    def _exchange(self, method: str, url: str, body: bytes | None, until_s: float, bytes_max: int) -> Answer:
        self._clock.until_s = until_s
        try:
            at = httpx2.URL(url)
            target = httpcore2.URL(scheme=at.raw_scheme, host=at.raw_host, port=at.port, target=at.raw_path)
            headers = [
                *_HEADERS,
                *_credentials(at),
                *([] if body is None else [(b"Content-Type", b"application/json")]),
            ]
            waits = {"timeout": self._waits}
            with self._pool.stream(method, target, headers=headers, content=body, extensions=waits) as response:
                _require_unpacked(response)
                taken = bytearray()
                for piece in response.iter_stream():
                    taken += piece
                    if len(taken) > bytes_max:
                        break
                return Answer(response.status, bytes(taken[: bytes_max + 1]))
        except httpcore2.TimeoutException as error:
            over = time.monotonic() >= until_s
            raise (OutOfTime if over else TookTooLong)("no answer in time") from error
        except _FAILURES as error:
            raise NoAnswer(str(error) or type(error).__name__) from error


def _require_unpacked(response: httpcore2.Response) -> None:
    """What is packed all the same is no answer to what was asked. Raises `NoAnswer`."""
    packed = [
        told for name, told in response.headers if name.lower() == b"content-encoding" and told.lower() != IDENTITY
    ]
    if packed:
        raise NoAnswer("an answer that is packed, which nobody asked for")


def _credentials(at: httpx2.URL) -> list[tuple[bytes, bytes]]:
    if not at.userinfo:
        return []
    named = f"{at.username}:{at.password}".encode()
    return [(b"Authorization", b"Basic " + b64encode(named))]


class _Clock:
    """When the exchange that is under way ends, of the monotonic clock."""

    until_s = 0.0

    def left_s(self, most_s: float | None) -> float:
        """How long the next step may wait. Raises what a step raises whose time is over."""
        left = self.until_s - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout
        return left if most_s is None else min(left, most_s)


class _Network(httpcore2.NetworkBackend):
    """Connections of which no step waits beyond the exchange's end."""

    def __init__(self, clock: _Clock) -> None:
        self._clock, self._plain = clock, httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """To the first address that answers. Whoever names hundreds that do not has no more time by it."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        failed: Exception = httpcore2.ConnectError("nobody knows its name")
        for tried, (_, _, _, _, address) in enumerate(found):
            share_s = self._clock.left_s(timeout) / (len(found) - tried)
            try:
                plain = self._plain.connect_tcp(str(address[0]), port, share_s, local_address, socket_options)
                return _Stream(plain, self._clock)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed


class _Stream(httpcore2.NetworkStream):
    """A connection of which no step waits beyond the exchange's end. A TLS handshake is one step, as is a record."""

    def __init__(self, plain: httpcore2.NetworkStream, clock: _Clock) -> None:
        self._plain, self._clock = plain, clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, self._clock.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._plain.write(buffer, self._clock.left_s(timeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self._plain.start_tls(ssl_context, server_hostname, self._clock.left_s(timeout))
        return _Stream(secured, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)

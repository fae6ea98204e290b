"""One HTTP connection of which no step lasts beyond the end of an exchange: dialling, TLS, each read and each write.

Invariants: httpcore2 speaks HTTP, over a socket of ours that waits no longer than is left of the exchange, and no
longer than one step may take; each address of a name has its part of the time for dialling, so that one whose packets
vanish does not keep us from the next. Looking up a name alone takes as long as the system's resolver does. A connection
is kept only where an answer was taken to its end: what comes next would be taken for another one. Called by `posting`.
Source: docs/decisions/0254.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from time import monotonic
from typing import NamedTuple

import httpcore2


class BrokenOff(OSError):
    """An answer that ends before its end, or is none of HTTP. Who gave it may have heard the question."""


class Answer(NamedTuple):
    """HTTP's status and the body's bytes."""

    status: int
    body: bytes


class Connection:
    """To one origin, for one exchange after another, in one thread."""

    def __init__(self, origin: httpcore2.Origin, connected: socket.socket) -> None:
        self._steps = _Steps(connected)
        self._http = httpcore2.HTTP11Connection(origin, self._steps)

    @property
    def is_kept(self) -> bool:
        """Whether another exchange can be tried over it; the other side may have closed it meanwhile."""
        return self._http.is_idle()

    def close(self) -> None:
        self._http.close()

    def answered(self, request: httpcore2.Request, until_s: float, bytes_max: int) -> Answer:
        """Of the body at most one byte more than is allowed. `until_s` is of the monotonic clock. Raises OSError,
        `httpcore2.LocalProtocolError` for what cannot be sent.
        """
        self._steps.begin(until_s)
        taken = bytearray()
        try:
            with closing(self._http.handle_request(request)) as answer:
                if not self._steps.heard:
                    raise BrokenOff  # it was there before it was asked for
                for piece in answer.iter_stream():
                    taken += piece
                    if len(taken) > bytes_max:
                        break
        except httpcore2.RemoteProtocolError:
            raise BrokenOff from None
        return Answer(answer.status, bytes(taken[: bytes_max + 1]))


class _Steps(httpcore2.NetworkStream):
    """What httpcore2 reads from and writes to. A record of TLS is one step."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._until_s, self.heard = 0.0, False

    def begin(self, until_s: float) -> None:
        self._until_s, self.heard = until_s, False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises ConnectionResetError too where the other side closed before it answered at all."""
        self._socket.settimeout(_left_s(self._until_s, timeout))
        piece = self._socket.recv(max_bytes)
        if not piece and not self.heard:
            raise ConnectionResetError
        self.heard = True
        return piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            self._socket.settimeout(_left_s(self._until_s, timeout))
            rest = rest[self._socket.send(rest) :]

    def close(self) -> None:
        self._socket.close()


def system_tls() -> ssl.SSLContext:
    """The system's certificates, or those that SSL_CERT_FILE names."""
    tls = ssl.create_default_context()
    tls.set_alpn_protocols(["http/1.1"])
    return tls


def dialled(host: str, port: int, tls: ssl.SSLContext | None, until_s: float) -> socket.socket:
    """Connected to the first address that answers. Raises OSError."""
    connected = _connected(host, port, until_s)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(_left_s(until_s))  # which a whole handshake has, unlike an answer
        return tls.wrap_socket(connected, server_hostname=host) if tls else connected
    except BaseException:
        connected.close()
        raise


def _connected(host: str, port: int, until_s: float) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failed: OSError = socket.gaierror()
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(_left_s(until_s) / (len(found) - tried))
            connected.connect(address)
        except OSError as error:
            connected.close()
            failed = error
        else:
            return connected
    raise failed


def _left_s(until_s: float, most_s: float | None = None) -> float:
    """Seconds. Raises TimeoutError when there are none."""
    left = until_s - monotonic()
    if left <= 0:
        raise TimeoutError
    return left if most_s is None else min(left, most_s)

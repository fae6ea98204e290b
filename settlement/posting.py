"""JSON posted over HTTP to a node or signer, within a time and a size, whatever trickles in.

Invariants: one time counts for everything, from dialling to the last byte; when it is over the connection is cut, in
the middle of a TLS handshake or a header too (looking up a name alone takes as long as the system's resolver does).
Redirections are not followed and the environment's proxies not used, so a token goes to no other host. A connection
that the other side closed between two requests is opened anew, once: so what is posted may arrive twice, and has to
bear that. What is said of a failure names no address, and repeats nothing that the other side said. Called by the
chain's client, and by those who ask signers elsewhere. Why not a library: docs/decisions/0239.
"""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, IncompleteRead
from threading import Event, Timer
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

NOT_POSTED = (OSError, HTTPException, ValueError)
"""What is raised where no answer came; `why` says it in words."""
OK = 200
NOBODY_BEHIND = frozenset({502, 503, 504})
"""What a server in between says that had no answer from whom it asked."""
PORTS = {"http": 80, "https": 443}
_CLOSED = (ConnectionError, ssl.SSLError)


class Unusable(ValueError):
    """An address that is none, or an answer that is none; the words are ours."""


class NobodyBehind(Unusable):
    """A server in between had no answer; who stands behind it may have heard the question all the same."""


class Answer(NamedTuple):
    """HTTP's status and the body's bytes."""

    status: int
    body: bytes


class Place(NamedTuple):
    """An address of the internet, taken apart; `named` is what stands before the @, as it is sent."""

    scheme: str
    host: str
    port: int
    path: str
    named: str | None

    @property
    def shown(self) -> str:
        """Without the path, query and password in which providers put their keys."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")


def place(url: str) -> Place:
    """Raises `Unusable`, without a word of it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unusable("not an http(s) address") from None
    if parts.scheme not in PORTS or not host:
        raise Unusable("not an http(s) address")
    named = None
    if parts.username is not None:
        named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, port or PORTS[parts.scheme], path, named)


def shown(url: str) -> str:
    """An address as it may be shown."""
    try:
        return place(url).shown
    except Unusable as error:
        return f"({error})"


def leads_elsewhere(url: str, first: str) -> bool:
    """Whether an address is not the first one in other letters. That two addresses lead to one node nobody can see from
    here.
    """
    try:
        one, other = place(url), place(first)
    except Unusable:
        return url != first
    return (one.host, one.port, one.path.rstrip("/")) != (other.host, other.port, other.path.rstrip("/"))


def why(error: BaseException) -> str:
    """Why no answer came."""
    match error:
        case Unusable():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"its certificate is not believed: {error.verify_message}"
        case TimeoutError():
            return "no answer in time"
        case socket.gaierror():
            return "nobody knows its name"
        case IncompleteRead():
            return "an answer that breaks off"
        case ConnectionRefusedError():
            return "nobody listens there"
        case _:
            return type(error).__name__


class Line:
    """A connection to one address, kept open between requests; for one thread. A name and password in the address are
    given as they are meant.
    """

    def __init__(self, url: str, *, token: str | None = None) -> None:
        self._open: HTTPConnection | None = None
        self._tls: ssl.SSLContext | None = None
        self._url, self._token = url, token

    def __del__(self) -> None:
        """Clients of a node are made and dropped everywhere; whoever drops one is done with its connection."""
        self.close()

    def post(self, body: bytes, *, seconds_max: float, bytes_max: int) -> Answer:
        """What is answered, whatever its status. Raises `NOT_POSTED`."""
        at, until_s = place(self._url), monotonic() + seconds_max
        if self._open is not None:
            with suppress(*_CLOSED):  # since the last time
                return self._posted(at, self._open, body, until_s, bytes_max)
        return self._posted(at, self._dialled(at, until_s), body, until_s, bytes_max)

    def close(self) -> None:
        """Let go of the connection; the next request opens one."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _dialled(self, at: Place, until_s: float) -> HTTPConnection:
        connected = _connected(at, until_s)
        if at.scheme == "https":
            connected = self._secured(connected, at.host, until_s)
        self._open = HTTPConnection(at.host, at.port)
        self._open.sock, self._open.auto_open = connected, 0  # it would dial by itself, and nobody would watch it
        self._open.default_port = PORTS[at.scheme]
        return self._open

    def _secured(self, connected: socket.socket, host: str, until_s: float) -> ssl.SSLSocket:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        try:
            connected.settimeout(_left_s(until_s))  # which a whole handshake has, unlike an answer
            return self._tls.wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise

    def _posted(self, at: Place, connection: HTTPConnection, body: bytes, until_s: float, bytes_max: int) -> Answer:
        whole = False
        try:
            with _cut_off(connection.sock, until_s):
                connection.request("POST", at.path, body, self._headers(at))
                answer = connection.getresponse()
                taken = answer.read(bytes_max + 1)
            if len(taken) > bytes_max:
                raise Unusable("longer than an answer may be")
            if answer.length:  # of what was promised; without a length the end of the connection is the answer's
                raise IncompleteRead(b"")
            whole = not answer.will_close
        finally:
            if not whole:  # what comes next on this connection would be taken for another answer
                self.close()
        return Answer(answer.status, taken)

    def _headers(self, at: Place) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        elif at.named is not None:
            headers["Authorization"] = f"Basic {b64encode(at.named.encode()).decode()}"
        return headers


def _connected(at: Place, until_s: float) -> socket.socket:
    """To the first address that answers; each has its part of the time that is left, so that one whose packets vanish
    does not keep us from the next.
    """
    found = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
    failed: OSError = socket.gaierror()
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        dialled = socket.socket(family, kind, protocol)
        try:
            dialled.settimeout(_left_s(until_s) / (len(found) - tried))
            dialled.connect(address)
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            dialled.settimeout(_left_s(until_s))
        except OSError as error:
            dialled.close()
            failed = error
        else:
            return dialled
    raise failed


def _left_s(until_s: float) -> float:
    """Seconds. Raises TimeoutError when there are none."""
    left = until_s - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextmanager
def _cut_off(connected: socket.socket, until_s: float) -> Iterator[None]:
    """Whatever is read or written inside ends with its time. Raises TimeoutError."""
    over = Event()
    connected.settimeout(_left_s(until_s))
    watch = Timer(_left_s(until_s), _cut, [connected, over])
    watch.daemon = True
    watch.start()
    try:
        yield
    except NOT_POSTED:
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        watch.cancel()
    if over.is_set():  # what is read to the end of the connection ends with it
        raise TimeoutError


def _cut(connected: socket.socket, over: Event) -> None:
    over.set()
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)  # below TLS, in the middle of which another thread is


def posted(url: str, body: Any, *, seconds_max: float, bytes_max: int, token: str | None = None) -> bytes:
    """One request on a connection of its own. Raises `NOT_POSTED`."""
    with closing(Line(url, token=token)) as line:
        answer = line.post(json.dumps(body).encode(), seconds_max=seconds_max, bytes_max=bytes_max)
    if answer.status != OK:
        raise (NobodyBehind if answer.status in NOBODY_BEHIND else Unusable)(f"answered {answer.status}")
    return answer.body

"""Requests over HTTP within a time and a size, whatever trickles in: JSON to nodes and signers, files to mirrors.

Invariants: one time counts for everything, from dialling to the last byte; when it is over the connection is closed, in
the middle of a TLS handshake or a header too (looking up a name alone takes as long as the system's resolver does).
Redirections are not followed and the environment's proxies not used, so a token goes to no other host; nothing is
unpacked. A connection that the other side closed between two requests is opened anew, once: so what is posted may
arrive twice, and has to bear that. What is said of a failure names no address, and repeats nothing that the other side
said. Called by the chain's client, by those who ask signers elsewhere, and by mirrors. Source: docs/decisions/0254.
"""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing, suppress
from math import inf
from string import punctuation
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit

import httpcore2

from settlement.wire import Answer, BrokenOff, Connection, dialled, system_tls

NOT_POSTED = (OSError, ValueError)
"""What is raised where no answer came; `why` says it in words."""
OK = 200
NOBODY_BEHIND = frozenset({502, 503, 504})
"""What a server in between says that had no answer from whom it asked."""
PORTS = {"http": 80, "https": 443}
ALWAYS_SENT = {"User-Agent": b"tongdui", "Accept-Encoding": b"identity"}
NO_WAITS_S: Mapping[str, float] = MappingProxyType({})
_CLOSED = (ConnectionError, ssl.SSLError)


class Unusable(ValueError):
    """An address that is none, or an answer that is none; the words are ours."""


class NobodyBehind(Unusable):
    """A server in between had no answer; who stands behind it may have heard the question all the same."""


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
        path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=punctuation)
    except ValueError:
        raise Unusable("not an http(s) address") from None
    if parts.scheme not in PORTS or not host:
        raise Unusable("not an http(s) address")
    named = None
    if parts.username is not None:
        named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
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
        case BrokenOff():
            return "an answer that breaks off, or is none of HTTP"
        case ConnectionRefusedError():
            return "nobody listens there"
        case _:
            return type(error).__name__


class Line:
    """A connection to one address, kept open between requests; for one thread. A name and password in the address are
    given as they are meant. `waits_s` are seconds for one step each, by httpcore2's names: "connect", "read", "write".
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        waits_s: Mapping[str, float] = NO_WAITS_S,
    ) -> None:
        self._open: Connection | None = None
        self._url, self._token, self._tls, self._waits_s = url, token, tls, waits_s

    def __del__(self) -> None:
        """Clients of a node are made and dropped everywhere; whoever drops one is done with its connection."""
        self.close()

    def post(self, body: bytes, *, seconds_max: float, bytes_max: int) -> Answer:
        """What is answered to this JSON, whatever its status. Raises `NOT_POSTED`."""
        answer = self.ask("POST", body, seconds_max=seconds_max, bytes_max=bytes_max)
        if len(answer.body) > bytes_max:
            raise Unusable("longer than an answer may be")
        return answer

    def ask(self, method: str, body: bytes | None = None, *, seconds_max: float, bytes_max: int) -> Answer:
        """What is answered, whatever its status; of the body at most one byte too many. Raises `NOT_POSTED`."""
        at, until_s = place(self._url), monotonic() + seconds_max
        request = self._request(at, method, body)
        try:
            if self._open is not None and self._open.is_kept:
                with suppress(*_CLOSED):  # since the last time
                    return self._open.answered(request, until_s, bytes_max)
            self._open = Connection(request.url.origin, self._dialled(at, until_s))
            return self._open.answered(request, until_s, bytes_max)
        except httpcore2.LocalProtocolError:
            raise Unusable("a token that cannot be sent") from None

    def close(self) -> None:
        """Let go of the connection; the next request opens one."""
        if self._open is not None:
            self._open.close()

    def _dialled(self, at: Place, until_s: float) -> socket.socket:
        if at.scheme == "https" and self._tls is None:
            self._tls = system_tls()
        until_s = min(until_s, monotonic() + self._waits_s.get("connect", inf))
        return dialled(at.host, at.port, self._tls if at.scheme == "https" else None, until_s)

    def _request(self, at: Place, method: str, body: bytes | None) -> httpcore2.Request:
        headers = {"Host": at.shown.partition("://")[2].encode("idna"), **ALWAYS_SENT}
        if body is not None:
            headers["Content-Length"] = b"%d" % len(body)
        if method == "POST":
            headers["Content-Type"] = b"application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}".encode()
        elif at.named is not None:
            headers["Authorization"] = b"Basic " + b64encode(at.named.encode())
        url = httpcore2.URL(scheme=at.scheme, host=at.host.encode("idna"), port=at.port, target=at.path)
        return httpcore2.Request(
            method, url, headers=[*headers.items()], content=body, extensions={"timeout": self._waits_s}
        )


def posted(url: str, body: Any, *, seconds_max: float, bytes_max: int, token: str | None = None) -> bytes:
    """One request on a connection of its own. Raises `NOT_POSTED`."""
    with closing(Line(url, token=token)) as line:
        answer = line.post(json.dumps(body).encode(), seconds_max=seconds_max, bytes_max=bytes_max)
    if answer.status != OK:
        raise (NobodyBehind if answer.status in NOBODY_BEHIND else Unusable)(f"answered {answer.status}")
    return answer.body

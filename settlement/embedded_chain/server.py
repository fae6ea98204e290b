"""The loopback HTTP front of the embedded chain: one POST body is one JSON-RPC call or a bounded list of them.

Invariants: it binds to loopback only, answers only requests addressed to loopback (a page in a browser cannot reach it
under another name) and only JSON that no page sends (a page can post plain text to any address unasked); bodies,
batches, connections and silence are bounded; the chain is touched by one thread at a time. Called by `__main__`.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from typing_extensions import override

from settlement.embedded_chain.blocks import EmbeddedChain
from settlement.embedded_chain.methods import RpcError, answer
from settlement.listening import Listener, body_length

BODY_BYTES_MAX = 4 * 1024 * 1024
BATCH_CALLS_MAX = 100
OPENINGS_MAX = 10 * BATCH_CALLS_MAX
"""Brackets that open in one body. The virtual machine lifts Python's own bound on depth, so nesting would crash it."""
SILENCE_S_MAX = 120.0
POLL_S = 0.5

PARSE_ERROR, INVALID_REQUEST = -32700, -32600


class NotLoopback(ValueError):
    """The node has no protection of its own and therefore listens on loopback only."""


class Node(Listener):
    """The server of one chain. `idle_s` seconds without a request end `serve`, None means never; so does it that no
    process holds a share of `users`, a file's descriptor.
    """

    def __init__(
        self, chain: EmbeddedChain, *, host: str, port: int, idle_s: float | None, users: int | None = None
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise NotLoopback(f"{host} is not a loopback address")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)
        self.chain, self.lock = chain, threading.Lock()
        self._idle_s, self.last_request, self._users = idle_s, time.monotonic(), users

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self.server_address[0]!s}]" if self.address_family == socket.AF_INET6 else self.server_address[0]
        return f"http://{host!s}:{self.server_address[1]}"

    @override
    def service_actions(self) -> None:
        """Called between polls: ends a node that nobody has talked to for too long, or that nobody is left to use."""
        idle = self._idle_s is not None and time.monotonic() - self.last_request > self._idle_s
        if idle or self._deserted():
            threading.Thread(target=self.shutdown, daemon=True).start()

    def _deserted(self) -> bool:
        """Whether every process that used the node has ended. The file is held from then on: whoever comes now waits
        for the end of this process and starts another.
        """
        if self._users is None:
            return False
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def serve(self) -> None:
        """Answer until `shutdown`, then finish the call in hand and close the chain."""
        self.serve_forever(POLL_S)
        self.server_close()
        with self.lock:
            self.chain.close()

    def reply(self, body: bytes) -> Any:
        """The JSON value that answers a request body."""
        if body.count(b"[") + body.count(b"{") > OPENINGS_MAX:
            return _failure(None, RpcError(PARSE_ERROR, f"more than {OPENINGS_MAX} brackets open"))
        try:
            asked = json.loads(body)
        except ValueError as error:
            return _failure(None, RpcError(PARSE_ERROR, f"not JSON: {error}"))
        if not isinstance(asked, list):
            return self._one(asked)
        if not 1 <= len(asked) <= BATCH_CALLS_MAX:
            return _failure(None, RpcError(INVALID_REQUEST, f"a batch holds 1 to {BATCH_CALLS_MAX} calls"))
        return [self._one(call) for call in asked]

    def _one(self, call: Any) -> dict[str, Any]:
        if (
            not isinstance(call, dict)
            or not isinstance(call.get("method"), str)
            or not isinstance(call.get("params", []), list)
        ):
            return _failure(
                None, RpcError(INVALID_REQUEST, "not a JSON-RPC request with a method and a list of params")
            )
        try:
            with self.lock:
                result = answer(self.chain, call["method"], call.get("params", []))
        except RpcError as error:
            return _failure(call.get("id"), error)
        return {"jsonrpc": "2.0", "id": call.get("id"), "result": result}


def _failure(call_id: Any, error: RpcError) -> dict[str, Any]:
    said: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        said["data"] = error.data
    return {"jsonrpc": "2.0", "id": call_id, "error": said}


class _Handler(BaseHTTPRequestHandler):
    server: Node
    protocol_version = "HTTP/1.1"
    server_version = "tongdui-embedded"
    sys_version = ""
    timeout: ClassVar[float] = SILENCE_S_MAX
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """One JSON-RPC request."""
        self.server.last_request = time.monotonic()
        if not _names_loopback(self.headers.get("Host", "")):
            self._refuse(403, "this node answers on loopback only")
            return
        if "Origin" in self.headers:
            self._refuse(403, "this node does not answer pages in a browser")
            return
        if self.headers.get_content_type() != "application/json":
            self._refuse(415, "Content-Type has to be application/json")
            return
        length = body_length(self)
        if length is None or length > BODY_BYTES_MAX:
            self._refuse(413, f"Content-Length is required and at most {BODY_BYTES_MAX}")
            return
        self._send(200, self.server.reply(self.rfile.read(length)))

    def _refuse(self, status: int, why: str) -> None:
        """The body stays unread, so the connection cannot go on: what was left would be taken for the next request."""
        self.close_connection = True
        self._send(status, {"error": why})

    def _send(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: they are many and say nothing that the chain does not keep."""


def _names_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]")
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

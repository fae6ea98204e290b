"""What surrounds every answer: the request's id in and out, headers that a browser obeys, and the last word on a fault.

A pure ASGI middleware, because Starlette's function middleware costs more than the rest of a request together.
Invariants: every answer has X-Request-Id; an exception that nobody foresaw becomes a problem document without its text,
and is logged with the id; whoever is answered before all of its body was read is answered last on that connection, for
it could go on sending for ever. A caller that goes away is no fault. Used by `api.app` only.
"""

from __future__ import annotations

import itertools
import re
import uuid

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import MEDIA_TYPE, Problem, render

REQUEST_ID_CHARS_MAX = 64
_REQUEST_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{REQUEST_ID_CHARS_MAX}}}")
HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": (
        b"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
# One draw of chance a process: a draw a request lets go of the interpreter, and waits behind the ledger to get it back.
_PROCESS = uuid.uuid4().hex[:20]
_numbers = itertools.count(1)

log = structlog.get_logger(__name__)


class Envelope:
    """Wraps the application; `scope["state"]["request_id"]` is the id inside it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        started = whole = False

        async def receive_watched() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body")
            return message

        async def send_in_envelope(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                said = message.get("headers", ())
                own = {name for name, _ in said}
                ours = [each for each in HEADERS.items() if each[0] not in own]
                last = [] if whole or b"connection" in own or not _has_body(scope) else [(b"connection", b"close")]
                message["headers"] = [*said, (b"x-request-id", request_id.encode()), *ours, *last]
            await send(message)

        try:
            await self.app(scope, receive_watched, send_in_envelope)
        except ClientDisconnect:
            log.info("gone", request_id=request_id, method=scope["method"], path=scope["path"])
        except Exception:
            log.exception("unforeseen", request_id=request_id, method=scope["method"], path=scope["path"])
            if started:
                raise
            await _send_fault(scope, send_in_envelope, request_id)


def _has_body(scope: Scope) -> bool:
    """Whether the head of the request says that a body follows."""
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _request_id(offered: str | None) -> str:
    """The caller's own id if it is one that can safely stand in a log, else a new one."""
    return offered if offered and _REQUEST_ID.fullmatch(offered) else f"{_PROCESS}{next(_numbers):012x}"


async def _send_fault(scope: Scope, send: Send, request_id: str) -> None:
    problem = Problem("internal", "The fault is logged under the request id.")
    body = render(problem, instance=scope["path"], request_id=request_id)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})

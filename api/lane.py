"""The short way for what is asked most: reporting events, past the routing and dependency solving of FastAPI.

The framework spends more on one request than the ledger on deciding it. Invariants: the endpoint called is the very
function that is routed and documented, so that both ways answer alike; whatever is not exactly one of `HOT` goes the
long way. A pure ASGI middleware inside the envelope; used by `api.app` only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import events
from api.auth import Caller
from api.door import door_of
from api.problems import Problem

Endpoint = Callable[[Request, Caller], Awaitable[Response]]
Refuse = Callable[[Request, Exception], Awaitable[Response]]

HOT: Mapping[str, Endpoint] = {"/v1/events": events.post_event, "/v1/events/batch": events.post_events}
"""Paths that are POSTed to with the scope events:write."""


class Lane:
    """Answers `HOT` itself; `refusals` says how an exception is answered, as the application's own handlers do."""

    def __init__(self, app: ASGIApp, refusals: Mapping[type[Exception], Refuse]) -> None:
        self.app = app
        self._problem = refusals[Problem]
        self._unreachable = refusals[psycopg.OperationalError]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = HOT.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        response = await self._answer(endpoint, Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        try:
            caller = await door_of(request).doorkeeper.admit(request.headers.get("authorization"), "events:write")
            return await endpoint(request, caller)
        except Problem as problem:
            return await self._problem(request, problem)
        except psycopg.OperationalError as error:
            return await self._unreachable(request, error)

"""The application: routes put together, and what every unhandled refusal becomes.

Invariants: whatever goes wrong, the answer is a problem document of the catalogue; the OpenAPI page needs nothing from
another host. Made by `api.serve` and by tests.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api import (
    auditors,
    clearing,
    configuration,
    events,
    health,
    members,
    movements,
    openapi,
    operators,
    pages,
    people,
    receipt_page,
    redemptions,
    rules,
    sandbox,
    settling,
    signing,
    standing,
)
from api.door import Door
from api.envelope import Envelope
from api.lane import Lane, Refuse
from api.problems import MEDIA_TYPE, Problem, render
from api.tiers import assisting, partners, refusals, requests, sessions, verifying
from api.tiers import epochs as tier_epochs
from api.tiers import members as tier_members

API_VERSION = "1.0"
ABOUT = (
    "A points ledger for alliances of merchants. Integers only: points, AU and money in minor units. Times are RFC 3339"
    " with offset. Every write can be repeated safely: the first answer comes back byte for byte. Errors are"
    " application/problem+json."
)
ROOMS = (
    *(events, redemptions, movements, people, members, standing, configuration, rules, operators, clearing, sandbox),
    *(sessions, tier_members, assisting, partners, requests, verifying, tier_epochs, refusals),
    *(auditors, settling, signing, health, pages, receipt_page),
)
log = structlog.get_logger(__name__)

_ROUTING_CODES = {404: "path-unknown", 405: "method-not-allowed"}


def create_app(door: Door | None = None) -> FastAPI:
    """The application over an open door; without one it can only describe itself."""
    app = FastAPI(
        title="Tongdui",
        version=API_VERSION,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.door = door
    for room in ROOMS:
        app.include_router(room.router)
    for error, refuse in _REFUSALS.items():
        app.add_exception_handler(error, refuse)
    app.add_middleware(Lane, refusals=_REFUSALS)
    app.add_middleware(Envelope)
    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way of replacing it
    return app


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, the same for every door. Made once a process: anybody may ask for it, and making it keeps
    the interpreter for more than a tenth of a second.
    """
    return openapi.description(create_app())


def answer(request: Request, problem: Problem) -> Response:
    """A refusal that is not remembered: it names its request."""
    body = render(problem, instance=request.url.path, request_id=request.scope["state"]["request_id"])
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=dict(problem.headers))


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return answer(request, error)


async def _routing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _ROUTING_CODES.get(error.status_code, "internal")
    detail = f"{request.method} {request.url.path}"
    return answer(request, Problem(code, detail, headers=error.headers or {}))


async def _unreachable(request: Request, error: Exception) -> Response:
    log.error("database", request_id=request.scope["state"]["request_id"], error=type(error).__name__)
    return answer(request, Problem("unavailable", "The database does not answer.", headers={"Retry-After": "1"}))


_REFUSALS: dict[type[Exception], Refuse] = {
    Problem: _problem,
    HTTPException: _routing,
    psycopg.OperationalError: _unreachable,
}

"""The API's description of itself: OpenAPI 3.1 from the same shapes that decode and encode.

`documented` is what each route says about itself; `description` puts the document together. `docs/openapi.json` is
written from it (`python -m api.published`) and a test compares. Invariant: every code an operation can answer is named
under its status. Called by the handlers at import and by `api.app`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Path
from fastapi.openapi.utils import get_openapi

from api.paging import CURSOR_CHARS_MAX, LIMIT_MAX, LIMIT_USUAL
from api.parse import ID_CHARS_MAX, ID_PATTERN, NUMBER_PATTERN
from api.problems import CATALOGUE, MEDIA_TYPE, ProblemOut
from api.shapes import ROOTS, UNIONS
from api.shapes.values import NAME_CHARS_MAX

Json = dict[str, Any]
PathText = Annotated[str, Path(include_in_schema=False)]
"""A path parameter that its operation documents itself, and that its handler checks."""

# The end of a text in a pattern, as it stands in JSON.
_END_IN_PYTHON, _END_IN_SCHEMA = '\\\\Z"', '$"'
_REF = "#/components/schemas/"
ID_SCHEMA: Json = {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX, "pattern": ID_PATTERN}
BATCH_NO_SCHEMA: Json = {"type": "string", "pattern": "^[0-9]{1,15}$"}
NUMBER_SCHEMA: Json = {"type": "string", "pattern": NUMBER_PATTERN}
NAME_SCHEMA: Json = ID_SCHEMA | {"maxLength": NAME_CHARS_MAX}
IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "One per intent, for ever. Repeated: the first answer again, with Idempotent-Replayed: true.",
    "schema": ID_SCHEMA,
    "example": "till-3-5561-a",
}
EVENT_ID_AS_KEY: Json = {
    **{name: value for name, value in IDEMPOTENCY_KEY.items() if name != "example"},
    "required": False,
    "description": "May be left out: the event's own id is its key. If sent it has to be the same.",
}
DRY_RUN: Json = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "true: answer as if, with 200 instead of 201; nothing is recorded, not even the key.",
    "schema": {"type": "boolean", "default": False},
}
CURSOR: Json = {
    "name": "cursor",
    "in": "query",
    "required": False,
    "description": "next_cursor of the page before; left out: the first page.",
    "schema": {"type": "string", "maxLength": CURSOR_CHARS_MAX},
}
LIMIT: Json = {
    "name": "limit",
    "in": "query",
    "required": False,
    "description": "How many rows a page may have.",
    "schema": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_USUAL},
}
REQUEST_ID: Json = {
    "name": "X-Request-Id",
    "in": "header",
    "required": False,
    "description": "Comes back and stands in our logs. Made up when absent or not 1 to 64 of A-Z a-z 0-9 . _ -",
    "schema": {"type": "string"},
}
PASS_CODES = ("credentials-missing", "credentials-unknown", "credentials-expired", "test-key-refused")
KEYED_CODES = (*PASS_CODES, "scope-missing")
CODES_OF = {
    "merchant": KEYED_CODES,
    "member": (*PASS_CODES, "member-closed"),
    "partner": (*PASS_CODES, "partner-ended"),
    "": (),
}
"""What those who come in may be told before anything else, by who they are; nobody in particular: nothing."""
BODY_CODES = ("media-type-unsupported", "body-too-large", "body-too-slow", "body-malformed", "field-invalid")
FAULT_CODES = ("unavailable", "internal")


def in_path(name: str, schema: Json, example: object) -> Json:
    """A parameter of the path, told apart from what FastAPI would say of it (`PathText`)."""
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def documented(
    summary: str,
    text: str,
    *,
    gives: tuple[int, str, str],
    codes: Iterable[str],
    takes: str | None = None,
    example: Json | None = None,
    parameters: Iterable[Json] = (),
    keyed: bool = True,
    by: str = "merchant",
    media: Iterable[str] = (),
) -> Json:
    """What a route's decorator is given. `gives` is (status, meaning, shape), `takes` a shape, `codes` beyond those
    of keys, bodies and faults that follow from the rest, `by` whose key or pass it takes if it is `keyed`, `media` in
    which the answer comes beside JSON.
    """
    status, meaning, shape = gives
    holder = by if keyed else ""
    every = (*CODES_OF[holder], *(BODY_CODES if takes else ()), *codes, *FAULT_CODES)
    extra: Json = {"parameters": [*parameters, REQUEST_ID], "security": [{holder: []}] if holder else []}
    if takes:
        content = {"schema": {"$ref": _REF + takes}, **({"example": example} if example else {})}
        extra["requestBody"] = {"required": True, "content": {"application/json": content}}
    content = {"application/json": {"schema": {"$ref": _REF + shape}}}
    content |= {each: {"schema": {"type": "string"}} for each in media}
    answers: dict[int, Json] = {status: {"description": meaning, "content": content}}
    if DRY_RUN in extra["parameters"]:
        answers[200] = {"description": "dry_run: it would be done so", "content": content}
    return {
        "status_code": status,
        "summary": summary,
        "description": text,
        "responses": {**answers, **_problem_responses(every)},
        "openapi_extra": extra,
    }


def _problem_responses(codes: Iterable[str]) -> dict[int, Json]:
    """One response per status, naming its codes."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(CATALOGUE[code].status, []).append(code)
    schema = {"schema": {"$ref": _REF + "ProblemOut"}}
    return {
        status: {"description": ", ".join(named), "content": {MEDIA_TYPE: schema}}
        for status, named in sorted(by_status.items())
    }


def description(app: FastAPI) -> Json:
    """The whole document."""
    document = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", description=app.description, routes=app.routes
    )
    shared: Json = document.setdefault("components", {})
    shared["schemas"] = _schemas()
    shared["securitySchemes"] = {
        "merchant": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of a merchant: tdk_live_... or tdk_test_...",
        },
        "member": {
            "type": "http",
            "scheme": "bearer",
            "description": "A member's pass, for minutes: tdm_live_... or tdm_test_...",
        },
        "partner": {
            "type": "http",
            "scheme": "bearer",
            "description": "A partner's pass: tdp_live_... or tdp_test_...",
        },
    }
    return document


def _schemas() -> Json:
    """Every shape, by name."""
    roots, named = [*ROOTS, ProblemOut], tuple(UNIONS.values())
    made, components = msgspec.json.schema_components([*roots, *named], ref_template=_REF + "{name}")
    unions = dict(zip(UNIONS, made[len(roots) :], strict=True))
    text = json.dumps(dict(sorted({**components, **unions}.items())))
    schemas: Json = json.loads(text.replace(_END_IN_PYTHON, _END_IN_SCHEMA))
    return schemas

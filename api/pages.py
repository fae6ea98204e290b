"""The pages that explain the API: every operation with its shapes, and every error with its remedy.

Invariants: drawn from the same description and catalogue that the programs use; one style sheet of our own, no script,
no other host. Read-only and open to anybody. Mounted by `api.app`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.problems import CATALOGUE

router = APIRouter(include_in_schema=False)


def shape_name(schema: dict[str, Any]) -> str:
    """A schema in a word or two: the name it refers to, or its type and bounds."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(shape_name(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {shape_name(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(json.dumps(one) for one in schema["enum"])
    bounds = [f"{sign} {schema[name]:,}" for name, sign in (("minimum", "≥"), ("maximum", "≤")) if name in schema]
    return " ".join([str(schema.get("format", schema.get("type", "any"))), *bounds])


TEMPLATES = Path(__file__).parent / "templates"
_drawn = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_drawn.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
_drawn.filters["shape"] = shape_name


@router.get("/")
def api_page(request: Request) -> Response:
    document = request.app.openapi()
    return HTMLResponse(_drawn.get_template("api.html").render(document=document, operations=_operations(document)))


@router.get("/errors")
def errors_page() -> Response:
    return HTMLResponse(_drawn.get_template("errors.html").render(catalogue=CATALOGUE))


@router.get("/style.css")
def style() -> Response:
    return Response((TEMPLATES / "style.css").read_bytes(), media_type="text/css")


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation with its method and path, in the order of the document."""
    return [
        {"method": method.upper(), "path": path, "body": _body_of(operation), **operation}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _body_of(operation: dict[str, Any]) -> dict[str, Any] | None:
    body = operation.get("requestBody")
    return body["content"]["application/json"] if body else None

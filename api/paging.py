"""Pages of lists: opaque cursors and a bounded limit. No I/O.

A cursor is the place where the next page begins (whole numbers), as JSON in URL-safe base64: it means something to
whoever made it alone, and a foreign one is refused. Called by the handlers of lists.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from starlette.requests import Request

from api.parse import number_in
from api.problems import invalid

LIMIT_USUAL, LIMIT_MAX = 50, 200
CURSOR_CHARS_MAX = 200
PART_MAX = 2**62

P = TypeVar("P", bound=NamedTuple)
R = TypeVar("R")


class Below(NamedTuple):
    """Where a page of numbered rows begins, the newest first: below this number."""

    no: int


def cursor_of(place: NamedTuple) -> str:
    """Where a page begins, as text for the caller to bring back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def page_of(request: Request, places: type[P], *, beside: frozenset[str] = frozenset()) -> tuple[P | None, int]:
    """The place that the caller's cursor names, None for the first page, and how many rows it wants. Parameters
    `beside` those are the caller's to read.
    """
    for name in request.query_params:
        if name not in {"cursor", "limit", *beside}:
            raise invalid(f"#query/{name}", "this address takes no such parameter")
    cursor, limit = request.query_params.get("cursor"), request.query_params.get("limit")
    wanted = LIMIT_USUAL if limit is None else number_in(limit, pointer="#query/limit")
    if wanted > LIMIT_MAX:
        raise invalid("#query/limit", f"wants a number from 1 to {LIMIT_MAX}")
    return None if cursor is None else _place(cursor, places), wanted


def below_of(request: Request, *, beside: frozenset[str] = frozenset()) -> tuple[int, int]:
    """As `page_of`, of numbered rows: the number that the page begins below, and how many rows the caller wants."""
    place, limit = page_of(request, Below, beside=beside)
    return PART_MAX if place is None else place.no, limit


def one_page(found: Sequence[R], limit: int, place: Callable[[R], NamedTuple]) -> tuple[Sequence[R], str | None]:
    """Of rows of which one more than `limit` was asked for: the page, and the cursor of the next where there is one."""
    page = found[:limit]
    return page, cursor_of(place(page[-1])) if len(found) > limit else None


def _place(cursor: str, places: type[P]) -> P:
    refusal = invalid("#query/cursor", "is no cursor of this list")
    if len(cursor) > CURSOR_CHARS_MAX:
        raise refusal
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = msgspec.json.decode(text, type=places)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise refusal from error
    if not all(isinstance(part, int) and 0 <= part <= PART_MAX for part in place):
        raise refusal
    return place

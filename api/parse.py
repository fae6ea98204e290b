"""From bytes and headers to values that are trusted inside: bounded bodies, strict integers, times with an offset.

One decoder for single and bulk bodies, so that both mean the same: unknown fields are refused, integers are written as
integers (no fraction, exponent, text or boolean), times carry their offset. Every refusal points at its field.
Called by the handlers of this room.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

import msgspec
from starlette.requests import Request

from api.problems import Pointed, Problem, invalid

ID_CHARS_MAX = 128
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~:@+=-]*$"
BODY_BYTES_MAX = 16 * 1024
DAYS_CACHED_MAX = 1_000
BATCH_BODY_BYTES_MAX = 1024 * 1024
BODY_SECONDS_MAX = 30
NUMBER_MAX = 2**31 - 1
NUMBER_PATTERN = r"^[1-9][0-9]{0,9}$"
_ID = re.compile(ID_PATTERN)
_NUMBER = re.compile(NUMBER_PATTERN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_NAMED = re.compile(r"field `(?P<name>[^`]+)`")

T = TypeVar("T")


async def body_of(request: Request, *, bytes_max: int) -> bytes:
    """The body of a JSON request. Refuses another media type, then a body over `bytes_max` or one that takes too long:
    whoever sends a byte a minute would keep a connection from everybody.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Problem("media-type-unsupported", f"Content-Type: {media or 'absent'} is not application/json.")
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await _whole(request, bytes_max)
    except TimeoutError:
        message, headers = f"The body took over {BODY_SECONDS_MAX} s.", {"Connection": "close"}
        raise Problem("body-too-slow", message, headers=headers) from None


async def _whole(request: Request, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise Problem("body-too-large", f"The body is over {bytes_max} bytes.")
        parts.append(part)
    return b"".join(parts)


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """The value in `body`. Raises `Problem` body-malformed, event-type-unsupported or field-invalid."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _pointed(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("body-malformed", str(error) or "The body nests too deeply.") from error


def _pointed(text: str) -> Problem:
    """The one sentence of msgspec as a problem that points at the field."""
    at = _AT.search(text)
    message = text[: at.start()] if at else text
    pointer = "".join("/" + (name or index) for name, index in _STEP.findall(at["path"] if at else ""))
    named = _NAMED.search(message)
    if named:
        pointer += "/" + named["name"]
    code = "event-type-unsupported" if pointer == "/type" and message.startswith("Invalid value") else "field-invalid"
    return Problem(code, f"{pointer or '/'}: {message}.", (Pointed(pointer, code, message),))


def milliseconds(moment: datetime, *, pointer: str = "/occurred_at") -> int:
    """Milliseconds since the epoch, rounded down. Refuses what lies before it."""
    elapsed = (moment - _EPOCH) // timedelta(milliseconds=1)
    if elapsed < 0:
        raise invalid(pointer, "lies before 1970")
    return elapsed


def moment(at_ms: int) -> str:
    """An instant as RFC 3339 text in UTC, to the millisecond."""
    seconds, ms = divmod(at_ms, 1000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{_date(day)}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"


@lru_cache(maxsize=DAYS_CACHED_MAX)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def id_in(text: str, *, pointer: str, chars_max: int = ID_CHARS_MAX, code: str = "field-invalid") -> str:
    """An id from a path or header, if it is one."""
    if len(text) > chars_max or not _ID.fullmatch(text):
        raise invalid(pointer, f"wants 1 to {chars_max} characters of {ID_PATTERN}", code=code)
    return text


def number_in(text: str, *, pointer: str) -> int:
    """A number from a path, if it is one and could be one of the ledger's."""
    if not _NUMBER.fullmatch(text) or int(text) > NUMBER_MAX:
        raise invalid(pointer, f"wants a number from 1 to {NUMBER_MAX}")
    return int(text)


def dry_run(request: Request, *, offered: bool = True) -> bool:
    """Whether the caller only wants to know. Other parameters, and this one where it is not offered, are refused: what
    somebody meant by them would otherwise be written.
    """
    for name, value in request.query_params.multi_items():
        if name != "dry_run" or not offered:
            raise invalid(f"#query/{name}", "this address takes no such parameter")
        if value not in {"true", "false"}:
            raise invalid("#query/dry_run", "wants true or false")
    return request.query_params.get("dry_run") == "true"


def no_parameters(request: Request) -> None:
    """Refuses whatever stands behind the question mark where nothing is offered."""
    for name in request.query_params:
        raise invalid(f"#query/{name}", "this address takes no such parameter")


def idempotency_key(request: Request, *, own_id: str | None = None) -> str:
    """The key of a write: the event's own id where it has one, which a header may repeat but not contradict."""
    header = request.headers.get("idempotency-key")
    if header is None:
        if own_id is None:
            raise Problem("idempotency-key-missing", "Idempotency-Key: this write needs one.")
        return own_id
    key = id_in(header, pointer="#header/Idempotency-Key", code="idempotency-key-invalid")
    if own_id is not None and key != own_id:
        message = f"{key} is not the event's own id {own_id}"
        raise invalid("#header/Idempotency-Key", message, code="idempotency-key-invalid")
    return key

"""One way for every single write: from a request to a committed answer, whatever is asked.

A `Write` says which address takes which body, who may send it and which command it makes; `mount` makes the route and
its documentation of it. Each handler names the caller, reads key and body, makes the command and hands it to the
ledger; what comes back is final. Refusals of the door come first (docs/errors.md, in its order), then the ledger's. No
SQL, no decisions here. Used by the modules of this room that own routes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Request, Response

from api.auth import Caller, allowed
from api.clock import not_in_future, not_too_old
from api.commands import Asked, scoped
from api.door import Door, door_of
from api.openapi import DRY_RUN, IDEMPOTENCY_KEY, NAME_SCHEMA, NUMBER_SCHEMA, Json, documented, in_path
from api.parse import BODY_BYTES_MAX, body_of, decode, dry_run, id_in, idempotency_key, milliseconds, number_in
from api.posting import answered
from api.problems import invalid
from api.shapes.values import NAME_CHARS_MAX, Body
from api.verbs import refusals_of
from ledger.commands import Command

WRITE_CODES = ("idempotency-key-invalid", "occurred-in-future", "request-in-flight", "busy", "key-reused")
SPENDING_AGE_SECONDS_MAX = 24 * 3_600
"""How old what spends points may be, or gives them without an order: its time decides which have expired, and at which
rate they are given.
"""
PROMISE_AGE_SECONDS_MAX = 300
"""How old a promise may be: its time decides whether a notice period was kept."""

B = TypeVar("B", bound=Body)
Check = Callable[[Door, Caller, Any], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Generic[B]):
    """One address that takes one body. `named` are the parameters of the path with an example each: text is a name,
    a number is a number. `check` is asked in a thread before the ledger is, `tries` whether the body only asks,
    `may_try` whether this caller may ask without doing: not where the answer alone tells what is another's.
    """

    path: str
    name: str
    scope: str
    takes: type[B]
    makes: Callable[[B, Asked], Command]
    verbs: tuple[str, ...]
    summary: str
    text: str
    example: Json
    named: Mapping[str, str | int] = field(default_factory=dict)
    age_seconds_max: int | None = None
    check: Check | None = None
    check_codes: tuple[str, ...] = ()
    tries: Callable[[B], bool] = lambda _body: False
    may_try: Callable[[B, Caller], bool] = lambda _body, _caller: True


def mount(router: APIRouter, *writes: Write[Any]) -> None:
    """Add a POST route for each."""
    for write in writes:
        router.add_api_route(write.path, _handler(write), methods=["POST"], name=write.name, **_documented(write))


def _handler(write: Write[B]) -> Callable[[Request], Any]:
    decoder = msgspec.json.Decoder(write.takes)
    admit = allowed(write.scope)

    async def handle(request: Request) -> Response:
        caller = await admit(request)
        key = idempotency_key(request)
        named = {name: _named(request, name, example) for name, example in write.named.items()}
        body = decode(decoder, await body_of(request, bytes_max=BODY_BYTES_MAX))
        at_ms = milliseconds(body.occurred_at)
        command = write.makes(body, Asked(scoped(caller.merchant_id, key), at_ms, caller.merchant_id, named))
        door = door_of(request)
        trying = dry_run(request) or write.tries(body)
        if trying and not write.may_try(body, caller):
            raise invalid("#query/dry_run", "a trial would tell what the member has of another issuer's points")
        not_in_future(door, at_ms)
        if write.age_seconds_max is not None:
            await not_too_old(door, command, age_seconds_max=write.age_seconds_max)
        if write.check is not None:
            await anyio.to_thread.run_sync(write.check, door, caller, command)
        pointers = {name: f"#path/{name}" for name in named}
        return await answered(door, command, merchant_id=caller.merchant_id, key=key, dry_run=trying, pointers=pointers)

    return handle


def _named(request: Request, name: str, example: str | int) -> str:
    """A parameter of the path as text."""
    text = str(request.path_params[name])
    if isinstance(example, int):
        return str(number_in(text, pointer=f"#path/{name}"))
    return id_in(text, pointer=f"#path/{name}", chars_max=NAME_CHARS_MAX)


def _documented(write: Write[Any]) -> Json:
    aged = () if write.age_seconds_max is None else ("occurred-too-long-ago",)
    schemas = {
        name: NUMBER_SCHEMA if isinstance(example, int) else NAME_SCHEMA for name, example in write.named.items()
    }
    return documented(
        write.summary,
        write.text,
        takes=write.takes.__name__,
        example=write.example,
        gives=(201, "It was done", "ReceiptOut"),
        parameters=(
            *(in_path(name, schemas[name], example) for name, example in write.named.items()),
            IDEMPOTENCY_KEY,
            DRY_RUN,
        ),
        codes=("idempotency-key-missing", *WRITE_CODES, *aged, *write.check_codes, *refusals_of(*write.verbs)),
    )

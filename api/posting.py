"""Between a command and its HTTP answer: ask the poster, once per key at a time, and turn what it says into a response.

Invariants: an answer given is final and committed; the same answer again is the same bytes with Idempotent-Replayed;
nothing here opens a transaction. Called by `api.writes` and `api.events`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import anyio.to_thread
import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from api.answers import preview_of, problem_of, receipt_of
from api.door import Door
from api.problems import MEDIA_TYPE, Problem, render
from api.shapes.receipts import ItemOut
from ledger.answers import Answer, Receipt
from ledger.commands import Command
from ledger.poster import Busy

OK, CREATED = 200, 201
OF_EVENTS = {"verb": "/type"}
_encode = msgspec.json.Encoder().encode


Pointers = Mapping[str, str]
"""Where a request has the fields of its command that are not in the body under their own name."""


async def answered(
    door: Door, command: Command, *, merchant_id: int, key: str, dry_run: bool, pointers: Pointers
) -> Response:
    """One command, asked and answered as a response of its own."""
    if dry_run:
        answer = await anyio.to_thread.run_sync(door.poster.preview, command)
    else:
        answer = await _posted(door, command)
    tried = dry_run and not answer.replayed
    return response_to(
        answer, merchant_id=merchant_id, key=key, tried=tried, done=OK if dry_run else CREATED, pointers=pointers
    )


async def _posted(door: Door, command: Command) -> Answer:
    """The ledger's answer. Refuses with request-in-flight or busy, in that order."""
    with door.flights.only(command.key):
        try:
            return await door.poster.submit(command)
        except Busy as busy:
            raise busy_problem(busy) from busy


def busy_problem(busy: Busy) -> Problem:
    """The queue is full: when to come again, in whole seconds."""
    return Problem("busy", "The queue is full.", headers={"Retry-After": str(max(1, ceil(busy.retry_after_ms / 1000)))})


def response_to(answer: Answer, *, merchant_id: int, key: str, tried: bool, done: int, pointers: Pointers) -> Response:
    """One answer as a response of its own; `tried`: of a write that was not made."""
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
    if isinstance(answer.outcome, Receipt):
        body = _encode((preview_of if tried else receipt_of)(answer.outcome, merchant_id=merchant_id))
        return Response(body, status_code=done, media_type="application/json", headers=headers)
    problem = problem_of(answer.outcome, pointers, merchant_id=merchant_id)
    return Response(
        render(problem, instance=instance(key)), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
    )


def instance(key: str) -> str:
    """What a remembered refusal is an occurrence of: the write of that id, whenever it is asked about."""
    return f"/v1/receipts/{key}"


async def items(door: Door, wanted: Sequence[tuple[Command, str] | Problem], *, merchant_id: int) -> list[ItemOut]:
    """The results of a batch: `wanted` has for each event its command and key, or why the door refuses it."""
    commands = [each[0] for each in wanted if not isinstance(each, Problem)]
    try:
        answers = iter(await door.poster.submit_many(commands) if commands else ())
    except Busy as busy:
        raise busy_problem(busy) from busy
    return [
        _refused_item(index, each, where=f"/v1/events/batch#/events/{index}")
        if isinstance(each, Problem)
        else _item(index, next(answers), merchant_id=merchant_id, key=each[1])
        for index, each in enumerate(wanted)
    ]


def _item(index: int, answer: Answer, *, merchant_id: int, key: str) -> ItemOut:
    if isinstance(answer.outcome, Receipt):
        receipt = receipt_of(answer.outcome, merchant_id=merchant_id)
        return ItemOut(index=index, status=CREATED, replayed=answer.replayed, receipt=receipt)
    problem = problem_of(answer.outcome, OF_EVENTS, merchant_id=merchant_id)
    return _refused_item(index, problem, where=instance(key), replayed=answer.replayed)


def _refused_item(index: int, problem: Problem, *, where: str, replayed: bool | UnsetType = UNSET) -> ItemOut:
    body = msgspec.Raw(render(problem, instance=where))
    return ItemOut(index=index, status=problem.status, replayed=replayed, problem=body)

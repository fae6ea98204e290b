"""Whether the process is alive, and whether it can take requests: two questions with two answers.

`/health/live` touches nothing; `/health/ready` reads the journal's head, so it is slow or refuses when the database is.
Open to anybody, says nothing that the public chain does not. Mounted by `api.app`.
"""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from api.door import door_of
from api.openapi import documented
from api.shapes.reading import HealthOut, ReadyOut
from ledger.journal import head_seq

router = APIRouter()
_encode = msgspec.json.Encoder().encode


@router.get(
    "/health/live",
    **documented("Is the process alive", "Touches nothing.", gives=(200, "It is", "HealthOut"), codes=(), keyed=False),
)
async def live() -> Response:
    return Response(_encode(HealthOut(status="ok")), media_type="application/json")


@router.get(
    "/health/ready",
    **documented(
        "Can it take requests",
        "Reads the journal's head from the database.",
        gives=(200, "It can", "ReadyOut"),
        codes=(),
        keyed=False,
    ),
)
def ready(request: Request) -> Response:
    with door_of(request).reading() as connection:
        seq = head_seq(connection)
    return Response(_encode(ReadyOut(status="ok", journal_seq=seq)), media_type="application/json")

"""The test clock: an alliance that is only for trying moves its time ahead, and what falls due on the way happens.

Invariants: outside production and with a test key alone; time never goes back; it is later once all on the way is done,
so that a move that failed is repeated; moving to a time that is reached changes nothing. The moved clock lives as long
as the process. Mounted by `api.app`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api import clockwork, examples
from api.auth import Caller, allowed
from api.clock import now_ms
from api.door import Door, door_of
from api.openapi import documented
from api.parse import BODY_BYTES_MAX, body_of, decode, moment, no_parameters
from api.problems import Problem, invalid
from api.shapes.sandbox import ClockOut, MoveClock

router = APIRouter()
DAYS_PER_MOVE_MAX = 366
_move = msgspec.json.Decoder(MoveClock)
_encode = msgspec.json.Encoder().encode


@router.post(
    "/v1/test/clock",
    **documented(
        "Move the test clock ahead",
        f"To `to`, at most {DAYS_PER_MOVE_MAX} days at once: holds of orders end, authorisations lapse, points expire,"
        " months end and their fees are charged, the epoch of tiers that has begun is sealed, tiers are looked at, each"
        " at its own time. Only outside production and with a test key.",
        takes="MoveClock",
        example=examples.MOVE_CLOCK,
        gives=(200, "It is that late now", "ClockOut"),
        codes=("test-mode-only",),
    ),
)
async def post_test_clock(request: Request, caller: Annotated[Caller, Depends(allowed("clock:write"))]) -> Response:
    no_parameters(request)
    door = door_of(request)
    if door.move_clock is None or caller.environment != "test":
        raise Problem("test-mode-only", "The clock is the real one here, or the key is a live key.")
    wanted = decode(_move, await body_of(request, bytes_max=BODY_BYTES_MAX)).to
    if wanted > door.now() + timedelta(days=DAYS_PER_MOVE_MAX):
        raise invalid("/to", f"is more than {DAYS_PER_MOVE_MAX} days ahead")
    done = await anyio.to_thread.run_sync(_moved, door, wanted)
    return Response(_encode(done), media_type="application/json")


def _moved(door: Door, wanted: datetime) -> ClockOut:
    done = clockwork.move(door, wanted)
    return ClockOut(now=moment(now_ms(door.now())), done=dict(sorted(done.items())))

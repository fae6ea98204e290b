"""The API on a loopback port of its own, at the alliance's time, and what its callers send.

The demonstration has moved the chain's time ahead of everybody's clock, and epochs count by the chain's; so this door's
clock is the chain's. Called by `showing`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import structlog
import uvicorn

from api.app import create_app
from api.clock import TestClock
from api.door import open_door
from api.tiers.desk import TierDesk

START_S_MAX, STOP_S_MAX, ANSWER_S_MAX = 30.0, 30.0, 60.0
POLL_S = 0.02


class Unexpected(Exception):
    """The API refused what it should have taken; the message has its answer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A program that calls the API with its key or pass; "" for anybody's."""

    http: httpx2.Client
    token: str = ""

    def send(self, method: str, path: str, body: object = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.http.request(method, path, json=body, headers=headers)

    def told(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer to what has to be taken. Raises `Unexpected`."""
        answer = self.send(method, path, body)
        if answer.is_error:
            raise Unexpected(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        told: dict[str, Any] = answer.json()
        return told


@contextmanager
def _quiet() -> Iterator[None]:
    """What the API logs of refusals is in the report already."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def answering(dsn: str, tiers: TierDesk, clock: TestClock) -> Iterator[httpx2.Client]:
    """A client of the API, which answers until the block ends."""
    with (
        _quiet(),
        open_door(dsn, production=False, readers_max=2, now=clock, move_clock=clock.move_to, tiers=tiers) as door,
    ):
        config = uvicorn.Config(create_app(door), host="127.0.0.1", port=0, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="door", daemon=True)
        thread.start()
        try:
            address = f"http://127.0.0.1:{_port(server, thread)}"
            with httpx2.Client(base_url=address, trust_env=False, timeout=ANSWER_S_MAX) as http:
                yield http
        finally:
            server.should_exit = True
            thread.join(STOP_S_MAX)


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    """The port, once it is listened to."""
    until = time.monotonic() + START_S_MAX
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise Unexpected("the API did not start")
        time.sleep(POLL_S)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port

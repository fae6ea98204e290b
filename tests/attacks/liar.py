"""A JSON-RPC node that asks an honest one and then answers as it likes."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.loopback import Quiet, listening

ANSWER_SECONDS_MAX = 30.0


@contextmanager
def lying(honest: str, lie: Callable[[str, Any], Any]) -> Iterator[str]:
    """The address of one; `lie(method, result)` is what it says instead of an honest result."""

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.asked()
            request = urllib.request.Request(honest, body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as response:  # noqa: S310 - loopback
                told = json.loads(response.read())
            if "result" in told:
                told["result"] = lie(json.loads(body)["method"], told["result"])
            self.answer(json.dumps(told).encode(), headers={"Content-Type": "application/json"})

    with listening(Handler) as url:
        yield url

"""A node that cannot be trusted: an HTTP proxy in front of a real one that delays, drops, or distorts its answers.

It is the outside of the submitter, so a test may make it misbehave; what is behind it is real.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from proofs.keccak import keccak256
from tests.loopback import Quiet, listening

Distortion = Callable[[str, list[Any], Any], Any]
"""(method, parameters, the node's true result) -> the result that is told."""


class Liar:
    """The proxy's behaviour, which a test changes as it goes. Errors of the node pass through unchanged."""

    def __init__(self, behind: str) -> None:
        self.behind, self.url = behind, ""
        self.distort: Distortion = lambda _method, _params, result: result
        self.late_s: dict[str, float] = {}
        self.deaf: set[str] = set()
        self.garbage: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.blocks_max: int | None = None
        self.refused = 0

    def honest(self) -> None:
        """Tell the truth from now on, at once."""
        self.distort, self.late_s, self.deaf = lambda _method, _params, result: result, {}, set()
        self.garbage = {}

    def answer(self, asked: dict[str, Any]) -> bytes | None:
        """What is told, None for nothing at all: then the node never heard of it either."""
        method, params = asked["method"], asked["params"]
        self.asked.append(method)
        if method in self.deaf:
            return None
        if method in self.garbage:
            return self.garbage[method]
        if method == "eth_getLogs" and self.blocks_max is not None and self._blocks(params[0]) > self.blocks_max:
            self.refused += 1
            refusal = {"code": -32005, "message": f"block range is larger than {self.blocks_max}"}
            return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": refusal}).encode()
        told = self._behind(asked)
        if "result" in told:
            told["result"] = self.distort(method, params, told["result"])
        time.sleep(self.late_s.get(method, 0))
        return json.dumps(told).encode()

    def block(self, number: int) -> Any:
        """A block as the node itself tells it."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": [hex(number), False]}
        return self._behind(asked)["result"]

    def _blocks(self, question: dict[str, str]) -> int:
        """How many blocks a question for logs is about."""
        first, last = question["fromBlock"], question["toBlock"]
        if not last.startswith("0x"):
            block = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": [last, False]}
            last = self._behind(block)["result"]["number"]
        return int(last, 16) - int(first, 16) + 1

    def _behind(self, asked: dict[str, Any]) -> Any:
        """What the node itself answers."""
        with requests.Session() as session:
            session.trust_env = False
            return session.post(self.behind, json=asked, timeout=20).json()


def answering(signature: str, told: str) -> Distortion:
    """A node that answers one of the hub's views with this, whenever it is asked."""
    selector = "0x" + keccak256(signature.encode())[:4].hex()

    def lie(method: str, params: list[Any], result: Any) -> Any:
        return told if method == "eth_call" and params[0]["data"].startswith(selector) else result

    return lie


@contextmanager
def lying(behind: str) -> Iterator[Liar]:
    """A proxy in front of `behind`, honest at first."""
    liar = Liar(behind)

    class Handler(Quiet):
        def do_POST(self) -> None:
            body = liar.answer(json.loads(self.asked()))
            if body is None:
                self.close_connection = True
                return
            try:
                self.answer(body)
            except OSError:
                self.close_connection = True  # who asked has stopped waiting

    with listening(Handler) as liar.url:
        yield liar

"""Questions to Ethereum nodes over JSON-RPC, and the rule that two nodes must give the same answer.

One `Node` is one URL. `Nodes` asks all of them and compares: what they all say is believed, anything else ends the
audit with `RpcsDisagree`, because an auditor that is lied to has found nothing. Bounded: answers, time and tries.
This module knows no contract. Source: the Ethereum JSON-RPC specification.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from auditor.exchange import Caller, NoAnswer, OutOfTime

ANSWER_BYTES_MAX = 64 * 2**20
SILENCE_SECONDS_MAX = 30.0
"""Between two pieces of an answer."""
EXCHANGE_SECONDS_MAX = 300.0
"""For a question and its answer, with all tries: from the first packet to the last byte, whatever of it trickles."""
TRIES_MAX = 3

T = TypeVar("T")


class RpcError(Exception):
    """A node could not be asked: unreachable, not JSON-RPC, or it refused the question."""


class RpcRefused(RpcError):
    """The node answered with an error; its words are in the message."""


class RpcsDisagree(Exception):
    """Two nodes gave different answers to one question about the same block."""

    def __init__(self, question: str, answers: Sequence[tuple[str, object]]) -> None:
        self.question, self.answers = question, answers
        told = "; ".join(f"{name} says {str(answer)[:200]}" for name, answer in answers)
        super().__init__(f"{question}: {told}")


class Node:
    """One JSON-RPC endpoint. Raises ValueError for an address that cannot be one."""

    def __init__(self, url: str, *, exchange_seconds_max: float = EXCHANGE_SECONDS_MAX) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is not an http(s) address of a node")
        self.name = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._url = url
        self._ids = count(1)
        self._seconds_max = exchange_seconds_max
        self._caller = Caller(silence_seconds_max=SILENCE_SECONDS_MAX)

    def ask(self, method: str, *params: object) -> Any:
        """The result of one call. Raises `RpcRefused` for the node's own error, `RpcError` when no answer came."""
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": list(params)}
        until_s = time.monotonic() + self._seconds_max
        for attempt in range(1, TRIES_MAX + 1):
            try:
                return _result(self._post(body, until_s), body)
            except OutOfTime as error:
                raise RpcError(f"{self.name} takes more than {self._seconds_max:g} s for an answer") from error
            except NoAnswer as error:
                if attempt == TRIES_MAX:
                    raise RpcError(f"{self.name} cannot be reached: {error}") from error
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connection."""
        self._caller.close()

    def _post(self, body: dict[str, object], until_s: float) -> bytes:
        answer = self._caller.post(
            self._url, json.dumps(body).encode(), until_s=until_s, bytes_max=ANSWER_BYTES_MAX
        ).body
        if len(answer) > ANSWER_BYTES_MAX:
            raise RpcError(f"{self.name} answers with more than {ANSWER_BYTES_MAX} bytes")
        return answer


def _result(answer: bytes, asked: Mapping[str, object]) -> Any:
    """An error may answer no question in particular; a result has to answer the one that was asked."""
    method = asked["method"]
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise RpcError(f"{method}: the answer is not JSON: {answer[:80]!r}") from error
    if not isinstance(told, dict) or ("result" not in told and "error" not in told):
        raise RpcError(f"{method}: the answer is not JSON-RPC: {answer[:80]!r}")
    if told.get("error") is not None:
        raise RpcRefused(f"{method}: {json.dumps(told['error'])[:400]}")
    if told.get("id") != asked["id"]:
        raise RpcError(f"{method}: the answer is to another question: {answer[:80]!r}")
    return told["result"]


def _shaped(shape: Callable[[Any], T], answer: Any, method: str) -> T:
    try:
        return shape(answer)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RpcError(f"{method}: an answer of another form than asked for: {str(answer)[:80]}") from error


class Nodes:
    """One or more nodes that must agree."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    @property
    def names(self) -> list[str]:
        """The nodes as they may be shown: without path and query, which may hold a key."""
        return [node.name for node in self._nodes]

    def each(self, shape: Callable[[Any], T], method: str, *params: object) -> list[T]:
        """Every node's own answer in `shape`, for questions whose answers may differ (how far it has come)."""
        return [_shaped(shape, node.ask(method, *params), method) for node in self._nodes]

    def agreed(self, shape: Callable[[Any], T], method: str, *params: object) -> T:
        """The one answer, brought into `shape` before it is compared. Raises `RpcsDisagree`."""
        answers = self.each(shape, method, *params)
        if any(answer != answers[0] for answer in answers[1:]):
            question = f"{method}({json.dumps(params)[:200]})"
            raise RpcsDisagree(question, list(zip(self.names, answers, strict=True)))
        return answers[0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self._nodes:
            node.close()

    def __enter__(self) -> Self:
        return self

"""The nodes that a test may settle on, behind one small face: a chain that is final at once, and those that are not."""

from __future__ import annotations

import re
import subprocess
from typing import IO, Any, Protocol

import requests

from tests.waiting import eventually

ANSWER_SECONDS_MAX = 60
LISTENING = re.compile(r"(127\.0\.0\.1:\d+)\D")


class Node(Protocol):
    """A running chain."""

    @property
    def url(self) -> str: ...

    def finalise(self) -> None:
        """Make everything that is in a block now final."""
        ...


class Instant:
    """The embedded chain: final at once."""

    def __init__(self, url: str) -> None:
        self.url = url

    def finalise(self) -> None:
        """It is."""


class Mining:
    """A node that mines when it is asked to, and is asked for more than a client of ours would."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, *params: Any) -> Any:
        """One raw call."""
        with requests.Session() as session:
            session.trust_env = False
            body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            answer = session.post(self.url, json=body, timeout=ANSWER_SECONDS_MAX).json()
        assert "error" not in answer, answer
        return answer["result"]

    def mine_at_once(self, *, on: bool) -> None:
        """A block for each transaction, or only when asked for."""
        self.ask("evm_setAutomine", on)

    def finalise(self) -> None:
        """Mine until everything so far is as deep as these chains ask for."""
        for _ in range(3):
            self.ask("evm_mine")


def listening(process: subprocess.Popen[bytes], said: IO[str]) -> str:
    """Where a node that chose its own port says, in a file opened for appending, that it listens."""
    words = ""

    def told() -> bool:
        nonlocal words
        said.seek(0)
        words = said.read()
        return LISTENING.search(words) is not None or process.poll() is not None

    eventually(told)
    where = LISTENING.search(words)
    assert where is not None, f"the node did not start: {words[-800:]}"
    return f"http://{where[1]}"

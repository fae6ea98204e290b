"""Anvil as a test's node, from the npm package in node_modules: mempool, replacement, reorganisation."""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import requests

from tests.settlement.chain.tiny import SENDER

ROOT = Path(__file__).resolve().parents[3]
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
FLAGS = ["--port", "0", "--chain-id", "31337", "--slots-in-an-epoch", "1", "--accounts", "1", "--hardfork", "prague"]

START_SECONDS_MAX = 20
START_POLL_SECONDS = 0.01


class Anvil:
    """One running node."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, *params: Any) -> Any:
        """One raw call, for what only anvil can do."""
        with requests.Session() as session:
            session.trust_env = False
            body: Any = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            answer = session.post(self.url, json=body, timeout=10).json()
        assert "error" not in answer, answer
        return answer["result"]

    def mine_at_once(self, *, on: bool) -> None:
        """A block for each transaction, or only when asked for."""
        self.ask("evm_setAutomine", on)

    def finalise(self) -> None:
        """Mine until everything so far is finalised."""
        for _ in range(3):
            self.ask("evm_mine")


@contextmanager
def running() -> Iterator[Anvil]:
    """A fresh chain on which SENDER has gas money; ended with the test."""
    # What it says goes to a file: a pipe that nobody empties stops it after some hundred blocks.
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([ANVIL, *FLAGS], stdout=said, stderr=subprocess.STDOUT)
        try:
            node = Anvil(f"http://{_address(process, said)}")
            node.ask("anvil_setBalance", SENDER.address, hex(10**22))
            yield node
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], said: IO[str]) -> str:
    until = time.monotonic() + START_SECONDS_MAX
    words = ""
    while process.poll() is None and time.monotonic() < until:
        said.seek(0)
        words = said.read()
        listening = re.search(r"Listening on (127\.0\.0\.1:\d+)", words)
        if listening:
            return listening[1]
        time.sleep(START_POLL_SECONDS)
    raise AssertionError(f"anvil did not start: {words[-500:]}")

"""Anvil as a test's node, from the npm package in node_modules: mempool, replacement, reorganisation."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.settlement.chain.tiny import SENDER

ROOT = Path(__file__).resolve().parents[3]
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
FLAGS = ["--port", "0", "--chain-id", "31337", "--slots-in-an-epoch", "1", "--accounts", "1", "--hardfork", "prague"]


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
    process = subprocess.Popen([ANVIL, *FLAGS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            listening = re.search(r"Listening on (127\.0\.0\.1:\d+)", line)
            if listening:
                node = Anvil(f"http://{listening[1]}")
                node.ask("anvil_setBalance", SENDER.address, hex(10**22))
                yield node
                return
        raise AssertionError(f"anvil did not start: {json.dumps(said[-500:])}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

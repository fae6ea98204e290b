"""Anvil as a test's node, from the npm package in node_modules: mempool, replacement, reorganisation."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.settlement.chain.nodes import Instant, Mining, Node, listening
from tests.settlement.chain.tiny import SENDER

ROOT = Path(__file__).resolve().parents[3]
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
FLAGS = ["--port", "0", "--chain-id", "31337", "--slots-in-an-epoch", "1", "--accounts", "1", "--hardfork", "prague"]

NODES = ["embedded", *(["anvil"] if ANVIL.exists() else [])]
"""What a test may run on here."""


class Anvil(Mining):
    """One running node."""


@contextmanager
def running() -> Iterator[Anvil]:
    """A fresh chain on which SENDER has gas money; ended with the test."""
    # What it says goes to a file: a pipe that nobody empties stops it after some hundred blocks.
    with tempfile.TemporaryFile("a+") as said:
        process = subprocess.Popen([ANVIL, *FLAGS], stdout=said, stderr=subprocess.STDOUT)
        try:
            node = Anvil(listening(process, said))
            node.ask("anvil_setBalance", SENDER.address, hex(10**22))
            yield node
        finally:
            process.kill()
            process.wait()


@contextmanager
def started(kind: str, embedded: str) -> Iterator[Node]:
    """One of `NODES`: the embedded chain at that address, or anvil with a block of its own."""
    if kind == "embedded":
        yield Instant(embedded)
        return
    with running() as anvil:
        anvil.ask("evm_mine")
        yield anvil

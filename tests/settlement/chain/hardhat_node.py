"""`hardhat node` as a test's remote chain, from node_modules: Osaka rules, with the gas cap of a transaction."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.settlement.chain.nodes import Mining, listening
from tests.settlement.chain.tiny import SENDER

ROOT = Path(__file__).resolve().parents[3]
CLI = ROOT / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"
NODE = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
ARGUMENTS = ["node", "--port", "0", "--hostname", "127.0.0.1"]


class HardhatNode(Mining):
    """One running node."""


@contextmanager
def running() -> Iterator[HardhatNode]:
    """A fresh chain on which SENDER has gas money; ended with the test."""
    assert NODE is not None
    environment = {**os.environ, "HARDHAT_CONFIG": "hardhat/hardhat.config.ts", "NO_COLOR": "1"}
    # It tells of every request; writing into a pipe that nobody emptied, it was seen to answer nothing any more.
    with tempfile.TemporaryFile("a+") as said:
        process = subprocess.Popen(
            [NODE, str(CLI), *ARGUMENTS],
            cwd=ROOT,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            node = HardhatNode(listening(process, said))
            node.ask("hardhat_setBalance", SENDER.address, hex(10**22))
            yield node
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # `node` may be a wrapper around the real one
            process.wait()

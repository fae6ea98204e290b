"""`hardhat node` as a test's remote chain, from node_modules: Osaka rules, with the gas cap of a transaction."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.settlement.chain.nodes import Mining
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
    process = subprocess.Popen(
        [NODE, str(CLI), *ARGUMENTS],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            listening = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if listening:
                node = HardhatNode(f"http://127.0.0.1:{listening[1]}")
                node.ask("hardhat_setBalance", SENDER.address, hex(10**22))
                yield node
                return
        raise AssertionError(f"hardhat node did not start: {said[-800:]}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # `node` may be a wrapper around the real one
        process.wait()
        process.stdout.close()

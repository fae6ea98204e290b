"""`python -m settlement.embedded_chain`: run the embedded node until a signal, or until nobody has talked to it for a
while, or until nobody is left who uses it.

The port file (JSON: url, pid) is written when the node answers and removed when it stops cleanly; after a kill it
stays and names a dead process. Exit codes: 0 stopped, 1 could not start (the reason on stderr).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from proofs.arguments import hex_argument
from settlement.embedded_chain.blocks import EmbeddedChain
from settlement.embedded_chain.server import Node, NotLoopback
from settlement.embedded_chain.store import ChainStoreError

ADDRESS_BYTES = 20


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m settlement.embedded_chain", description="A loopback Ethereum node for development, in one file."
    )
    parser.add_argument("--dir", type=Path, required=True, help="folder of the chain; created when missing")
    parser.add_argument("--port-file", type=Path, required=True, help="written with url and pid once the node answers")
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--fund",
        type=hex_argument(ADDRESS_BYTES),
        action="append",
        default=[],
        help="address that gets gas money in a new genesis; may be repeated",
    )
    parser.add_argument("--idle-s", type=float, default=None, help="stop after this many seconds without a request")
    parser.add_argument("--users", type=Path, default=None, help="stop when no process has this file locked any more")
    return parser.parse_args()


def _announce(path: Path, url: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    draft.replace(path)


def main() -> int:
    """Open the chain, listen, announce, serve; the exit code."""
    args = _arguments()
    try:
        chain = EmbeddedChain(args.dir, clock=lambda: int(time.time()), mark=os.urandom(32), fund=tuple(args.fund))
        users = None if args.users is None else os.open(args.users, os.O_RDWR | os.O_CLOEXEC)
        node = Node(chain, host=args.host, port=args.port, idle_s=args.idle_s, users=users)
    except (ChainStoreError, NotLoopback, OSError, ValueError) as error:
        sys.stderr.write(f"embedded chain: {error}\n")
        return 1
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: threading.Thread(target=node.shutdown, daemon=True).start())
    _announce(args.port_file, node.url)
    node.serve()
    args.port_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Start the embedded node as a process of its own, or find the one that already runs in a folder.

Invariants: one node a folder (the chain's file lock sees to it); `start` returns only when the node answers; `stop`
asks, waits, and kills only the process it started or found; a node that was started here ends when the last process
that uses it has ended, however that ended. Called by the demo, the entry points and tests.

Inside the folder: `node.json` (url and pid), `node.log`, `chain.sqlite3`, and `users` (shared by every process that
uses the node, so that the kernel keeps the count and a killed process leaves it).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

START_S_MAX = 30.0
STOP_S_MAX = 15.0
PROBE_S_MAX = 3.0
POLL_S = 0.02
IDLE_S = 6 * 3600.0

_shares: dict[Path, int] = {}
"""What this process, and what it forked since, uses: folder to the descriptor of its share."""


class NodeFailed(RuntimeError):
    """The node's process ended or did not answer in time; the message carries what it said."""


@dataclass(frozen=True, slots=True)
class EmbeddedNode:
    """A running node."""

    url: str
    pid: int
    folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it cleanly, by force after `STOP_S_MAX`; nothing happens when it is gone already."""
        give_up(self.folder)
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S_MAX
        while _alive(self.pid):
            if time.monotonic() > deadline:
                self.kill()
                return
            time.sleep(POLL_S)

    def kill(self) -> None:
        """End it as a power cut would; what it answered for stays."""
        give_up(self.folder)
        self._signal(signal.SIGKILL)
        while _alive(self.pid):
            time.sleep(POLL_S)

    def _signal(self, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signum)


def start(folder: Path, *, fund: Sequence[str] = (), idle_s: float = IDLE_S) -> EmbeddedNode:
    """The node of `folder`: the running one if it answers, else a new process. `fund` counts only when the chain is
    founded. It is used by this process from now on (`use`).
    """
    use(folder)
    port_file = folder / "node.json"
    running = attach(folder)
    if running is not None:
        return running
    port_file.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "settlement.embedded_chain",
        "--dir",
        str(folder),
        "--port-file",
        str(port_file),
        "--idle-s",
        str(idle_s),
        "--users",
        str(folder / "users"),
    ]
    for address in fund:
        command += ["--fund", address]
    return _await(_spawn(command, folder / "node.log"), folder)


def use(folder: Path) -> None:
    """Keep the node of `folder`, now or later, alive as long as this process and what it forks, or until somebody stops
    it. Raises `NodeFailed` when one that is about to end does not get there.
    """
    if folder in _shares:
        return
    folder.mkdir(parents=True, exist_ok=True)
    share = os.open(folder / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + START_S_MAX
    while not _shared(share):
        if time.monotonic() > deadline:
            os.close(share)
            raise NodeFailed(f"the embedded chain in {folder} is ending and does not end")
        time.sleep(POLL_S)
    _shares[folder] = share


def _shared(share: int) -> bool:
    """Whether the share was taken: a node that nobody uses holds the whole file until it is gone."""
    try:
        fcntl.flock(share, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def give_up(folder: Path) -> None:
    """Use it no longer; with its last user it ends."""
    share = _shares.pop(folder, None)
    if share is not None:
        os.close(share)


def _spawn(command: list[str], log: Path) -> int:
    """Start a process in a session of its own: Ctrl-C at a terminal ends its callers, not the chain. Its pid."""
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), log_flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)


def attach(folder: Path) -> EmbeddedNode | None:
    """The node that runs in `folder`, None when none answers."""
    try:
        said = json.loads((folder / "node.json").read_text())
        node = EmbeddedNode(said["url"], said["pid"], folder)
    except (OSError, ValueError, KeyError):
        return None
    return node if _alive(node.pid) and _answers(node.url) else None


def _await(pid: int, folder: Path) -> EmbeddedNode:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        node = attach(folder)
        if node is not None:
            return node
        if not _alive(pid):
            raise NodeFailed(f"the embedded chain did not start: {(folder / 'node.log').read_text().strip()}")
        time.sleep(POLL_S)
    os.kill(pid, signal.SIGKILL)
    raise NodeFailed(f"the embedded chain did not answer within {START_S_MAX:.0f} s")


def _answers(url: str) -> bool:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 - our own loopback address
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=PROBE_S_MAX) as response:
            return "result" in json.loads(response.read())
    except (OSError, ValueError):
        return False


def _alive(pid: int) -> bool:
    """Whether the process runs; a child of ours that has ended is reaped here and counts as gone."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

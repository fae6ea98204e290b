"""The brokers tests play on: queues in the test's own database, and a RabbitMQ node of the test's own where the machine
has its programs.

A node listens on loopback alone, keeps everything in its own folder, and is ended with the test, by a guardian where
the test is killed: a node whose port mapper went first would start another, for good.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.loopback import free_port

ROOT = Path(__file__).parents[3]
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
RABBITMQ_IS_HERE = SERVER.exists() and shutil.which("epmd") is not None
START_SECONDS_MAX = 90
STOP_SECONDS_MAX = 30


@dataclass(slots=True)
class RabbitMq:
    """One node and its port mapper."""

    folder: Path
    port: int = field(default_factory=free_port)
    epmd_port: int = field(default_factory=free_port)
    dist_port: int = field(default_factory=free_port)
    _node: subprocess.Popen[bytes] | None = None
    _mapper: subprocess.Popen[bytes] | None = None
    _guardian: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Until it takes connections."""
        for name in ("home", "mnesia", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if self._mapper is None:
            command = ["epmd", "-address", "127.0.0.1", "-port", str(self.epmd_port)]
            self._mapper = subprocess.Popen(command, env=self._environment(), start_new_session=True)
        with (self.folder / "out").open("ab") as out:
            self._node = subprocess.Popen(
                [str(SERVER)], env=self._environment(), stdout=out, stderr=out, start_new_session=True
            )
        self._guard(self._node.pid, self._mapper.pid)
        until = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            assert self._node.poll() is None, (self.folder / "out").read_text()[-2_000:]
            assert time.monotonic() < until, "RabbitMQ did not start in time"
            time.sleep(0.2)

    def kill(self) -> None:
        """As a power cut would: everything of it at once."""
        assert self._node is not None
        os.killpg(self._node.pid, signal.SIGKILL)
        self._node.wait()
        self._await_no_vm()

    def stop(self) -> None:
        """End node and port mapper, in this order."""
        if self._node is not None and self._node.poll() is None:
            self._node.terminate()
            try:
                self._node.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
        self._unguard()

    def _guard(self, *groups: int) -> None:
        """These groups end when this process does."""
        self._unguard()
        command = [sys.executable, "-m", "tests.settlement.tasks.guardian"]
        self._guardian = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
        assert self._guardian.stdin is not None
        self._guardian.stdin.write("".join(f"{group}\n" for group in groups).encode())
        self._guardian.stdin.flush()

    def _unguard(self) -> None:
        if self._guardian is not None:
            self._guardian.kill()
            self._guardian.communicate()
            self._guardian = None

    def ctl(self, *words: str) -> str:
        """What `rabbitmqctl` answers."""
        command = [str(SERVER.with_name("rabbitmqctl")), "--quiet", *words]
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True).stdout

    def _answers(self) -> bool:
        """The protocol's header answered, not only the port open."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as peer:
                peer.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(peer.recv(1))
        except OSError:
            return False

    def _await_no_vm(self) -> None:
        until = time.monotonic() + STOP_SECONDS_MAX
        while self._answers():
            assert time.monotonic() < until
            time.sleep(0.05)

    def _environment(self) -> dict[str, str]:
        told = {
            "HOME": self.folder / "home",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": self.epmd_port,
            "RABBITMQ_NODENAME": f"tongdui-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": self.dist_port,
            "RABBITMQ_MNESIA_BASE": self.folder / "mnesia",
            "RABBITMQ_LOG_BASE": self.folder / "log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RABBITMQ_CONFIG_FILE": self.folder / "none",
            "RABBITMQ_CONF_ENV_FILE": self.folder / "none",
            "RABBITMQ_PID_FILE": self.folder / "pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false",
        }
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **{name: str(value) for name, value in told.items()}}

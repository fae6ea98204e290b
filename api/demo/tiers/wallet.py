"""A member's device: the wallet in a page of a headless Chromium, or in node where there is none.

Invariants: the secret is drawn on the device and kept in the device's own file beside what partners asked, readable by
its owner alone; nothing of ours reads it but to hand it back; the page comes from loopback and may load from nowhere
else. Called by `showing` and tests.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from api.demo.keys import keep
from api.demo.tiers.programs import SOURCES, Missing, browser, node
from settlement.tiers.founding import DEVELOPMENT

if TYPE_CHECKING:
    from playwright.sync_api import Page

SITE = "proofs/circuits/prover/site.mjs"
DEVICE = "proofs/circuits/prover/device.mjs"
PAGE_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'none'"
BUILD_S_MAX, CLOSE_S_MAX = 120, 10


class NotAnswered(Exception):
    """The wallet gave no proof; the message is its reason."""


class Wallet(Protocol):
    """A device with a wallet. `how` names the program it runs in."""

    @property
    def how(self) -> str: ...

    def open(self, kept: Mapping[str, Any] | None) -> dict[str, Any]:
        """Take up what the device kept, or draw a secret; what it is to keep."""
        ...

    def kept(self) -> dict[str, Any]:
        """What it is to keep by now."""
        ...

    def answer(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Look at a request and prove, or say why not."""
        ...


@dataclass(frozen=True, slots=True)
class InBrowser:
    """The wallet at `window.wallet` of a page."""

    page: Page
    how: str

    def open(self, kept: Mapping[str, Any] | None) -> dict[str, Any]:
        opened: dict[str, Any] = self.page.evaluate("kept => wallet.open(kept)", kept)
        return opened

    def kept(self) -> dict[str, Any]:
        held: dict[str, Any] = self.page.evaluate("() => wallet.kept()")
        return held

    def answer(self, told: Mapping[str, Any]) -> dict[str, Any]:
        answered: dict[str, Any] = self.page.evaluate("told => wallet.answer(told)", told)
        return answered


@dataclass(frozen=True, slots=True)
class InNode:
    """The wallet in a process that is asked by lines."""

    stdin: IO[str]
    stdout: IO[str]
    how: str = "node, without a browser"

    def open(self, kept: Mapping[str, Any] | None) -> dict[str, Any]:
        return self._asked({"open": kept})

    def kept(self) -> dict[str, Any]:
        return self._asked({"kept": None})

    def answer(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return self._asked({"answer": told})

    def _asked(self, line: Mapping[str, Any]) -> dict[str, Any]:
        self.stdin.write(json.dumps(line) + "\n")
        self.stdin.flush()
        told = self.stdout.readline()
        if not told:
            raise NotAnswered("the wallet's process ended")
        answered: dict[str, Any] = json.loads(told)
        return answered


def wallet(stack: ExitStack, folder: Path) -> tuple[Wallet, str]:
    """A device until the stack unwinds, and why it is none in a browser ("" where it is). Raises `Missing`."""
    try:
        return stack.enter_context(in_browser(folder)), ""
    except Missing as why:
        return stack.enter_context(in_node()), str(why)


@contextmanager
def in_browser(folder: Path) -> Iterator[Wallet]:
    """A page with the wallet, served from `folder`. Raises `Missing`."""
    with site(folder) as address, browser() as chromium:
        page = chromium.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        yield InBrowser(page, f"headless Chromium {chromium.version}")


@contextmanager
def in_node() -> Iterator[Wallet]:
    """A process with the wallet. Raises `Missing`."""
    command = [node(), DEVICE, str(DEVELOPMENT)]
    with subprocess.Popen(command, cwd=SOURCES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield InNode(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(CLOSE_S_MAX)


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """The address of the wallet's page on loopback. Raises `Missing`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        [node(), SITE, str(folder.resolve()), str(DEVELOPMENT)],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        timeout=BUILD_S_MAX,
        check=False,
    )
    if made.returncode:
        raise Missing(f"the wallet's page cannot be built: {made.stderr.strip()[:200]}")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(CLOSE_S_MAX)


class _Files(SimpleHTTPRequestHandler):
    """Files of the folder, under the policy of a wallet's page, and no word about them."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", PAGE_POLICY)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Device:
    """Whose device it is, and the file in which it keeps its secret."""

    wallet: Wallet
    path: Path
    member: str
    commitment: str

    def answer(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """As the wallet does; what was asked is kept."""
        answered = self.wallet.answer(told)
        self.save(self.wallet.kept())
        return answered

    def save(self, held: Mapping[str, Any]) -> None:
        keep(self.path, json.dumps({"member": self.member, **held}) + "\n")


def taken_up(found: Wallet, path: Path, member: str) -> Device:
    """The device of `path` as it was left, or a new one for `member`."""
    kept = json.loads(path.read_text(encoding="ascii")) if path.exists() else None
    owner = str(member if kept is None else kept.pop("member"))
    opened = found.open(kept)
    device = Device(found, path, owner, opened["commitment"])
    device.save(opened)
    return device

"""Programs that the demonstration and tests of pages start and that a machine may lack: node with npm's packages, and a
headless Chromium, the system's where there is one, else the one that npm installed with the project. It is driven by
Playwright, a development tool that brings no browser of its own.

Invariant: what is missing is said in one sentence (`Missing`), so that whoever asked can go on without it. Called by
the demonstration's tier part and by tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SOURCES = Path(__file__).resolve().parents[3]
NODE = Path(sys.executable).parent / "node"
PACKAGES = SOURCES / "node_modules"
UNPACK_S_MAX = 120
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-zygote"]
"""Without its sandbox, because build machines run as root; it sees pages of this project alone."""
UNPACK = 'import("@sparticuz/chromium").then(async (found) => console.log(await found.default.executablePath()))'


class Missing(Exception):
    """A program is not here, or does not start; the message says which and what would bring it."""


def node() -> str:
    """The virtual environment's node, with the packages that the prover is made of. Raises `Missing`."""
    if not NODE.exists():
        raise Missing("node is not here (./bootstrap)")
    if not (PACKAGES / "snarkjs").is_dir():
        raise Missing("npm's packages are not here (./bootstrap node)")
    return str(NODE)


def chromium() -> tuple[str, str]:
    """A Chromium that can be run here: its path, and where its libraries are if the system may lack them."""
    found = shutil.which("chromium")
    return (found, "") if found else _from_npm()


def _from_npm() -> tuple[str, str]:
    """The package's, unpacked once with the libraries that it brings for the machines it was made for."""
    if not (PACKAGES / "@sparticuz" / "chromium").is_dir():
        raise Missing("no Chromium is here (./bootstrap node brings one)")
    folder = Path(tempfile.gettempdir()) / f"tongdui-chromium-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    made_for = {**os.environ, "TMPDIR": str(folder), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    told = subprocess.run(
        [node(), "-e", UNPACK],
        cwd=SOURCES,
        env=made_for,
        capture_output=True,
        text=True,
        timeout=UNPACK_S_MAX,
        check=False,
    )
    if told.returncode:
        raise Missing(f"npm's Chromium cannot be unpacked: {told.stderr.strip()[:200]}")
    return told.stdout.strip(), str(folder / "al2023" / "lib")


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser. Raises `Missing` where there is none, or where it fails in the middle."""
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - no package of ours depends on it
    except ImportError as absent:
        raise Missing("Playwright is not here (./bootstrap)") from absent
    program, libraries = chromium()
    environment: dict[str, str | float | bool] = {**os.environ, **({"LD_LIBRARY_PATH": libraries} if libraries else {})}
    with sync_playwright() as playwright:
        try:
            with playwright.chromium.launch(executable_path=program, env=environment, args=FLAGS) as opened:
                yield opened
        except Error as error:
            raise Missing(f"{program} failed: {str(error).strip().splitlines()[0]}") from error

"""A headless Chromium for tests of pages: the system's where there is one, else the one that npm installed with the
project. Both are driven by Playwright, which brings none of its own.
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

from playwright.sync_api import Browser, sync_playwright

from tests.conftest import ROOT

NODE = Path(sys.executable).parent / "node"
UNPACK = 'import("@sparticuz/chromium").then(async (found) => console.log(await found.default.executablePath()))'


def chromium() -> tuple[str, str]:
    """A Chromium that can be run here: its path, and where its libraries are if the system may lack them."""
    found = shutil.which("chromium")
    return (found, "") if found else from_npm()


def from_npm() -> tuple[str, str]:
    """The package's, unpacked once with the libraries that it brings for the machines it was made for."""
    folder = Path(tempfile.gettempdir()) / f"tongdui-chromium-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    made_for = {**os.environ, "TMPDIR": str(folder), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"}
    told = subprocess.run([str(NODE), "-e", UNPACK], cwd=ROOT, env=made_for, capture_output=True, text=True, check=True)
    return told.stdout.strip(), str(folder / "al2023" / "lib")


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser. Without its sandbox, because build machines run as root; it sees pages of this project alone."""
    program, libraries = chromium()
    environment: dict[str, str | float | bool] = {**os.environ, **({"LD_LIBRARY_PATH": libraries} if libraries else {})}
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=program, env=environment, args=["--no-sandbox", "--disable-gpu", "--no-zygote"]
        )
        try:
            yield opened
        finally:
            opened.close()

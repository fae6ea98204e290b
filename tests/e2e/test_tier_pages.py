"""What docs/tier-proofs.md tells a newcomer to type, typed in its order against a demonstration that serves, in an
environment that has the partner's two wheels and nothing else of ours.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.demo.tiers.outside import verifier
from tests.conftest import ROOT
from tests.e2e.test_demo import free_port

RUN_S_MAX = 400
SMALL = {"TONGDUI_DEMO_EVENTS": "3000", "TONGDUI_DEMO_MEMBERS": "240", "COLUMNS": "200"}
SECTION = (ROOT / "docs" / "tier-proofs.md").read_text().split("## Verify in ten minutes")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", SECTION, re.DOTALL)
STARTED = """
import runpy, sys
sys.path[:0] = [sys.argv.pop(1)]
sys.argv.pop(0)
if sys.argv[0] == "-m":
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Takes a program or `-m` and a module, as python does."""

pytestmark = [pytest.mark.timeout(3 * RUN_S_MAX), pytest.mark.slow]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like a clone in which `make demo` was run, without the repository's own var."""
    made = tmp_path / "clone"
    made.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in {"var", ".venv", ".git"}:
            (made / entry.name).symlink_to(entry)
    (made / ".venv").symlink_to(sys.prefix)
    return made


@pytest.fixture
def api(clone: Path) -> Iterator[str]:
    """The address of the demonstration's API."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if name not in {"EVENTS", "REFUND_LINKS", "TIERS"}}
    with subprocess.Popen(
        [clone / ".venv" / "bin" / "python", "-m", "api.demo"],
        cwd=clone,
        env=inherited | SMALL | {"TONGDUI_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while "Uvicorn running" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=RUN_S_MAX)


def partners_python(folder: Path) -> Path:
    """A folder with a `python` that has what a partner's `pip install` brings."""
    installed, programs = verifier(folder), folder / "bin"
    programs.mkdir()
    python = programs / "python"
    (folder / "started.py").write_text(STARTED)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {folder / "started.py"} {installed} "$@"\n')
    python.chmod(0o755)
    return programs


def test_a_partner_integrates_by_what_the_page_says(clone: Path, api: str, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    lines, programs = ["set -eu"], iter(("ask.py", "verify.py", "verify.py"))
    for kind, text in BLOCKS:
        lines.append(text if kind == "sh" else f"cat >>{next(programs)} <<'END'\n{text}END")
    environment = os.environ | SMALL | {"API": api, "PATH": f"{partners_python(own)}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh"], input="\n".join(lines), cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "tier gold; the tier still holds on " in said
    assert "has shown Café Lindenhof: tier gold;" in said
    assert re.search(r"accepted  response\.json\n  scope      \d+\n  nullifier  \d+\n", said)
    assert (said.count("'accepted': True"), said.count("'accepted': False")) == (1, 1)
    assert said.count("was here before") == 1

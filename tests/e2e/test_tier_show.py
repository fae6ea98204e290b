"""The demonstration's tier part as a user runs it, one scene: a proof made in a browser counts everywhere once, and
nowhere twice; a newcomer types what docs/tier-proofs.md says, in an environment that has the partner's two wheels and
nothing else of ours; SIGTERM leaves nothing running; shown again on the alliance that is there, without a browser.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.demo.reset import reset
from api.demo.tiers import programs
from api.demo.tiers.outside import verifier
from ledger.postgres.embedded import running
from settlement.embedded_chain.process import attach
from tests.conftest import ROOT
from tests.loopback import free_port

RUN_S_MAX = 400
MEMBERS = 240
SMALL = {"TONGDUI_DEMO_EVENTS": "3000", "TONGDUI_DEMO_MEMBERS": str(MEMBERS), "COLUMNS": "200"}
ACCEPTED, REFUSED = "accepted", "proof-refused"
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


def environment(**chosen: str) -> dict[str, str]:
    left_out = {"EVENTS", "REFUND_LINKS", "TIERS", "SERVE", "TONGDUI_VAR"}
    return {name: value for name, value in os.environ.items() if name not in left_out} | SMALL | chosen


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that looks like a clone, without the repository's own var."""
    made = tmp_path / "clone"
    made.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in {"var", ".venv", ".git"}:
            (made / entry.name).symlink_to(entry)
    (made / ".venv").symlink_to(sys.prefix)
    return made


@contextmanager
def demonstration(clone: Path) -> Iterator[tuple[str, str]]:
    """`make demo`, serving: the address of its API, and what it said until then. Ended by SIGTERM."""
    port, said = free_port(), ""
    with subprocess.Popen(
        [clone / ".venv" / "bin" / "python", "-m", "api.demo"],
        cwd=clone,
        env=environment(TONGDUI_PORT=str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            while "Uvicorn running" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield f"http://127.0.0.1:{port}", said
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=RUN_S_MAX)
            assert process.returncode == 0, said + rest
        finally:
            process.kill()


def steps_of(var: Path) -> dict[str, tuple[str, str]]:
    told: dict[str, Any] = json.loads((var / "report.json").read_text())
    return {step["name"]: (step["state"], step["said"]) for step in told["tiers"]["steps"]}


def shown_to_everybody(var: Path, on_the_terminal: str) -> str:
    """What the report says of the demonstration's own proof; the words on the epoch."""
    steps = steps_of(var)
    assert {state for state, _ in steps.values()} == {"held"}, steps
    said = {name: words for name, (_, words) in steps.items()}
    assert f"{MEMBERS} members in one root 0x" in said["epoch"]
    assert ": tier gold." in said["asked"]
    assert "one of 50 or more" in said["proven"]
    assert "in headless Chromium " in said["proven"]
    assert said["partner's verifier"].startswith("accepted  response.json (exit code 0")
    assert "OK!" in said["snarkjs"]
    assert (said["the API"], said["the API again"]) == (ACCEPTED, REFUSED)
    assert said["Kino Nord, API"].count(REFUSED) == 2
    assert said["Kino Nord's verifier"].startswith("refused")
    assert said["the chain"].startswith("verifyTier: taken, ")
    assert said["the chain again"] in {"verifyTier: RequestUsed", "verifyTier: NullifierUsed"}
    assert said["Kino Nord, chain"] == "verifyTier: ProofInvalid"
    assert "A member's tier, proven to a partner" in on_the_terminal
    assert "A member's tier, proven to a partner" in (var / "report.html").read_text()
    assert [path for path in (var / "keys").iterdir() if path.stat().st_mode & 0o077] == []
    again = json.loads((var / "report.json").read_text())["tiers"]["again"].split()
    command = [sys.executable, *again[1:]]
    once_more = subprocess.run(command, cwd=var.parent, capture_output=True, text=True, check=False)
    assert once_more.returncode == 0, once_more.stderr
    assert once_more.stdout.startswith("accepted")
    return said["epoch"]


def partners_python(folder: Path) -> Path:
    """A folder with a `python` that has what a partner's `pip install` brings."""
    installed, bin_ = verifier(folder), folder / "bin"
    bin_.mkdir()
    python = bin_ / "python"
    (folder / "started.py").write_text(STARTED)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {folder / "started.py"} {installed} "$@"\n')
    python.chmod(0o755)
    return bin_


def typed_by_a_partner(clone: Path, api: str, own: Path) -> None:
    """What the page tells to type, in its order."""
    own.mkdir()
    lines, files = ["set -eu"], iter(("ask.py", "verify.py", "verify.py"))
    for kind, text in BLOCKS:
        lines.append(text if kind == "sh" else f"cat >>{next(files)} <<'END'\n{text}END")
    around = environment(API=api, PATH=f"{partners_python(own)}:{os.environ['PATH']}")
    command, typed = ["sh"], "\n".join(lines)
    done = subprocess.run(command, input=typed, cwd=clone, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    assert "tier gold; the tier still holds on " in said
    assert "has shown Café Lindenhof: tier gold;" in said
    assert re.search(r"accepted  response\.json\n  scope      \d+\n  nullifier  \d+\n", said)
    assert (said.count("'accepted': True"), said.count("'accepted': False")) == (1, 1)
    assert said.count("was here before") == 1


def alone(folder: Path, **chosen: str) -> subprocess.CompletedProcess[str]:
    """`make tiers`, on the alliance in the folder's var."""
    command = [sys.executable, "-m", "api.demo.tiers"]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(**chosen),
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )


def without_a_browser(folder: Path) -> dict[str, str]:
    """A Chromium that does not start, as on a machine without its libraries."""
    folder.mkdir()
    broken = folder / "chromium"
    broken.write_text("#!/bin/sh\necho 'libnss3.so: cannot open shared object file' >&2\nexit 127\n")
    broken.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_one_proof_for_everybody_who_may_check_it(clone: Path, tmp_path: Path) -> None:
    var = clone / "var"
    try:
        with demonstration(clone) as (api, said):
            epoch = shown_to_everybody(var, said)
            typed_by_a_partner(clone, api, tmp_path / "own")
        assert attach(var / "chain") is None
        assert running(var / "postgres") is None
        again = alone(clone, **without_a_browser(tmp_path / "broken"))
        assert again.returncode == 0, again.stdout + again.stderr
        assert "the API again" in again.stdout
        assert epoch.split(":")[0] in again.stdout, "the epoch in force is taken as it is"
        assert str(tmp_path / "broken" / "chromium") in again.stdout, "why it was not Chromium"
        assert "in node, without a browser" in again.stdout
    finally:
        reset(var)


def test_alone_it_wants_an_alliance(tmp_path: Path) -> None:
    done = alone(ROOT, TONGDUI_VAR=str(tmp_path / "var"))
    assert done.returncode == 2
    assert "make demo does that" in done.stdout


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "PACKAGES", tmp_path)
    with pytest.raises(programs.Missing, match="bootstrap node"):
        programs.node()

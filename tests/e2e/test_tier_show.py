"""The demonstration's tier part as a user runs it: a proof made in a browser counts everywhere once, and nowhere twice;
shown again on the alliance that is there; what is missing is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.demo.tiers import programs
from tests.conftest import ROOT

RUN_S_MAX = 400
MEMBERS = 240
SMALL = {"TONGDUI_DEMO_EVENTS": "3000", "TONGDUI_DEMO_MEMBERS": str(MEMBERS), "SERVE": "0"}
ACCEPTED, REFUSED = "accepted", "proof-refused"

pytestmark = [pytest.mark.timeout(3 * RUN_S_MAX), pytest.mark.slow]


def run(var: Path, *words: str, **chosen: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in {"EVENTS", "REFUND_LINKS", "TIERS"}}
    environment = inherited | SMALL | {"TONGDUI_VAR": str(var), "COLUMNS": "200"} | chosen
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=RUN_S_MAX, check=False
    )


def steps_of(var: Path) -> dict[str, tuple[str, str]]:
    told: dict[str, Any] = json.loads((var / "report.json").read_text())
    return {step["name"]: (step["state"], step["said"]) for step in told["tiers"]["steps"]}


def test_one_proof_for_everybody_who_may_check_it(tmp_path: Path) -> None:
    var = tmp_path / "var"
    done = run(var, "api.demo")
    assert done.returncode == 0, done.stdout + done.stderr
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
    assert "A member's tier, proven to a partner" in done.stdout
    assert "A member's tier, proven to a partner" in (var / "report.html").read_text()
    assert [path for path in (var / "keys").iterdir() if path.stat().st_mode & 0o077] == []

    again = json.loads((var / "report.json").read_text())["tiers"]["again"].split()
    once_more = subprocess.run([sys.executable, *again[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert once_more.returncode == 0, once_more.stderr
    assert once_more.stdout.startswith("accepted")

    alone = run(var, "api.demo.tiers")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "the API again" in alone.stdout
    assert said["epoch"].split(":")[0] in alone.stdout, "the epoch in force is taken as it is"


def test_without_a_browser_node_proves_and_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Chromium that does not start, as on a machine without its libraries."""
    broken = tmp_path / "bin"
    broken.mkdir()
    (broken / "chromium").write_text("#!/bin/sh\necho 'libnss3.so: cannot open shared object file' >&2\nexit 127\n")
    (broken / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken}:{os.environ['PATH']}")
    done = run(tmp_path / "var", "api.demo")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = steps_of(tmp_path / "var")
    state, why = steps.pop("browser")
    assert state == "left-out"
    assert str(broken / "chromium") in why
    assert {state for state, _ in steps.values()} == {"held"}, steps
    assert "in node, without a browser" in steps["proven"][1]


def test_too_few_members_for_a_cohort_are_sealed_and_not_asked(tmp_path: Path) -> None:
    done = run(tmp_path / "var", "api.demo", TONGDUI_DEMO_EVENTS="600", TONGDUI_DEMO_MEMBERS="30")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = steps_of(tmp_path / "var")
    assert [(name, state) for name, (state, _) in steps.items()] == [("proof", "left-out"), ("epoch", "held")]
    assert "no tier has 50 members" in steps["proof"][1]
    assert "30 members in one root" in steps["epoch"][1]


def test_alone_it_wants_an_alliance(tmp_path: Path) -> None:
    done = run(tmp_path / "var", "api.demo.tiers")
    assert done.returncode == 2
    assert "make demo does that" in done.stdout


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(programs, "PACKAGES", tmp_path)
    with pytest.raises(programs.Missing, match="bootstrap node"):
        programs.node()

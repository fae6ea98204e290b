"""Runs the attesters and the auditor as processes of their own: they get addresses, a folder and their keys, and
nothing else of us.

Invariants: a child's environment holds no setting of the operator's; what a child answers is read from the file it was
told to write, and an exit code that does not fit that file is an error, never a clean audit. Who may call: the demo's
run and tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.demo.report import Audit

ATTEST_S_MAX = 1_800
AUDIT_S_MAX = 3_600
VERDICTS = {0: "clean", 1: "findings", 2: "incomplete"}
HANDED_DOWN = ("PATH", "LANG", "LC_ALL", "TERM", "COLUMNS", "VIRTUAL_ENV", "PYTHONPATH")


class AuditFailed(Exception):
    """An auditor or attester did not do its work: it ended badly or left no answer."""


@dataclass(frozen=True, slots=True)
class Outside:
    """All that somebody who trusts nobody needs: the chain, the contract, the published files."""

    rpc: str
    hub: str
    published: Path


@dataclass(frozen=True, slots=True)
class Attester:
    """One attester's own files: its data key, its signing key, what it has signed before, and where its answer goes."""

    keys: Path
    signer: Path
    state: Path
    answer: Path


def attest(outside: Outside, attesters: Sequence[Attester]) -> list[Path]:
    """Have every attester verify what is published and sign it, all at once; the files of their answers."""
    running = [
        subprocess.Popen(_attest_command(outside, one), env=_environment(), stderr=subprocess.PIPE, text=True)
        for one in attesters
    ]
    try:
        said = [process.communicate(timeout=ATTEST_S_MAX)[1] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    for one, process, words in zip(attesters, running, said, strict=True):
        if process.returncode:
            raise AuditFailed(
                f"the attester of {one.signer.name} refused with exit code {process.returncode}: {words.strip()}"
            )
    return [one.answer for one in attesters]


def audit(outside: Outside, keys: Path, answer: Path, page: Path) -> Audit:
    """Have the auditor check everything the chain has finalised; its verdict, checks and findings."""
    answer.unlink(missing_ok=True)
    command = [*_auditor("audit", outside), "--keys", str(keys), "--out", str(answer), "--html", str(page)]
    code = subprocess.run(command, env=_environment(), timeout=AUDIT_S_MAX, check=False).returncode
    if code not in VERDICTS:
        raise AuditFailed(f"the auditor ended with exit code {code} and no verdict")
    said = _read(answer)
    if said["verdict"] != VERDICTS[code]:
        raise AuditFailed(f"the auditor ended with {VERDICTS[code]}, but {answer} says {said['verdict']}")
    checks = {f"{check['check']}. {check['promise']}": check["state"] for check in said["checks"]}
    return Audit(said["verdict"], said["findings"], checks, said["totals"]["events"])


def _attest_command(outside: Outside, one: Attester) -> list[str]:
    """Quiet, for several speak at once; the auditor proper shows its progress."""
    own = [
        "--keys",
        str(one.keys),
        "--signer",
        str(one.signer),
        "--state",
        str(one.state),
        "--out",
        str(one.answer),
        "--quiet",
    ]
    return [*_auditor("attest", outside), *own]


def _auditor(verb: str, outside: Outside) -> list[str]:
    where = ["--rpc", outside.rpc, "--hub", outside.hub, "--data", str(outside.published)]
    return [sys.executable, "-m", "auditor", verb, *where]


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in HANDED_DOWN if name in os.environ}


def _read(path: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AuditFailed(f"the auditor left no readable answer in {path}: {error}") from error
    return said

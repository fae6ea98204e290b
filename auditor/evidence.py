"""What an auditor has beside the chain and the published files: receipts, a journal's export, its own memory.

A checkpoint is what it saw or signed before: an earlier report, or an attester's state. A header that stands there
under another hash than on the chain is a split view, shown to this auditor then and to everybody now (check 30).
Source: protocol §6.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditor.chain import Commit
from auditor.findings import Findings, shown
from auditor.receipts import Held

CHECKPOINT_BYTES_MAX = 2**30


class CheckpointError(ValueError):
    """The file is neither a report nor an attester's state; the message names it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it, empty where nothing was given; `checkpoint` is the header hash (0x-hex) by batch number."""

    receipts: Sequence[Held] = ()
    journal: Path | None = None
    checkpoint: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier report: what it said of which batches, on which chain."""

    verdict: str
    first: int
    last: int
    anchor: Mapping[str, Any]
    checkpoint: Mapping[int, str]


def load_report(path: Path) -> Earlier:
    """An earlier report. Raises `CheckpointError`, and OSError."""
    told = _json(path)
    try:
        hashes = {int(each["no"]): str(each["headerHash"]) for each in told["batches"]}
        span = told["range"]
        return Earlier(str(told["verdict"]), int(span["from"]), int(span["to"]), dict(told["anchor"]), hashes)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a report: {error!r}") from error


def load_checkpoint(path: Path) -> Mapping[int, str]:
    """Header hashes by batch, from an attester's state or an earlier report. Raises `CheckpointError`, and OSError."""
    told = _json(path)
    if not isinstance(told, dict) or "signed" not in told:
        return load_report(path).checkpoint
    try:
        return {int(number): str(header_hash) for number, header_hash in told["signed"].items()}
    except (AttributeError, ValueError) as error:
        raise CheckpointError(f"{path}: not an attester's state: {error!r}") from error


def check_checkpoint(
    checkpoint: Mapping[int, str], commits: Sequence[Commit], reverted: Collection[bytes], findings: Findings
) -> int:
    """Check 30 against what is known from before; answers how many headers were compared. What the hub threw out may
    have another in its place.
    """
    gone = {shown(header_hash) for header_hash in reverted}
    there = {commit.header.batch_no: shown(commit.header_hash) for commit in commits}
    for batch_no, header_hash in sorted(checkpoint.items()):
        actual = there.get(batch_no, "no such batch on the chain")
        if actual != header_hash and header_hash not in gone:
            findings.add("checkpoint-differs", batch_no, "headerHash", expected=header_hash, actual=actual)
    return len(checkpoint)


def _json(path: Path) -> Any:
    if path.stat().st_size > CHECKPOINT_BYTES_MAX:
        raise CheckpointError(f"{path}: too long")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from error

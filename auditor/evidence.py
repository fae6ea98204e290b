"""What an auditor has beside the chain and the published files: receipts, a journal's export, its own memory.

A checkpoint is what it saw or signed before: an earlier report, or an attester's state. A header that stands there
under another hash than on the chain is a split view, shown to this auditor then and to everybody now (check 30). What
a report names was on the chain and must be there still. What an attester signed may not have been committed yet, or
may have lapsed before it was: neither is a split view. Source: protocol §6, docs/decisions/0190.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditor.chain import Chain, Commit
from auditor.findings import Findings, shown
from auditor.lapsed import Final, Sealing, lapsed, sealings_in
from auditor.receipts import Held
from auditor.signed import ReportAltered, signer_of
from proofs.json_form import hex_bytes
from proofs.words import ZERO_WORD

CHECKPOINT_BYTES_MAX = 2**30


class CheckpointError(ValueError):
    """The file is neither a report nor an attester's state; the message names it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Header hashes (0x-hex) by batch number: those that were seen on the chain, and those that were signed, with what
    says until when these could be committed.
    """

    seen: Mapping[int, str] = field(default_factory=dict)
    signed: Mapping[int, str] = field(default_factory=dict)
    sealings: Mapping[bytes, Sealing] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seen) + len(self.signed)

    def with_seen(self, more: Mapping[int, str]) -> Checkpoint:
        """The same, with what another report saw."""
        return Checkpoint(dict(self.seen) | dict(more), self.signed, self.sealings)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it, empty where nothing was given."""

    receipts: Sequence[Held] = ()
    journal: Path | None = None
    checkpoint: Checkpoint = field(default_factory=Checkpoint)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier report: what it said of which batches, on which chain."""

    verdict: str
    first: int
    last: int
    anchor: Mapping[str, Any]
    checkpoint: Mapping[int, str]


def load_report(path: Path) -> Earlier:
    """An earlier report, as its auditor signed it if one did. Raises `CheckpointError`, and OSError."""
    told = _json(path)
    try:
        signer_of(told)
        hashes = {int(each["no"]): str(each["headerHash"]) for each in told["batches"]}
        span = told["range"]
        return Earlier(str(told["verdict"]), int(span["from"]), int(span["to"]), dict(told["anchor"]), hashes)
    except ReportAltered as error:
        raise CheckpointError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: not a report: {error!r}") from error


def load_checkpoint(path: Path) -> Checkpoint:
    """What an attester's state or an earlier report holds. Raises `CheckpointError`, and OSError."""
    told = _json(path)
    if not isinstance(told, dict) or "signed" not in told:
        return Checkpoint(seen=load_report(path).checkpoint)
    try:
        signed = {int(number): str(header_hash) for number, header_hash in told["signed"].items()}
        return Checkpoint(signed=signed, sealings=sealings_in(told))
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: not an attester's state: {error!r}") from error


def check_checkpoint(checkpoint: Checkpoint, commits: Sequence[Commit], chain: Chain, findings: Findings) -> int:
    """Check 30 against what is known from before; answers how many headers were compared. What the hub threw out may
    have another in its place, and so may what was signed and lapsed; what was signed and is not committed yet is
    compared with nothing.
    """
    gone = {shown(header_hash) for each in chain.hubs for header_hash in each.reverted}
    held = {commit.header.batch_no: commit.header_hash for commit in commits}
    there = {batch_no: shown(header_hash) for batch_no, header_hash in held.items()}
    final = Final(chain.block_time, lambda batch_no: held.get(batch_no, ZERO_WORD))
    compared = [*checkpoint.seen.items(), *(each for each in checkpoint.signed.items() if each[0] in there)]
    for batch_no, header_hash in sorted(set(compared)):
        actual = there.get(batch_no, "no such batch on the chain")
        if actual == header_hash or header_hash in gone:
            continue
        signed_only = checkpoint.seen.get(batch_no) != header_hash
        if signed_only and lapsed(_raw(header_hash), checkpoint.sealings, final):
            continue
        findings.add("checkpoint-differs", batch_no, "headerHash", expected=header_hash, actual=actual)
    return len(compared)


def _raw(text: str) -> bytes:
    """No header's hash where the file holds something else."""
    try:
        return hex_bytes(text)
    except ValueError:
        return b""


def _json(path: Path) -> Any:
    if path.stat().st_size > CHECKPOINT_BYTES_MAX:
        raise CheckpointError(f"{path}: too long")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from error

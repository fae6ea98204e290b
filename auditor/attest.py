"""Attester mode: check what is sealed but not yet on the chain, and sign each header that nothing was found against.

A signature that is given cannot be taken back, so (batchNo, headerHash) is on disk before the key is used, under a
lock that admits one attester, and a second header for a number is refused unless the hub threw out the first one, in
everybody's sight. Source: protocol §3.6, §6
"attester mode".
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from auditor.audit import Means, audit
from auditor.chain import Chain, Commit
from auditor.findings import shown
from auditor.outcome import Outcome
from proofs.json_form import JsonFormError, from_json
from proofs.messages import BatchHeader, domain_separator, signed_digest
from proofs.signature import address_of, sign

SEALED_BATCHES_MAX = 1_024
HEADER_FILE_BYTES_MAX = 2**16
STATE_FILE_BYTES_MAX = 2**26
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class AttestRefused(Exception):
    """No signature can be given; the message says why."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """One signed header."""

    batch_no: int
    header_hash: bytes
    r: bytes
    vs: bytes

    def as_json(self) -> dict[str, object]:
        """As it stands in attestations.json."""
        return {
            "batchNo": self.batch_no,
            "headerHash": shown(self.header_hash),
            "r": shown(self.r),
            "vs": shown(self.vs),
        }


def attest(
    chain: Chain, folder: Path, means: Means, *, key: PrivateKey, state: Path
) -> tuple[Outcome, list[Attestation]]:
    """Audit the chain and the sealed headers of `folder` after it; sign those that nothing speaks against: every figure
    is right, nothing is missing, and no duty was broken in the batch itself (decision 0186).

    Raises `AttestRefused` when another header was signed for one of the numbers, or the state cannot be kept.
    """
    sealed = sealed_commits(chain, folder)
    outcome = audit(chain, [*chain.commits, *sealed], means)
    sound = (
        [] if outcome.incomplete else [each for each in sealed if not outcome.findings.object_to(each.header.batch_no)]
    )
    if not sound:
        return outcome, []
    separator = domain_separator(chain_id=chain.chain_id, hub=chain.hub)
    remember(state, chain, address_of(key.public_key), sound)
    return outcome, [_signed(commit, separator, key) for commit in sound]


def sealed_commits(chain: Chain, folder: Path) -> list[Commit]:
    """The headers in `<folder>/headers` that follow the last one on the chain, in order, without a gap."""
    commits: list[Commit] = []
    batch_no = max((commit.header.batch_no for commit in chain.commits), default=-1) + 1
    while len(commits) < SEALED_BATCHES_MAX:
        path = folder / "headers" / f"{batch_no + len(commits)}.json"
        if not path.exists():
            return commits
        header = _read_header(path)
        if header.batch_no != batch_no + len(commits):
            raise AttestRefused(f"{path}: holds the header of batch {header.batch_no}")
        commits.append(Commit(header, header.hash_struct()))
    return commits


def remember(state: Path, chain: Chain, attester: bytes, commits: Sequence[Commit]) -> None:
    """Put every (batchNo, headerHash) on disk before anything is signed. Raises `AttestRefused` for a second header."""
    with _locked(state):
        known = _load(state, chain, attester)
        gone = {shown(each) for each in chain.reverted}
        for commit in commits:
            number, header_hash = str(commit.header.batch_no), shown(commit.header_hash)
            signed = known["signed"].setdefault(number, header_hash)
            if signed != header_hash and signed in gone:
                known["signed"][number] = header_hash
            elif signed != header_hash:
                raise AttestRefused(f"batch {number}: {signed} is signed already, never also {header_hash}")
        _store(state, known)


def load_signer(path: Path) -> PrivateKey:
    """The attester's key: one line of hex, in a file nobody else may read. Raises `AttestRefused`."""
    if path.stat().st_mode & _OTHERS:
        raise AttestRefused(f"{path}: others may read this key; chmod 600 it")
    try:
        return PrivateKey(bytes.fromhex(path.read_text().strip().removeprefix("0x")))
    except ValueError as error:
        raise AttestRefused(f"{path}: not a secp256k1 key of 32 bytes in hex") from error


def _signed(commit: Commit, separator: bytes, key: PrivateKey) -> Attestation:
    r, vs = sign(key, signed_digest(separator, commit.header_hash))
    return Attestation(commit.header.batch_no, commit.header_hash, r, vs)


def _read_header(path: Path) -> BatchHeader:
    if path.stat().st_size > HEADER_FILE_BYTES_MAX:
        raise AttestRefused(f"{path}: too long for a header")
    try:
        return from_json(BatchHeader, json.loads(path.read_bytes()))
    except (JsonFormError, ValueError, AttributeError) as error:
        raise AttestRefused(f"{path}: not a header: {error}") from error


def _load(state: Path, chain: Chain, attester: bytes) -> dict[str, Any]:
    """What was signed so far; a state of another chain, hub or key is refused: it would hide a second header."""
    mine = {"chainId": chain.chain_id, "hub": shown(chain.hub), "attester": shown(attester)}
    if not state.exists():
        return {**mine, "signed": {}}
    if state.stat().st_size > STATE_FILE_BYTES_MAX:
        raise AttestRefused(f"{state}: too long for a state")
    try:
        known = json.loads(state.read_bytes())
        told = {name: known[name] for name in mine}
        signed = known["signed"]
    except (KeyError, TypeError, ValueError) as error:
        raise AttestRefused(f"{state}: not an attester's state: {error!r}") from error
    if told != mine or not isinstance(signed, dict):
        raise AttestRefused(f"{state}: kept for {told}, not for {mine}")
    return {**mine, "signed": signed}


def _store(state: Path, known: dict[str, Any]) -> None:
    """Aside, flushed, renamed, and the folder flushed: after a power cut the file is the old one or the new one."""
    aside = state.with_name(f".{state.name}.new")
    with aside.open("w") as file:
        json.dump(known, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(state)
    folder = os.open(state.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.with_name(f".{state.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AttestRefused(f"{state}: another attester is at work with this state") from error
        yield

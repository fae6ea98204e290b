"""Attester mode: check what is sealed but not yet on the chain, and sign each header that nothing was found against.

A signature that is given cannot be taken back, so (batchNo, headerHash) is on disk before the key is used, under a
lock that admits one attester. A second header for a number is refused unless the hub threw out the first one in
everybody's sight, or the first can never be committed any more (`lapsed`); what is refused holds up no other number.
Source: protocol §3.6, §6 "attester mode", docs/decisions/0190.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from coincurve import PrivateKey

from auditor.audit import Means, audit
from auditor.chain import Chain, Commit
from auditor.findings import shown
from auditor.lapsed import Final, Sealing, committable_until, lapsed, sealings_in
from auditor.mirrors import Mirror, in_turn
from auditor.outcome import Outcome
from proofs.json_form import JsonFormError, from_json, hex_bytes
from proofs.messages import BatchHeader, domain_separator, signed_digest
from proofs.signature import address_of, sign
from proofs.words import WORD_BYTES

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


@dataclass(frozen=True, slots=True)
class Refused:
    """A sealed header that is not signed because another one was, under the same number. `until` is the second after
    which that one has lapsed by itself; None where its time was never written down.
    """

    batch_no: int
    header_hash: bytes
    signed: str
    until: int | None

    def as_json(self) -> dict[str, object]:
        """As it stands in attestations.json."""
        told = {"batchNo": self.batch_no, "headerHash": shown(self.header_hash), "signed": self.signed}
        return told | {"until": self.until}

    def __str__(self) -> str:
        when = "" if self.until is None else f" before {self.until} on the chain"
        return f"batch {self.batch_no}: {self.signed} is signed already, not also {shown(self.header_hash)}{when}"


class Attested(NamedTuple):
    """What came of one run."""

    outcome: Outcome
    signed: list[Attestation]
    refused: list[Refused]


def nothing_final() -> Final:
    """For who does not ask: then nothing ever lapses."""
    return Final(0, lambda _: bytes(WORD_BYTES))


def attest(
    chain: Chain,
    means: Means,
    *,
    key: PrivateKey,
    state: Path,
    final: Callable[[], Final] = nothing_final,
) -> Attested:
    """Audit the chain and the sealed headers on the mirrors after it; sign those that nothing speaks against (every
    figure is right, nothing is missing, no duty was broken in the batch itself: decision 0186), but those under whose
    number another was signed that may still be committed. `final` is asked for where one was.

    Raises `AttestRefused` when the state cannot be used.
    """
    sealed = sealed_commits(chain, means.mirrors)
    outcome = audit(chain, [*chain.commits, *sealed], means)
    sound = [each for each in sealed if not outcome.findings.object_to(each.header.batch_no)]
    if outcome.incomplete or not sound:
        return Attested(outcome, [], [])
    separator = domain_separator(chain_id=chain.chain_id, hub=chain.hub)
    refused = remember(state, chain, address_of(key.public_key), sound, final)
    numbers = {each.batch_no for each in refused}
    free = [commit for commit in sound if commit.header.batch_no not in numbers]
    return Attested(outcome, [_signed(commit, separator, key) for commit in free], refused)


def sealed_commits(chain: Chain, mirrors: Sequence[Mirror]) -> list[Commit]:
    """The headers on the mirrors that follow the last one on the chain, in order, without a gap: each the one that
    stands on the one before it. Of several incarnations that do, the newest; where none does, there it ends.

    Raises `AttestRefused` where all that a mirror has under a number is no header of it.
    """
    last = max(chain.commits, key=lambda commit: commit.header.batch_no, default=None)
    batch_no, prev = (0, None) if last is None else (last.header.batch_no + 1, last.header_hash)
    commits: list[Commit] = []
    while len(commits) < SEALED_BATCHES_MAX:
        header = _sealed_header(mirrors, batch_no + len(commits), prev)
        if header is None:
            return commits
        prev = header.hash_struct()
        commits.append(Commit(header, prev))
    return commits


def _sealed_header(mirrors: Sequence[Mirror], batch_no: int, prev: bytes | None) -> BatchHeader | None:
    """The header under a number that names `prev`: the first that stands there, else the newest of its incarnations."""
    refused: AttestRefused | None = None
    for mirror in in_turn(mirrors):
        try:
            standing = _numbered(mirror, f"headers/{batch_no}.json", batch_no)
        except AttestRefused as error:
            refused = refused or error
            continue
        if standing is not None and prev in {None, standing.prev_header_hash}:
            return standing
    others = [(mirror, path) for mirror in mirrors for path in mirror.listed(f"headers/{batch_no}")]
    found = [
        header
        for mirror, path in others
        if (header := _incarnation(mirror, path, batch_no)) and header.prev_header_hash == prev
    ]
    if refused is not None and not found:
        raise refused
    return max(found, key=lambda header: header.sealed_at, default=None)


def _incarnation(mirror: Mirror, path: str, batch_no: int) -> BatchHeader | None:
    """The header that a file is named after; None where it holds anything else, which is nobody's loss."""
    try:
        header = _numbered(mirror, path, batch_no)
    except AttestRefused:
        return None
    return header if header is not None and header.hash_struct().hex() == Path(path).stem else None


def _numbered(mirror: Mirror, path: str, batch_no: int) -> BatchHeader | None:
    """The header of this batch that a mirror has under a path, None where it has nothing there."""
    data = mirror.read(path, bytes_max=HEADER_FILE_BYTES_MAX)
    if data is None:
        return None
    if len(data) > HEADER_FILE_BYTES_MAX:
        raise AttestRefused(f"{path}: too long for a header")
    try:
        header = from_json(BatchHeader, json.loads(data))
    except (JsonFormError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise AttestRefused(f"{path}: not a header: {error}") from error
    if header.batch_no != batch_no:
        raise AttestRefused(f"{path}: holds the header of batch {header.batch_no}")
    return header


def remember(
    state: Path,
    chain: Chain,
    attester: bytes,
    commits: Sequence[Commit],
    final: Callable[[], Final] = nothing_final,
) -> list[Refused]:
    """Put every (batchNo, headerHash) that may be signed on disk before anything is; those that may not."""
    with _locked(state):
        known = _load(state, chain, attester)
        sealings = known.sealings | {commit.header_hash: Sealing.of(commit.header) for commit in commits}
        replaceable = _replaceable(known.signed, commits, chain, sealings, final)
        refused = []
        for commit in commits:
            number, header_hash = str(commit.header.batch_no), shown(commit.header_hash)
            signed = known.signed.setdefault(number, header_hash)
            if signed in replaceable:
                known.signed[number] = header_hash
            elif signed != header_hash:
                refused.append(_refused(commit, signed, sealings))
        _store(state, known.identity, known.signed, _kept(sealings, chain))
    return refused


def _replaceable(
    signed: Mapping[str, str],
    commits: Sequence[Commit],
    chain: Chain,
    sealings: Mapping[bytes, Sealing],
    final: Callable[[], Final],
) -> set[str]:
    """The signed headers in whose place another of these may be signed: thrown out by the hub, or lapsed."""
    other = {
        signed[number]
        for commit in commits
        if (number := str(commit.header.batch_no)) in signed and signed[number] != shown(commit.header_hash)
    }
    gone = other & {shown(each) for each in chain.reverted}
    if gone == other:
        return gone
    now = final()
    return gone | {each for each in other if lapsed(hex_bytes(each), sealings, now)}


def _refused(commit: Commit, signed: str, sealings: Mapping[bytes, Sealing]) -> Refused:
    sealing = sealings.get(hex_bytes(signed))
    until = None if sealing is None else committable_until(sealing)
    return Refused(commit.header.batch_no, commit.header_hash, signed, until)


def _kept(sealings: Mapping[bytes, Sealing], chain: Chain) -> dict[bytes, Sealing]:
    """All but those that are final themselves: what was signed and never committed has to be known as lapsed, by the
    attester now and by whoever takes its state for a checkpoint later.
    """
    final = {commit.header_hash for commit in chain.commits if commit.on_chain and commit.on_chain.final}
    return {header_hash: each for header_hash, each in sealings.items() if header_hash not in final}


def load_signer(path: Path) -> PrivateKey:
    """The attester's key: one line of hex, in a file nobody else may read. Raises `AttestRefused`."""
    if path.stat().st_mode & _OTHERS:
        raise AttestRefused(f"{path}: others may read this key; chmod 600 it")
    try:
        return PrivateKey(hex_bytes(path.read_text().strip()))
    except ValueError as error:
        raise AttestRefused(f"{path}: not a secp256k1 key of 32 bytes in hex") from error


def _signed(commit: Commit, separator: bytes, key: PrivateKey) -> Attestation:
    r, vs = sign(key, signed_digest(separator, commit.header_hash))
    return Attestation(commit.header.batch_no, commit.header_hash, r, vs)


@dataclass(slots=True)
class _State:
    """What an attester remembers: whose it is, the header hash signed for each number, and of sealed headers what says
    until when they may be committed.
    """

    identity: dict[str, Any]
    signed: dict[str, str]
    sealings: dict[bytes, Sealing]


def _load(state: Path, chain: Chain, attester: bytes) -> _State:
    """What was signed so far; a state of another chain, hub or key is refused: it would hide a second header. One that
    was written before times were kept has none, and nothing in it lapses.
    """
    mine = {"chainId": chain.chain_id, "hub": shown(chain.hub), "attester": shown(attester)}
    if not state.exists():
        return _State(mine, {}, {})
    if state.stat().st_size > STATE_FILE_BYTES_MAX:
        raise AttestRefused(f"{state}: too long for a state")
    try:
        known = json.loads(state.read_bytes())
        told = {name: known[name] for name in mine}
        signed = known["signed"]
        sealings = sealings_in(known)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise AttestRefused(f"{state}: not an attester's state: {error!r}") from error
    if told != mine or not isinstance(signed, dict):
        raise AttestRefused(f"{state}: kept for {told}, not for {mine}")
    return _State(mine, signed, sealings)


def _store(state: Path, identity: dict[str, Any], signed: dict[str, str], sealings: Mapping[bytes, Sealing]) -> None:
    """Aside, flushed, renamed, and the folder flushed: after a power cut the file is the old one or the new one."""
    sealed = {shown(each): [s.batch_no, s.sealed_at, shown(s.prev_header_hash)] for each, s in sealings.items()}
    aside = state.with_name(f".{state.name}.new")
    with aside.open("w") as file:
        json.dump({**identity, "signed": signed, "sealed": sealed}, file, indent=1, sort_keys=True)
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

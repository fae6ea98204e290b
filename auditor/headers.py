"""Checks 2, 3, 4 and 30: the chain of headers, before any file is opened.

One `HeaderWalk` takes the commits in order and remembers only what the next header must continue: hash, leaf number,
time, last settling batch, and the frontier of the history tree. Used by `audit` and, for headers not yet on the chain,
by `attest`. Source: protocol §3.1, §3.4, §3.5, RFC 6962 §2.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from auditor.chain import Commit
from auditor.findings import Findings
from proofs.headers import Predecessor, carried_anchor, genesis_anchor, history_root
from proofs.lpb1 import LEAVES_MAX
from proofs.messages import BatchHeader
from proofs.words import ZERO_WORD

_PLACE = "header"


@dataclass(slots=True)
class History:
    """The SHA-256 history tree, grown one header hash at a time: the roots of its complete subtrees, largest first."""

    _subtrees: list[tuple[int, bytes]] = field(default_factory=list)

    def append(self, header_hash: bytes) -> None:
        """Add the next entry; equal subtrees become one."""
        size, node = 1, sha256(b"\x00" + header_hash).digest()
        while self._subtrees and self._subtrees[-1][0] == size:
            node = sha256(b"\x01" + self._subtrees.pop()[1] + node).digest()
            size *= 2
        self._subtrees.append((size, node))

    def root(self) -> bytes:
        """The RFC 6962 root over all entries so far."""
        if not self._subtrees:
            return history_root(())
        node = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            node = sha256(b"\x01" + left + node).digest()
        return node


@dataclass(slots=True)
class HeaderWalk:
    """What the next header must continue. `place` in findings is the log a header came from."""

    chain_id: int
    hub: bytes
    findings: Findings
    carried: Predecessor | None = None
    previous: Commit | None = None
    last_settling: int = 0
    history: History = field(default_factory=History)

    def take(self, commit: Commit) -> None:
        """Judge one header and make it the one to continue; whatever is wrong with it, the walk goes on from it."""
        header = commit.header
        self._check_hash(commit)
        if self.previous is None:
            self._check_opening(header)
        else:
            self._check_follows(header, self.previous.header, self.previous.header_hash)
        self._expect("history-root", header, "historyRoot", self.history.root(), header.history_root)
        self._expect("nets-since", header, "netsSinceBatch", self.last_settling, header.nets_since_batch)
        self.history.append(commit.header_hash)
        self.previous = commit
        if header.nets_hash != ZERO_WORD:
            self.last_settling = header.batch_no

    def _check_hash(self, commit: Commit) -> None:
        header, announced = commit.header, commit.header_hash
        self._expect("header-hash", header, "headerHash", header.hash_struct(), announced)
        if commit.on_chain is not None:
            self._expect("header-not-stored", header, "hub.headerHash", announced, commit.on_chain.stored_hash)
            self._check_lag(header, commit.on_chain.block_time, commit.on_chain.governance.params.seal_lag_seconds_max)

    def _check_lag(self, header: BatchHeader, committed_at: int, lag_seconds_max: int) -> None:
        if header.leaf_count and not header.sealed_at <= committed_at <= header.sealed_at + lag_seconds_max:
            allowed = f"committed within {lag_seconds_max} s of {header.sealed_at}"
            self._add("sealed-late", header, "sealedAt", allowed, committed_at)

    def _check_opening(self, header: BatchHeader) -> None:
        """A hub's first header: of one that goes on after another, what it takes over is checked against that one."""
        fixed: dict[str, tuple[object, object]] = {
            "leafCount": (0, header.leaf_count),
            "leavesRoot": (ZERO_WORD, header.leaves_root),
            "netsHash": (ZERO_WORD, header.nets_hash),
        }
        if self.carried is None:
            anchor = genesis_anchor(chain_id=self.chain_id, hub=self.hub)
            fixed |= {"batchNo": (0, header.batch_no), "firstLeafNo": (1, header.first_leaf_no)}
            fixed |= {"totalPoints": (0, header.total_points)}
        else:
            anchor = carried_anchor(self.carried, chain_id=self.chain_id, hub=self.hub)
            self.last_settling = header.nets_since_batch  # held against the old hub's, where that is read
        fixed |= {"prevHeaderHash": (anchor, header.prev_header_hash)}
        for name, (expected, actual) in fixed.items():
            self._expect("genesis", header, name, expected, actual)

    def _check_follows(self, header: BatchHeader, before: BatchHeader, before_hash: bytes) -> None:
        code = "batch-twice" if header.batch_no <= before.batch_no else "batch-missing"
        self._expect(code, header, "batchNo", before.batch_no + 1, header.batch_no)
        self._expect("prev-header", header, "prevHeaderHash", before_hash, header.prev_header_hash)
        first = before.first_leaf_no + before.leaf_count
        self._expect("first-leaf", header, "firstLeafNo", first, header.first_leaf_no)
        if not 1 <= header.leaf_count <= LEAVES_MAX:
            self._add("leaf-count", header, "leafCount", f"1 to {LEAVES_MAX}", header.leaf_count)
        if not header.opened_at <= header.sealed_at:
            self._add("times", header, "openedAt", f"no later than {header.sealed_at}", header.opened_at)
        if not before.sealed_at <= header.sealed_at:
            self._add("times", header, "sealedAt", f"no earlier than {before.sealed_at}", header.sealed_at)

    def _expect(self, code: str, header: BatchHeader, name: str, expected: object, actual: object) -> None:
        if expected != actual:
            self._add(code, header, name, expected, actual)

    def _add(self, code: str, header: BatchHeader, name: str, expected: object, actual: object) -> None:
        self.findings.add(code, header.batch_no, f"{_PLACE}.{name}", expected=expected, actual=actual)

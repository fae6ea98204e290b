"""The sealer's self-audit: before a batch is published, the stand-alone verifier looks at it in a process of its own.

Nothing of the verifier is imported here: it is called as any attester calls it, with the node, the folders and a key
that the batch is published for, and believed by its exit code. The batch is put into a folder of its own first, where
nobody else reads; what is found there never reaches a mirror. Whatever the verifier needs of earlier batches is brought
there from the mirrors by this process, which has their credentials, so that any kind of mirror will do. An inspector
says nothing when it is content. Called by `batches`. Source: docs/protocol §3.7, step 8.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from proofs.messages import BatchHeader
from settlement.alliance import Alliance
from settlement.mirrors import Mirror, MirrorError, MirrorWrong
from settlement.mirrors.folder import FolderMirror
from settlement.mirrors.keeping import copy_batch
from settlement.publish import Package, header_with, keep_header, publish, published_header

INSPECTION_SECONDS_MAX: Final = 600
WORDS_KEPT_MAX: Final = 4_000
HEADERS_AHEAD_MAX: Final = 1_024
"""So many batches may be sealed and not final: the hub's own limit."""
_ROOT = Path(__file__).parents[2]


class BatchFaulty(RuntimeError):
    """The verifier does not sign off a sealed batch, or could not look at it; its own words say why. The batch stays
    SEALED: it is looked at again with the next attempt to publish it.
    """


class Inspector(Protocol):
    """Looks at a sealed batch before anybody else sees it."""

    def inspect(self, package: Package, header: BatchHeader) -> None:
        """Nothing, or `BatchFaulty`."""


class Uninspected:
    """No self-audit: the attesters are the first to look (decision 0055)."""

    def inspect(self, package: Package, header: BatchHeader) -> None:
        """Content with everything."""


UNINSPECTED: Final = Uninspected()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditorProcess:
    """`python -m auditor examine` beside this process. `private` is a folder that nobody else reads, `mirrors` are
    where earlier batches stand, genesis among them; `keys` is the key file of a recipient.
    """

    rpc: str
    hub: bytes
    deploy_block: int
    private: Path
    mirrors: Sequence[Mirror]
    keys: Path

    def inspect(self, package: Package, header: BatchHeader) -> None:
        """As `Inspector`."""
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._stock(header)
        publish(package, header, [FolderMirror(self.private)], supersedes=self._standing(header))
        command = [sys.executable, "-m", "auditor", "examine", "--rpc", self.rpc, "--hub", "0x" + self.hub.hex()]
        command += ["--batch", str(header.batch_no), "--keys", str(self.keys), "--anchor", str(self._anchor())]
        command += [
            "--data",
            str(self.private),
            "--out",
            str(self.private / f"examined-{header.batch_no}.json"),
            "--quiet",
        ]
        try:
            done = subprocess.run(
                command, cwd=_ROOT, capture_output=True, text=True, timeout=INSPECTION_SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BatchFaulty(f"batch {header.batch_no}: no verdict in {INSPECTION_SECONDS_MAX} s") from error
        if done.returncode != 0:
            words = done.stderr.strip()[-WORDS_KEPT_MAX:]
            raise BatchFaulty(f"batch {header.batch_no}: the verifier ended with {done.returncode}: {words}")

    def _stock(self, header: BatchHeader) -> None:
        """Bring what the batch opens from: the rows of the one before and of the last that settled, and the headers of
        those that the chain may not have yet.
        """
        own = FolderMirror(self.private)
        try:
            before = self._before(header)
            for number in {header.batch_no - 1, header.nets_since_batch}:
                copy_batch(before.get(number) or self._published(own, number), self.mirrors, own)
            for earlier in before.values():
                keep_header(own, earlier)
        except MirrorError as error:
            raise BatchFaulty(f"batch {header.batch_no}: what it opens from cannot be had: {error}") from error

    def _before(self, header: BatchHeader) -> dict[int, BatchHeader]:
        """The headers that this one stands on, by number, from the first that the private folder lacks. Each is known
        by the hash that the next one names: another incarnation may stand under its number.
        """
        own, found = FolderMirror(self.private), dict[int, BatchHeader]()
        for number in range(header.batch_no - 1, max(-1, header.batch_no - HEADERS_AHEAD_MAX), -1):
            wanted = found[number + 1].prev_header_hash if number + 1 in found else header.prev_header_hash
            found[number] = self._with_hash(own, number, wanted)
            if number <= header.nets_since_batch and published_header(own, number) == found[number]:
                break
            if not found[number].leaf_count:
                break  # a hub's first header, which names no header of this hub
        return dict(sorted(found.items()))

    def _with_hash(self, own: Mirror, number: int, header_hash: bytes) -> BatchHeader:
        found = (header_with(mirror, number, header_hash) for mirror in (own, *self.mirrors))
        header = next((each for each in found if each is not None), None)
        if header is None:
            raise MirrorWrong(own.name, f"no mirror has header {header_hash.hex()} of batch {number}")
        return header

    def _published(self, own: Mirror, number: int) -> BatchHeader:
        """The header of a batch of long ago, as it was inspected, else as it was published."""
        found = (published_header(mirror, number) for mirror in (own, *self.mirrors))
        header = next((each for each in found if each is not None), None)
        if header is None:
            raise MirrorWrong(own.name, f"no mirror has the header of batch {number}")
        return header

    def _anchor(self) -> Path:
        """The verifier's trust anchor: from which block on it reads."""
        path = self.private / "anchor.json"
        path.write_text(json.dumps({"deployBlock": self.deploy_block, "hub": "0x" + self.hub.hex()}))
        return path

    def _standing(self, header: BatchHeader) -> list[bytes]:
        """What an earlier incarnation left in the private folder may be replaced."""
        standing = published_header(FolderMirror(self.private), header.batch_no)
        return [] if standing is None else [standing.hash_struct()]


def auditor_for(alliance: Alliance, mirrors: Sequence[Mirror], *, private: Path, keys: Path) -> AuditorProcess:
    """The verifier over an alliance's own node, contracts and mirrors."""
    anchor = alliance.anchor
    return AuditorProcess(
        rpc=alliance.chain.url,
        hub=anchor.hub,
        deploy_block=anchor.deploy_block,
        private=private,
        mirrors=mirrors,
        keys=keys,
    )

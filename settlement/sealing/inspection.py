"""The sealer's self-audit: before a batch is published, the stand-alone verifier looks at it in a process of its own.

Nothing of the verifier is imported here: it is called as any attester calls it, with the node, the folders and a key
that the batch is published for, and believed by its exit code. The batch is put into a folder of its own first, where
nobody else reads; what is found there never reaches a mirror. An inspector says nothing when it is content. Called by
`batches`. Source: docs/protocol §3.7, step 8.
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
from settlement.mirrors import Mirror
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Package, publish, published_header

INSPECTION_SECONDS_MAX: Final = 600
WORDS_KEPT_MAX: Final = 4_000
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
    where earlier batches stand, `keys` is the key file of a recipient.
    """

    rpc: str
    hub: bytes
    deploy_block: int
    private: Path
    mirrors: Sequence[str]
    keys: Path

    def inspect(self, package: Package, header: BatchHeader) -> None:
        """As `Inspector`."""
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        publish(package, header, [FolderMirror(self.private)], supersedes=self._standing(header))
        command = [sys.executable, "-m", "auditor", "examine", "--rpc", self.rpc, "--hub", "0x" + self.hub.hex()]
        command += ["--batch", str(header.batch_no), "--keys", str(self.keys), "--anchor", str(self._anchor())]
        for place in (str(self.private), *self.mirrors):
            command += ["--data", place]
        command += ["--out", str(self.private / f"examined-{header.batch_no}.json"), "--quiet"]
        try:
            done = subprocess.run(
                command, cwd=_ROOT, capture_output=True, text=True, timeout=INSPECTION_SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise BatchFaulty(f"batch {header.batch_no}: no verdict in {INSPECTION_SECONDS_MAX} s") from error
        if done.returncode != 0:
            words = done.stderr.strip()[-WORDS_KEPT_MAX:]
            raise BatchFaulty(f"batch {header.batch_no}: the verifier ended with {done.returncode}: {words}")

    def _anchor(self) -> Path:
        """The verifier's trust anchor: from which block on it reads."""
        path = self.private / "anchor.json"
        path.write_text(json.dumps({"deployBlock": self.deploy_block, "hub": "0x" + self.hub.hex()}))
        return path

    def _standing(self, header: BatchHeader) -> bytes | None:
        """What an earlier incarnation left in the private folder may be replaced."""
        standing = published_header(FolderMirror(self.private), header.batch_no)
        return None if standing is None else standing.hash_struct()


def auditor_for(alliance: Alliance, mirrors: Sequence[Mirror], *, private: Path, keys: Path) -> AuditorProcess:
    """The verifier over an alliance's own node, contracts and mirrors, those of them it can read: folders, http."""
    anchor = alliance.anchor
    return AuditorProcess(
        rpc=alliance.chain.url,
        hub=anchor.hub,
        deploy_block=anchor.deploy_block,
        private=private,
        mirrors=[each.name for each in mirrors if not each.name.startswith("s3://")],
        keys=keys,
    )

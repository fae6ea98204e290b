"""The tree of an epoch: its leaves from the snapshot, hashed into a file that paths are read from.

Invariants: the file follows from the rows and the secret, so any machine with the vault's key makes the same one, and
one that is damaged is made again and not believed; one process at a time writes it (`TreeBusy`); memory does not grow
with the number of members. Leaves of erased members stay as they are. Called by `epochs`, `witness` and `forgetting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from proofs.poseidon import WORD_BYTES, poseidon, poseidon_rows
from proofs.tier.attributes import Attributes
from proofs.tier.epoch_tree import EpochTree, Placed, TreeBusy, TreeError, build_of_placed, root_from
from proofs.tier.statement import epoch_tag
from settlement.tables import Conn
from settlement.tiers import epoch_secrets
from settlement.tiers.rows import Epoch
from settlement.tiers.salts import EpochSecret
from settlement.vault import Vault

LEAVES_PER_READ: Final = 10_000
OWNER_ONLY: Final = 0o700
INPUTS: Final = 4
"""Of a leaf: commitment, epoch tag, attributes, salt."""

_PADDING: Final = bytes(WORD_BYTES - Attributes.BYTES)

_LEAVES = """
SELECT l.place, l.commitment, l.attributes, b.blind, l.member_no FROM (
    SELECT * FROM settlement.tier_leaf WHERE epoch = %s AND shard = 0 AND member_no > %s ORDER BY member_no LIMIT %s
) l
LEFT JOIN LATERAL (
    SELECT blind FROM vault.tier_blind
    WHERE shard = l.shard AND member_no = l.key_member_no AND key_no = l.key_no OFFSET 0
) b ON true
ORDER BY l.member_no
"""
"""As the rows were written: in the order of places each one would be somewhere else."""
_BARE = """
SELECT place, leaf FROM settlement.tier_leaf
WHERE epoch = %s AND shard = 0 AND member_no IS NULL AND place > %s ORDER BY place LIMIT %s
"""
"""Of erased members, and read last: who is erased meanwhile may come twice, and is missed by neither."""

Seen = Callable[[int], None]
"""Told how many leaves are hashed, now and then."""


class Leaf(NamedTuple):
    """What a leaf is made from; of an erased member the leaf alone is there."""

    commitment: bytes
    attributes: bytes
    blind: bytes
    leaf: bytes | None = None


class TreeDiffers(RuntimeError):
    """The rows of an epoch do not give the root that was signed: rows or secret are not what they were."""


def unseen(_done: int) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Trees:
    """The folder of trees, one file an epoch."""

    folder: Path

    def path(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch}.tree"

    def build(self, conn: Conn, vault: Vault, epoch: Epoch, *, seen: Seen = unseen) -> int:
        """The root, with the file in place. Raises `epoch_secrets.Erased`, `TreeBusy`."""
        secret = epoch_secrets.opened(conn, vault, epoch.epoch)
        assert epoch.members is not None, f"epoch {epoch.epoch} has no snapshot"
        self.folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        path = self.path(epoch.epoch)
        try:
            return build_of_placed(path, leaves(conn, epoch, secret, seen=seen), epoch.members)
        except TreeBusy:
            raise
        except TreeError:  # a file of that name with other leaves: of another database, or damaged
            path.unlink(missing_ok=True)
            return build_of_placed(path, leaves(conn, epoch, secret, seen=seen), epoch.members)

    def path_of(self, conn: Conn, vault: Vault, epoch: Epoch, place: int) -> list[int]:
        """The siblings of a leaf, of which is sure that they lead to the epoch's root; the file is made again where it
        is not there or damaged. Raises `TreeDiffers`, `TreeBusy`, `epoch_secrets.Erased`.
        """
        found = self._read(epoch, place)
        if found is None:
            self.path(epoch.epoch).unlink(missing_ok=True)
            self.build(conn, vault, epoch)
            found = self._read(epoch, place)
        if found is None:
            raise TreeDiffers(f"epoch {epoch.epoch} does not come out with the root that it has")
        return found

    def _read(self, epoch: Epoch, place: int) -> list[int] | None:
        """The siblings, None where the file does not lead to the epoch's root."""
        try:
            with EpochTree(self.path(epoch.epoch)) as tree:
                leaf, siblings = tree.leaf(place), tree.path(place)
        except (OSError, TreeError, IndexError):
            return None
        return siblings if root_from(leaf, place, siblings) == epoch.root_element else None

    def sweep(self, keep: set[int]) -> list[str]:
        """Remove the files of all other epochs; their names."""
        wanted = {self.path(epoch).name for epoch in keep}
        gone = [path for path in sorted(self.folder.glob("epoch-*")) if path.name.removesuffix(".part") not in wanted]
        for path in gone:
            path.unlink(missing_ok=True)
        return [path.name for path in gone]


def leaves(conn: Conn, epoch: Epoch, secret: EpochSecret, *, seen: Seen = unseen) -> Iterator[Placed]:
    """The leaves of an epoch with their places, a page of rows at a time."""
    tag, member_no, done = epoch_tag(epoch.alliance_id, epoch.epoch), -1, 0
    while page := conn.execute(_LEAVES, [epoch.epoch, member_no, LEAVES_PER_READ], binary=True).fetchall():
        yield [row[0] for row in page], run_of(tag, secret, page)
        member_no, done = page[-1][-1], done + len(page)
        seen(done)
    place = -1
    while page := conn.execute(_BARE, [epoch.epoch, place, LEAVES_PER_READ], binary=True).fetchall():
        places, run = zip(*page, strict=True)
        yield places, b"".join(run)
        place = places[-1]


def run_of(tag: int, secret: EpochSecret, page: Sequence[tuple[Any, ...]]) -> bytes:
    """The leaves of many rows (place, commitment, attributes, blind, whose), each as `leaf_of` makes it."""
    middle, salt = tag.to_bytes(WORD_BYTES, "big") + _PADDING, secret.salt_word
    inputs = [
        b"".join((commitment, middle, attributes, salt(commitment, blind)))
        for _, commitment, attributes, blind, _ in page
    ]
    return poseidon_rows(b"".join(inputs), INPUTS)


def leaf_of(tag: int, secret: EpochSecret, row: Leaf) -> int:
    """One row's leaf: kept as it is of an erased member, else `proofs.tier.statement.leaf` of what the row says."""
    if row.leaf is not None:
        return int.from_bytes(row.leaf, "big")
    commitment, said = int.from_bytes(row.commitment, "big"), int.from_bytes(row.attributes, "big")
    return poseidon([commitment, tag, said, secret.salt(row.commitment, row.blind)])

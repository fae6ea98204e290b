"""The positional Merkle tree of leaves and of account rows.

Shape of RFC 9162: split at the largest power of two below n, which is the same as building level by level and promoting
an odd last node unchanged. Siblings are never sorted and never duplicated, so a path proves a position, a count and,
with two paths, adjacency. Domain separation: leaf = keccak(0x00 ‖ x), node = keccak(0x01 ‖ left ‖ right), where x is
itself a typed hash; a node can therefore never pass for a leaf.

Source: RFC 9162 §2.1.1 and §2.1.3.2, with Keccak-256 in place of SHA-256. A tree of size 0 has root ZERO_WORD and
proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofs.keccak import keccak256
from proofs.words import ZERO_WORD

LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"


def leaf_hash(item: bytes) -> bytes:
    """The tree's leaf for one 32-byte typed hash."""
    return keccak256(LEAF_PREFIX + item)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The parent of two 32-byte nodes."""
    return keccak256(NODE_PREFIX + left + right)


class Tree:
    """All levels of one tree, kept to give paths. `levels[0]` are leaf hashes, the last level is the root alone."""

    __slots__ = ("levels",)

    def __init__(self, items: Sequence[bytes]) -> None:
        level = [keccak256(LEAF_PREFIX + item) for item in items]
        self.levels = [level]
        while len(level) > 1:
            pairs = [keccak256(NODE_PREFIX + level[at] + level[at + 1]) for at in range(0, len(level) - 1, 2)]
            level = pairs if len(level) % 2 == 0 else [*pairs, level[-1]]
            self.levels.append(level)

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return len(self.levels[0])

    @property
    def root(self) -> bytes:
        """The root, 32 bytes; ZERO_WORD for an empty tree."""
        return self.levels[-1][0] if self.levels[0] else ZERO_WORD

    def path(self, index: int) -> list[bytes]:
        """The sibling hashes from leaf `index` (0-based) up to the root. Raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} of a tree of {self.size}")
        path = []
        for level in self.levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index //= 2
        return path


def root_of(items: Sequence[bytes]) -> bytes:
    """The root over typed hashes in order."""
    return Tree(items).root


def root_from_path(item: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that `path` gives for `item` at `index` of `size` leaves; None when it is a hash short or long."""
    if not 0 <= index < size:
        return None
    at, last, node = index, size - 1, leaf_hash(item)
    for sibling in path:
        if last == 0 or len(sibling) != len(ZERO_WORD):
            return None
        if at % 2 == 1 or at == last:
            node = node_hash(sibling, node)
            while at % 2 == 0 and at != 0:
                at, last = at // 2, last // 2
        else:
            node = node_hash(node, sibling)
        at, last = at // 2, last // 2
    return node if last == 0 else None


def verify(root: bytes, item: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    """Whether `item` stands at `index` in the tree of `size` leaves with this root.

    The whole path must be used, no more and no less.
    """
    return root_from_path(item, index, size, path) == root

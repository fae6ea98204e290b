"""The file of an epoch's tree: how it lies on disk, and how far a build of it has come for certain.

    4,096 bytes of head: two slots, written in turn, each with its own hash, so that one is whole whatever tears
    the filled part of level 0 (leaves), level 1, .. level 24 (the root), 32 bytes a node, big-endian

Invariants: `done` in a slot counts nodes in file order that were on disk before the slot was; a slot that does not hash
to what it says never was. Called by `epoch_tree` alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import accumulate
from typing import Final

from proofs.poseidon import poseidon
from proofs.tier.statement import DEPTH

NODE_BYTES: Final = 32
LEAVES_MAX: Final = 1 << DEPTH
DATA_OFFSET_BYTES: Final = 4_096

_MAGIC: Final = b"tongdui tier 1\n\0"
_SLOT: Final = struct.Struct(">16sIQQQ")
_SLOT_OFFSETS_BYTES: Final = (0, 2_048)
_HASH_BYTES: Final = 32


@cache
def empty(level: int) -> int:
    """The root of a subtree of that height without a leaf."""
    return poseidon([empty(level - 1)] * 2) if level else 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the levels of a tree of `count` leaves lie: `starts[k]` nodes stand before level k, the last is the sum."""

    count: int
    sizes: tuple[int, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, count: int) -> Layout:
        """Raises `ValueError` for no leaf, or more than the depth holds."""
        if not 0 < count <= LEAVES_MAX:
            raise ValueError(f"a tree has 1 to {LEAVES_MAX} leaves, not {count}")
        sizes = tuple(-(-count >> level) or 1 for level in range(DEPTH + 1))
        return cls(count, sizes, (0, *accumulate(sizes)))

    @property
    def nodes(self) -> int:
        return self.starts[-1]

    @property
    def file_bytes(self) -> int:
        return DATA_OFFSET_BYTES + self.nodes * NODE_BYTES


@dataclass(frozen=True, slots=True)
class Progress:
    """A slot: the number of leaves that the build is for, and how many nodes are certain."""

    serial: int
    count: int
    done: int


def read_progress(descriptor: int) -> Progress | None:
    """The newest whole slot, None when there is none: the file is new, foreign or damaged."""
    slots = [_slot(os.pread(descriptor, _SLOT.size + _HASH_BYTES, at)) for at in _SLOT_OFFSETS_BYTES]
    return max((slot for slot in slots if slot is not None), key=_serial, default=None)


def write_progress(descriptor: int, count: int, done: int, serial: int) -> Progress:
    """Make certain what was written so far, then say so in the older slot, then make that certain."""
    os.fdatasync(descriptor)
    packed = _SLOT.pack(_MAGIC, DEPTH, serial, count, done)
    os.pwrite(descriptor, packed + sha256(packed).digest(), _SLOT_OFFSETS_BYTES[serial % 2])
    os.fdatasync(descriptor)
    return Progress(serial, count, done)


def _serial(slot: Progress) -> int:
    return slot.serial


def _slot(data: bytes) -> Progress | None:
    packed, said = data[: _SLOT.size], data[_SLOT.size :]
    if sha256(packed).digest() != said:
        return None
    magic, depth, serial, count, done = _SLOT.unpack(packed)
    return Progress(serial, count, done) if (magic, depth) == (_MAGIC, DEPTH) else None


def read_nodes(descriptor: int, at: int, count: int) -> bytes:
    """The bytes of `count` nodes from place `at` on; fewer when the file ends before."""
    return os.pread(descriptor, count * NODE_BYTES, DATA_OFFSET_BYTES + at * NODE_BYTES)


def write_nodes(descriptor: int, at: int, data: bytes) -> None:
    """Write nodes from place `at` on, whole."""
    offset, view = DATA_OFFSET_BYTES + at * NODE_BYTES, memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset, view = offset + written, view[written:]


def numbers(data: bytes | memoryview) -> list[int]:
    """Nodes as numbers."""
    return [int.from_bytes(data[at : at + NODE_BYTES], "big") for at in range(0, len(data), NODE_BYTES)]


def as_bytes(nodes: Iterable[int]) -> bytes:
    """Numbers as nodes."""
    return b"".join([node.to_bytes(NODE_BYTES, "big") for node in nodes])


def siblings_of(index: int, sizes: Sequence[int]) -> list[tuple[int, int] | None]:
    """For each level the level and place of the sibling on the way up, None where an empty subtree stands."""
    places = [(level, (index >> level) ^ 1) for level in range(DEPTH)]
    return [(level, place) if place < sizes[level] else None for level, place in places]

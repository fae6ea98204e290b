"""An epoch's tree: 2^24 places, of which the filled part of each level lies in one file, built in bounded memory.

A build writes to `<path>.part` and renames it when the root is on disk, so a file under its own name is always whole.
A build that ended early, at whatever point, is taken up where it was last certain; the leaves are given again and
compared, and from the first that differs everything is made anew. Leaves come in their order, or in any order with
their places; these are certain all together. Two builds of one file at a time are refused.

Invariants: the root depends on the leaves and their order alone, never on how often a build was begun; a finished file
is never changed. Called by the sealing of epochs (build) and by whoever hands out paths (read).
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from proofs.poseidon import R, poseidon, poseidon_rows
from proofs.tier.statement import DEPTH
from proofs.tier.tree_file import (
    DATA_OFFSET_BYTES,
    NODE_BYTES,
    Layout,
    Progress,
    as_bytes,
    empty,
    numbers,
    read_nodes,
    read_progress,
    siblings_of,
    write_nodes,
    write_progress,
)

CHUNK_NODES: Final = 8_192
"""Nodes held in memory at a time."""
SHARED_LEVEL: Final = 8
"""From here up a node is on the paths of 256 leaves and more, and is not hashed again for each of them."""
SHARED_NODES_MAX: Final = 16_384
"""As many as two trees of a million leaves have there."""
CERTAIN_NODES: Final = 65_536
"""Nodes that are lost at most when a build dies: after so many, what was written is made certain."""


Placed: TypeAlias = tuple[Sequence[int], bytes]
"""Places and their leaves, 32 bytes each."""

_NO_LEAF: Final = "a leaf is zero, or no element of the field"
_ZERO: Final = bytes(NODE_BYTES)
_ORDER: Final = R.to_bytes(NODE_BYTES, "big")


class TreeError(ValueError):
    """A file is no finished tree, or not the tree of the leaves that were given."""


class TreeBusy(TreeError):
    """Another build of the same file is under way."""


def build(
    path: Path,
    leaves: Iterable[int],
    count: int,
    *,
    chunk_nodes: int = CHUNK_NODES,
    certain_nodes: int = CERTAIN_NODES,
) -> int:
    """`build_of_runs` of leaves that come one by one, as numbers."""
    runs = _runs(leaves, chunk_nodes)
    return build_of_runs(path, runs, count, chunk_nodes=chunk_nodes, certain_nodes=certain_nodes)


def build_of_runs(
    path: Path,
    runs: Iterable[bytes],
    count: int,
    *,
    chunk_nodes: int = CHUNK_NODES,
    certain_nodes: int = CERTAIN_NODES,
) -> int:
    """Write the tree of `count` leaves to `path` and answer its root.

    Leaves come in runs of as many as the caller likes to hold, 32 bytes each as in the file; they are field elements,
    none zero (that is the empty leaf). Where the file is there already it is compared and left. Raises `TreeError` for
    other leaves than it holds, a wrong number of leaves or one outside the field.
    """
    layout = Layout.of(count)
    if path.exists():
        return _compared(path, runs, layout)
    with _building(path, layout, chunk_nodes, certain_nodes) as builder:
        builder.write_leaves(runs)
        return builder.finish()


def build_of_placed(
    path: Path,
    runs: Iterable[Placed],
    count: int,
    *,
    chunk_nodes: int = CHUNK_NODES,
    certain_nodes: int = CERTAIN_NODES,
) -> int:
    """`build_of_runs` of leaves that come in any order, each with its place; the same one may come again.

    Raises `TreeError` as that does, and for a place that is given two leaves or none.
    """
    layout = Layout.of(count)
    if path.exists():
        return _compared_places(path, runs, layout)
    with _building(path, layout, chunk_nodes, certain_nodes) as builder:
        builder.place_leaves(runs)
        return builder.finish()


@contextmanager
def _building(path: Path, layout: Layout, chunk_nodes: int, certain_nodes: int) -> Iterator[_Builder]:
    """A build of the file, which has its name once it is finished. Raises `TreeBusy`."""
    part = path.with_name(path.name + ".part")
    descriptor = _locked(part)
    try:
        yield _Builder(descriptor, layout, chunk_nodes, certain_nodes)
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        os.close(descriptor)


def root_from(leaf: int, index: int, siblings: Iterable[int]) -> int:
    """The root that a leaf at that place has with these siblings, from the leaf up."""
    node = leaf
    for level, sibling in enumerate(siblings):
        pair = (sibling, node) if index >> level & 1 else (node, sibling)
        node = _hashed_before(*pair) if level >= SHARED_LEVEL else poseidon(pair)
    return node


@lru_cache(maxsize=SHARED_NODES_MAX)
def _hashed_before(left: int, right: int) -> int:
    """The hash of two nodes that many paths lead through: of the same two always the same."""
    return poseidon((left, right))


def positions(index: int) -> list[int]:
    """For each level 1 where the node is the right child."""
    return [index >> level & 1 for level in range(DEPTH)]


class EpochTree:
    """A finished tree, read through a memory map. Raises `TreeError` when the file is none. Close it, or use `with`."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            progress = read_progress(descriptor)
            if progress is None:
                raise TreeError(f"{path.name} is no tree of an epoch")
            self._layout = Layout.of(progress.count)
            if progress.done != self._layout.nodes or os.fstat(descriptor).st_size != self._layout.file_bytes:
                raise TreeError(f"{path.name} is not finished, or cut off")
            self.file = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)

    @property
    def count(self) -> int:
        return self._layout.count

    @property
    def root(self) -> int:
        return self._node(DEPTH, 0)

    def leaf(self, index: int) -> int:
        """The leaf at a place. Raises `IndexError` where there is none."""
        if not 0 <= index < self.count:
            raise IndexError(f"there are {self.count} leaves, none at {index}")
        return self._node(0, index)

    def path(self, index: int) -> list[int]:
        """The siblings of a leaf from the leaf up, 24 of them. Raises `IndexError` where there is no leaf."""
        if not 0 <= index < self.count:
            raise IndexError(f"there are {self.count} leaves, none at {index}")
        found = siblings_of(index, self._layout.sizes)
        return [empty(level) if where is None else self._node(*where) for level, where in enumerate(found)]

    def holds(self, index: int, run: bytes) -> bool:
        """Whether the leaves from a place on are those of the run."""
        return self._read(index, len(run) // NODE_BYTES) == run

    def check(self) -> None:
        """Make every node anew. Raises `TreeError` for the first level that is not what its leaves say."""
        for level in range(DEPTH):
            for at, made in _made(self._read, self._layout, level + 1, 0):
                if made != self._read(at, len(made) // NODE_BYTES):
                    raise TreeError(f"level {level + 1} is not made of the level below it")

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _node(self, level: int, place: int) -> int:
        return numbers(self._read(self._layout.starts[level] + place, 1))[0]

    def _read(self, at: int, count: int) -> bytes:
        start = DATA_OFFSET_BYTES + at * NODE_BYTES
        return self.file[start : start + count * NODE_BYTES]


class _Builder:
    """One build: writes levels in file order and remembers what is certain."""

    def __init__(self, descriptor: int, layout: Layout, chunk_nodes: int, certain_nodes: int) -> None:
        self._descriptor, self._layout = descriptor, layout
        self._chunk_nodes, self._certain_nodes = chunk_nodes, certain_nodes
        found = read_progress(descriptor)
        # A count of another epoch's build, or a length that is not ours: nothing of it can be used.
        fits = found is not None and found.count == layout.count and os.fstat(descriptor).st_size == layout.file_bytes
        if found is None or not fits:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, layout.file_bytes)
            found = write_progress(descriptor, layout.count, 0, 1)
        self._progress: Progress = found
        self._written = found.done

    def write_leaves(self, runs: Iterable[bytes]) -> None:
        """Level 0. Leaves that are certain already are compared; from the first other one on nothing is certain."""
        at = 0
        for data in _checked(runs, self._layout.count):
            end = at + len(data) // NODE_BYTES
            if end > self._progress.done or read_nodes(self._descriptor, at, end - at) != data:
                if at < self._progress.done:
                    self._certain(at)
                self._write(at, data)
            at = end

    def place_leaves(self, runs: Iterable[Placed]) -> None:
        """Level 0, in whatever order it comes. Certain are all leaves or none; from the first other one on, nothing."""
        layout, known = self._layout, self._progress.done >= self._layout.count
        # Room first: a full disk is an error here, and a signal in the middle of a map.
        os.posix_fallocate(self._descriptor, 0, layout.file_bytes)
        with mmap.mmap(self._descriptor, DATA_OFFSET_BYTES + layout.count * NODE_BYTES) as leaves:
            for start, leaf in _placed(runs, layout.count, leaves):
                if known and leaves[start : start + NODE_BYTES] != leaf:
                    self._certain(0)
                    known = False
                if not known:
                    leaves[start : start + NODE_BYTES] = leaf
            leaves.flush()
        if not known:
            self._certain(layout.count)

    def write_level(self, level: int) -> None:
        """A level from the one below it, from its first node that is not certain."""
        start = max(self._progress.done - self._layout.starts[level], 0)
        for at, nodes in _made(self._read, self._layout, level, start, self._chunk_nodes):
            self._write(at, nodes)

    def finish(self) -> int:
        """The levels above the leaves; the root, when everything is certain."""
        for level in range(DEPTH):
            self.write_level(level + 1)
        self._certain(self._layout.nodes)
        return numbers(self._read(self._layout.nodes - 1, 1))[0]

    def _read(self, at: int, count: int) -> bytes:
        return read_nodes(self._descriptor, at, count)

    def _write(self, at: int, data: bytes) -> None:
        write_nodes(self._descriptor, at, data)
        self._written = at + len(data) // NODE_BYTES
        if self._written - self._progress.done >= self._certain_nodes:
            self._certain(self._written)

    def _certain(self, done: int) -> None:
        self._progress = write_progress(self._descriptor, self._layout.count, done, self._progress.serial + 1)


def _made(
    read: Callable[[int, int], bytes], layout: Layout, level: int, start: int, chunk_nodes: int = CHUNK_NODES
) -> Iterator[tuple[int, bytes]]:
    """The nodes of a level from place `start` on, some thousand at a time, with the place in the file of the first."""
    below, below_size = layout.starts[level - 1], layout.sizes[level - 1]
    for place in range(start, layout.sizes[level], chunk_nodes):
        wanted = min(2 * chunk_nodes, below_size - 2 * place)
        children = read(below + 2 * place, wanted)
        if wanted % 2:
            children += as_bytes([empty(level - 1)])
        yield layout.starts[level] + place, poseidon_rows(children, 2)


def _runs(leaves: Iterable[int], chunk_nodes: int) -> Iterator[bytes]:
    """Leaves as they lie in the file, some thousand at a time. Raises `TreeError` for what is none."""
    source = iter(leaves)
    while chunk := list(islice(source, chunk_nodes)):
        if any(type(leaf) is not int or not 0 < leaf < R for leaf in chunk):
            raise TreeError(_NO_LEAF)
        yield as_bytes(chunk)


def _checked(runs: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The runs, each of leaves. Raises `TreeError` when they are not `count` leaves that a tree can have."""
    seen = 0
    for run in runs:
        if len(run) % NODE_BYTES:
            raise TreeError("a run is cut within a leaf")
        seen += len(run) // NODE_BYTES
        if seen > count:
            break
        # Numbers whose most significant byte stands first are ordered as their bytes are.
        if not all(_ZERO < run[at : at + NODE_BYTES] < _ORDER for at in range(0, len(run), NODE_BYTES)):
            raise TreeError(_NO_LEAF)
        yield run
    if seen != count:
        raise TreeError(f"{count} leaves were said to come, {'more' if seen > count else seen} came")


def _placed(runs: Iterable[Placed], count: int, file: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """Each leaf once, with where it lies in the file; by then the leaves before it lie there. Raises `TreeError` when
    they are not those of a tree of `count`.
    """
    seen, came = bytearray(count), 0
    for places, run in runs:
        if len(run) != len(places) * NODE_BYTES or not all(0 <= place < count for place in places):
            raise TreeError("a run is cut within a leaf, or names a place that the tree has not")
        for place, at in zip(places, range(0, len(run), NODE_BYTES), strict=True):
            start, leaf = DATA_OFFSET_BYTES + place * NODE_BYTES, run[at : at + NODE_BYTES]
            if seen[place]:
                if file[start : start + NODE_BYTES] != leaf:
                    raise TreeError(f"place {place} is given two leaves")
                continue
            if not _ZERO < leaf < _ORDER:
                raise TreeError(_NO_LEAF)
            seen[place] = 1
            came += 1
            yield start, leaf
    if came != count:
        raise TreeError(f"{count} leaves were said to come, {came} came")


def _compared(path: Path, runs: Iterable[bytes], layout: Layout) -> int:
    """The root of a finished file, if it is of these leaves."""
    with EpochTree(path) as tree:
        if tree.count != layout.count:
            raise TreeError(f"{path.name} is there already, of {tree.count} leaves")
        at = 0
        for run in _checked(runs, layout.count):
            if not tree.holds(at, run):
                raise TreeError(f"{path.name} is there already, with another leaf at {at} or after it")
            at += len(run) // NODE_BYTES
        return tree.root


def _compared_places(path: Path, runs: Iterable[Placed], layout: Layout) -> int:
    """The root of a finished file, if it is of these leaves."""
    with EpochTree(path) as tree:
        if tree.count != layout.count:
            raise TreeError(f"{path.name} is there already, of {tree.count} leaves")
        for start, leaf in _placed(runs, layout.count, tree.file):
            if tree.file[start : start + NODE_BYTES] != leaf:
                place = (start - DATA_OFFSET_BYTES) // NODE_BYTES
                raise TreeError(f"{path.name} is there already, with another leaf at {place}")
        return tree.root


def _locked(part: Path) -> int:
    """The unfinished file, ours alone. Raises `TreeBusy` while another build has it, or had it a moment ago."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Between opening and locking the other build may have finished: then this is its tree under its own name.
        ours = part.exists() and os.path.samestat(part.stat(), os.fstat(descriptor))
    except OSError:
        ours = False
    if not ours:
        os.close(descriptor)
        raise TreeBusy(f"{part.name} is another build's")
    return descriptor


def _sync_folder(folder: Path) -> None:
    """Make the new name certain."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

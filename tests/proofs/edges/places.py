"""Places in positional trees of sizes around powers of two, and every way a proof of place may be misused.

What a path leads to is found here by recursion from the root downwards (RFC 9162 §2.1.1), not by the climb that the
verifiers make. Large trees hold one item of their own at `index` and the same filler everywhere else, so that a
million leaves need twenty hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from proofs.keccak import keccak256

FILLER = keccak256(b"filler")
ZERO = bytes(32)
MISUSED = (1, 2, 3, 5, 7, 8, 33)
SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 1_023, 1_024, 1_025, 65_535, 65_536, 65_537, 2**20)


def hexed(data: bytes) -> str:
    """0x-hex."""
    return "0x" + data.hex()


def leaf(item: bytes) -> bytes:
    """The tree's leaf."""
    return keccak256(b"\x00" + item)


def node(left: bytes, right: bytes) -> bytes:
    """The parent."""
    return keccak256(b"\x01" + left + right)


def split_of(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


@cache
def filled(size: int) -> bytes:
    """The root of `size` fillers."""
    if size == 1:
        return leaf(FILLER)
    return node(filled(split_of(size)), filled(size - split_of(size)))


def path_of(size: int, index: int) -> list[bytes]:
    """The siblings of `index` among fillers, from the leaf upwards."""
    if size == 1:
        return []
    split = split_of(size)
    if index < split:
        return [*path_of(split, index), filled(size - split)]
    return [*path_of(size - split, index - split), filled(split)]


def outcome(size: int, index: int, item: bytes, path: Sequence[bytes]) -> tuple[str, bytes | None]:
    """("root", where the path leads), ("place", None) outside the tree, ("length", None) for a path of another one."""
    if not 0 <= index < size:
        return "place", None
    found = _down(size, index, item, list(path))
    return ("length", None) if found is None else ("root", found)


def _down(size: int, index: int, item: bytes, path: list[bytes]) -> bytes | None:
    if size == 1:
        return None if path else leaf(item)
    if not path:
        return None
    split, sibling = split_of(size), path[-1]
    if index < split:
        left = _down(split, index, item, path[:-1])
        return None if left is None else node(left, sibling)
    right = _down(size - split, index - split, item, path[:-1])
    return None if right is None else node(sibling, right)


def _row(about: str, size: int, index: int, item: bytes, path: Sequence[bytes]) -> dict[str, Any]:
    why, root = outcome(size, index, item, path)
    made = {"about": about, "size": size, "index": index, "item": hexed(item), "path": [hexed(each) for each in path]}
    return made | {"outcome": why, "root": None if root is None else hexed(root)}


def _places(size: int) -> list[int]:
    split = split_of(size) if size > 1 else 0
    return sorted({0, split - 1, split, size - 1} & set(range(size)))


def _good(size: int) -> Iterator[dict[str, Any]]:
    for index in _places(size):
        item = keccak256(b"item" + index.to_bytes(4, "big"))
        yield _row("in its place", size, index, item, path_of(size, index))


def _misuses(size: int, index: int, item: bytes, path: list[bytes]) -> Iterator[dict[str, Any]]:
    yield _row("a hash more at the top", size, index, item, [*path, ZERO])
    yield _row("a hash more at the bottom", size, index, item, [ZERO, *path])
    yield _row("outside: the size itself", size, size, item, path)
    yield _row("outside: far away", size, 2**32, item, path)
    yield _row("a tree of nothing", 0, 0, item, path)
    if index == size - 1:  # elsewhere a root alone does not fix the size of its tree; the header's count does
        yield _row("one leaf more claimed", size + 1, index, item, path)
        yield _row("one leaf fewer claimed", size - 1, index, item, path)
    if size > 1:
        yield _row("the neighbour's place", size, index ^ 1, item, path)
        yield _row("the first place", size, 0 if index else size - 1, item, path)
    if path:
        yield _row("without its lowest hash", size, index, item, path[1:])
        yield _row("without its highest hash", size, index, item, path[:-1])
        yield _row("no path at all", size, index, item, [])
        yield _row("the sibling as item", size, index, path[0], path)
        yield _row("the parent as item", size, index, node(leaf(item), path[0]), path[1:])
        yield _row(
            "the parent as item, one level up", (size + 1) // 2, index // 2, _parent(index, item, path), path[1:]
        )
        yield _row("padding for its lowest hash", size, index, item, [ZERO, *path[1:]])
        yield _row("itself for its lowest hash", size, index, item, [leaf(item), *path[1:]])
    if path != path[::-1]:
        yield _row("upside down", size, index, item, path[::-1])


def _parent(index: int, item: bytes, path: list[bytes]) -> bytes:
    return node(path[0], leaf(item)) if index % 2 else node(leaf(item), path[0])


def _wrong(size: int) -> Iterator[dict[str, Any]]:
    for index in sorted({0, size - 1}):
        item = keccak256(b"item" + index.to_bytes(4, "big"))
        path = path_of(size, index)
        right = outcome(size, index, item, path)[1]
        for row in _misuses(size, index, item, path):
            assert right is not None
            assert row["root"] != hexed(right), row
            yield row | {"against": hexed(right)}


def vectors() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "Where a path leads: `outcome` is root (then `root` says which), place (no such index) or length (a "
        "hash short or long). A misuse is no proof under the root `against`.",
        "good": [row for size in SIZES for row in _good(size)],
        "misuses": [row for size in MISUSED for row in _wrong(size)],
    }

"""Roots and paths of the positional tree by its recursive definition (RFC 9162 §2.1), for Python, JavaScript, Solidity.

    python -m tests.proofs.tree_vectors     writes proofs/vectors/tree.json

Items are keccak256 of their number as a word; every size up to 33, so that each shape of a last level is there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proofs.keccak import keccak256

VECTORS = Path(__file__).parents[2] / "proofs" / "vectors" / "tree.json"
SIZE_MAX = 33


def items(size: int) -> list[bytes]:
    return [keccak256(number.to_bytes(32, "big")) for number in range(size)]


def root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return keccak256(b"\x00" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return keccak256(b"\x01" + root(leaves[:split]) + root(leaves[split:]))


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(leaves[:split], index), root(leaves[split:])]
    return [*path(leaves[split:], index - split), root(leaves[:split])]


def vectors() -> list[dict[str, Any]]:
    """One for each size: its root, and the paths of its first, middle and last place."""
    found = []
    for size in range(1, SIZE_MAX + 1):
        leaves = items(size)
        places = sorted({0, size // 2, size - 1})
        paths = [{"index": at, "path": ["0x" + one.hex() for one in path(leaves, at)]} for at in places]
        found.append({"size": size, "root": "0x" + root(leaves).hex(), "paths": paths})
    return found


def main() -> None:
    """Write the vectors."""
    VECTORS.write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Sum trees at their limits: zero balances, one leaf, odd tails, sums at and over 2^127 − 1, and false claims of each
kind.

As in `places`, what a path leads to is found downwards by the definition; sums are plain integers, and a figure outside
0 … 2^127 − 1 anywhere ends the proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from proofs.keccak import keccak256
from tests.proofs.edges.places import hexed, split_of

SUM_MAX = 2**127 - 1
ZERO = bytes(32)


class Node(NamedTuple):
    """A hash and what stands under it."""

    hash: bytes
    total: int


def word(value: int) -> bytes:
    """As calldata has it: negative numbers in two's complement."""
    return (value % 2**256).to_bytes(32, "big")


def item_of(number: int) -> bytes:
    """What owes the balance: some hashStruct."""
    return keccak256(b"liability" + number.to_bytes(4, "big"))


def leaf_of(item: bytes, balance: int) -> Node:
    """keccak256(0x10 ‖ x ‖ balance)."""
    return Node(keccak256(b"\x10" + item + word(balance)), balance)


def node_of(left: Node, right: Node) -> Node:
    """keccak256(0x11 ‖ hL ‖ sumL ‖ hR ‖ sumR)."""
    hashed = keccak256(b"\x11" + left.hash + word(left.total) + right.hash + word(right.total))
    return Node(hashed, left.total + right.total)


def root_of(leaves: Sequence[Node]) -> Node:
    """By recursion."""
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return node_of(root_of(leaves[:split]), root_of(leaves[split:]))


def path_of(leaves: Sequence[Node], index: int) -> list[Node]:
    """From the leaf upwards."""
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*path_of(leaves[:split], index), root_of(leaves[split:])]
    return [*path_of(leaves[split:], index - split), root_of(leaves[:split])]


def outcome(size: int, index: int, leaf: Node, path: Sequence[Node]) -> tuple[str, Node | None]:
    """As in `places`, and "range" where a figure that is met before the length is found wrong is none."""
    if not 0 <= index < size:
        return "place", None
    if any(not 0 <= each.total <= SUM_MAX for each in (leaf, *path)):
        return "range", None
    found = _down(size, index, leaf, list(path))
    if found is None:
        return "length", None
    return ("root", found) if found.total <= SUM_MAX else ("range", None)


def _down(size: int, index: int, leaf: Node, path: list[Node]) -> Node | None:
    if size == 1:
        return None if path else leaf
    if not path:
        return None
    split, sibling = split_of(size), path[-1]
    if index < split:
        left = _down(split, index, leaf, path[:-1])
        return None if left is None else node_of(left, sibling)
    right = _down(size - split, index - split, leaf, path[:-1])
    return None if right is None else node_of(sibling, right)


TREES: dict[str, list[int]] = {
    "one leaf": [5],
    "one leaf that owes nothing": [0],
    "one leaf that owes all there can be": [SUM_MAX],
    "two leaves": [3, 4],
    "two leaves that owe nothing": [0, 0],
    "two leaves up to the limit": [SUM_MAX - 1, 1],
    "three leaves, the last promoted": [1, 2, 3],
    "zero in the middle": [7, 0, 9],
    "four": [1, 10, 100, 1_000],
    "five, the last promoted twice": [1, 2, 3, 4, 5],
    "all of it in the promoted last": [0, 0, 0, 0, SUM_MAX],
    "eight": list(range(8)),
    "nine": list(range(9)),
    "sixteen alike": [6] * 16,
    "seventeen": [2**64 - 1] * 17,
    "thirty-three": [at * at for at in range(33)],
}


def _node(told: Node) -> dict[str, str]:
    return {"hash": hexed(told.hash), "total": str(told.total)}


def _tree(about: str, balances: list[int]) -> dict[str, Any]:
    leaves = [leaf_of(item_of(at), balance) for at, balance in enumerate(balances)]
    places = sorted({0, len(leaves) // 2, len(leaves) - 1})
    return {
        "about": about,
        "items": [hexed(item_of(at)) for at in range(len(leaves))],
        "balances": [str(each) for each in balances],
        "root": _node(root_of(leaves)),
        "paths": [{"index": at, "path": [_node(each) for each in path_of(leaves, at)]} for at in places],
    }


@dataclass(frozen=True)
class Claim:
    """What somebody claims: this item owes this balance at this place."""

    size: int
    index: int
    item: bytes
    balance: int
    path: list[Node]


def _row(about: str, claim: Claim, against: Node) -> dict[str, Any]:
    why, root = outcome(claim.size, claim.index, leaf_of(claim.item, claim.balance), claim.path)
    assert (why, root) != ("root", against), about
    return {
        "about": about,
        "size": claim.size,
        "index": claim.index,
        "item": hexed(claim.item),
        "balance": str(claim.balance),
        "path": [_node(each) for each in claim.path],
        "outcome": why,
        "root": None if root is None else _node(root),
        "against": _node(against),
    }


def _misuses(balances: list[int], index: int) -> Iterator[dict[str, Any]]:
    leaves = [leaf_of(item_of(at), balance) for at, balance in enumerate(balances)]
    root, path = root_of(leaves), path_of(leaves, index)
    good = Claim(len(leaves), index, item_of(index), balances[index], path)
    nothing = Node(ZERO, 0)
    changes: dict[str, Claim] = {
        "a unit less owed": replace(good, balance=good.balance - 1),
        "a unit more owed": replace(good, balance=good.balance + 1),
        "a negative balance": replace(good, balance=-1),
        "a balance beyond the limit": replace(good, balance=SUM_MAX + 1),
        "a balance of 2^128": replace(good, balance=2**128),
        "a padding node more": replace(good, path=[*path, nothing]),
        "a padding node below": replace(good, path=[nothing, *path]),
        "outside": replace(good, index=good.size),
        "a tree of nothing": replace(good, size=0),
        "another item": replace(good, item=item_of(index + 1)),
    }
    if index == len(leaves) - 1:  # elsewhere a root alone does not fix the size of its tree; the header's count does
        changes["a padded size"] = replace(good, size=good.size + 1)
    if path:
        changes |= _of_path(good)
    for by in (-1, 1):
        yield _row("right, under the right hash with another total", good, Node(root.hash, root.total + by))
    for about, claim in changes.items():
        yield _row(about, claim, root)
        leaf = leaf_of(claim.item, claim.balance)
        if outcome(claim.size, claim.index, leaf, claim.path)[0] == "range":
            followed = _down(claim.size, claim.index, leaf, claim.path)
            assert followed is not None
            yield _row(f"{about}, under the root that it leads to", claim, followed)


def _of_path(good: Claim) -> dict[str, Claim]:
    path, low = good.path, good.path[0]
    shifted = [Node(low.hash, low.total + 1), *path[1:]]
    return {
        "without its lowest node": replace(good, path=path[1:]),
        "without its highest node": replace(good, path=path[:-1]),
        "no path at all": replace(good, path=[]),
        "the wrong side": replace(good, index=good.index ^ 1),
        "a unit moved to the neighbour": replace(good, balance=good.balance - 1, path=shifted),
        "a neighbour that owes less than nothing": replace(good, path=[Node(low.hash, -1), *path[1:]]),
        "a neighbour that makes the sum wrap": replace(good, path=[Node(low.hash, 2**256 - good.balance), *path[1:]]),
        "a neighbour over the limit": replace(good, path=[Node(low.hash, SUM_MAX + 1), *path[1:]]),
        "a sum over the limit": replace(good, path=[Node(low.hash, SUM_MAX), *path[1:]]),
        "a padding node for its neighbour": replace(good, path=[Node(ZERO, 0), *path[1:]]),
        "its neighbour's node as item": replace(good, item=low.hash, balance=low.total),
        "upside down": replace(good, path=path[::-1] if len(path) > 1 else [*path, *path]),
    }


def vectors() -> dict[str, Any]:
    """The file's content."""
    wrong = ([3, 4], [1, 2, 3], [1, 10, 100, 1_000], [1, 2, 3, 4, 5], [5], [2, 4, 8, 16, 32, 64, 128, 256, 512])
    return {
        "about": "Sum trees and claims about them. `outcome`: root (then `root` says where the path leads), place, "
        "length, or range: a balance or a sum is negative or over 2^127 − 1. No misuse proves anything under "
        "`against`.",
        "trees": [_tree(about, balances) for about, balances in TREES.items()],
        "misuses": [
            row for balances in wrong for at in sorted({0, len(balances) - 1}) for row in _misuses(balances, at)
        ],
    }

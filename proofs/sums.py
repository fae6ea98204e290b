"""Sum trees: how much is owed in total, and that one account is in the total, without showing the others.

A node is a hash and a sum. leaf = (keccak(0x10 ‖ x ‖ balance), balance); node = (keccak(0x11 ‖ hL ‖ sumL ‖ hR ‖ sumR),
sumL + sumR): both children's sums are hashed, so no subtotal can be hidden or made negative. The shape is that of
`tree`: positional, an odd last node promoted. One tree per issuer over member accounts, one over the issuers. Debts are
never leaves. Source: docs/protocol §2.8 (Maxwell's sum tree with both sums hashed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proofs.keccak import keccak256
from proofs.words import INT128_MAX, ZERO_WORD, uint_word

LEAF_PREFIX = b"\x10"
NODE_PREFIX = b"\x11"
SUM_MAX = INT128_MAX


class SumError(ValueError):
    """A balance or a sum is negative or does not fit 127 bits."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A node: its hash and what stands under it."""

    hash: bytes
    total: int


def sum_leaf(item: bytes, balance: int) -> Sum:
    """The leaf of a 32-byte typed hash that owes `balance`. Raises `SumError`."""
    return Sum(keccak256(LEAF_PREFIX + item + _sum_word(balance)), balance)


def sum_node(left: Sum, right: Sum) -> Sum:
    """The parent of two nodes. Raises `SumError` when the sum, or either part, is out of range."""
    hashed = left.hash + _sum_word(left.total) + right.hash + _sum_word(right.total)
    total = left.total + right.total
    _sum_word(total)
    return Sum(keccak256(NODE_PREFIX + hashed), total)


def sum_levels(leaves: Sequence[Sum]) -> list[list[Sum]]:
    """All levels from the leaves to the root alone; one empty level for no leaves."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        level = levels[-1]
        pairs = [sum_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        levels.append(pairs if len(level) % 2 == 0 else [*pairs, level[-1]])
    return levels


def sum_root(leaves: Sequence[Sum]) -> Sum:
    """The root of `leaves`; a zero hash and sum for none."""
    top = sum_levels(leaves)[-1]
    return top[0] if top else Sum(ZERO_WORD, 0)


def sum_path(leaves: Sequence[Sum], index: int) -> list[Sum]:
    """The siblings from leaf `index` up to the root. Raises IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of a sum tree of {len(leaves)}")
    path = []
    for level in sum_levels(leaves)[:-1]:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        index //= 2
    return path


def verify_sum(root: Sum, leaf: Sum, index: int, size: int, path: Sequence[Sum]) -> bool:
    """Whether `leaf` stands at `index` of `size` leaves under `root`, hash and total; the whole path must be used."""
    if not 0 <= index < size:
        return False
    at, last, node, siblings = index, size - 1, leaf, iter(path)
    try:
        while last:
            if at % 2 or at != last:
                sibling = next(siblings)
                node = sum_node(sibling, node) if at % 2 else sum_node(node, sibling)
            at, last = at // 2, last // 2
    except (StopIteration, SumError):
        return False
    return node == root and next(siblings, None) is None


def _sum_word(value: int) -> bytes:
    if not 0 <= value <= SUM_MAX:
        raise SumError(f"{value} is negative or does not fit 127 bits")
    return uint_word(value)

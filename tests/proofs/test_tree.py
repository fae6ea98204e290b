"""The positional tree against an independent recursion, and every way a path may lie."""

from __future__ import annotations

import pytest

from proofs.keccak import keccak256
from proofs.tree import Tree, leaf_hash, node_hash, root_from_path, root_of, verify
from proofs.words import ZERO_WORD

SIZES = [*range(1, 34), 64, 65, 100]


def items(count: int) -> list[bytes]:
    """`count` distinct words."""
    return [keccak256(bytes([at])) for at in range(count)]


def recursive_root(leaves: list[bytes]) -> bytes:
    """The root by RFC 9162's own definition: split at the largest power of two below n."""
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


@pytest.mark.parametrize("size", SIZES)
def test_root_is_the_definition(size: int) -> None:
    assert root_of(items(size)) == recursive_root(items(size))


@pytest.mark.parametrize("size", SIZES)
def test_every_path_verifies_at_its_place_only(size: int) -> None:
    leaves = items(size)
    tree = Tree(leaves)
    for index in range(size):
        path = tree.path(index)
        assert verify(tree.root, leaves[index], index, size, path)
        assert not any(verify(tree.root, leaves[index], other, size, path) for other in range(size) if other != index)


@pytest.mark.parametrize("size", [2, 3, 5, 8, 13, 33])
def test_a_path_of_another_length_or_order_fails(size: int) -> None:
    leaves = items(size)
    tree = Tree(leaves)
    for index in range(size):
        path = tree.path(index)
        longer = [[*path, ZERO_WORD], [ZERO_WORD, *path]]
        shorter = [[*path[:at], *path[at + 1 :]] for at in range(len(path))]
        broken = [[*path[:at], path[at][:-1] + bytes([path[at][-1] ^ 1]), *path[at + 1 :]] for at in range(len(path))]
        cut = [[*path[:at], path[at][:-1], *path[at + 1 :]] for at in range(len(path))]
        swapped = [list(reversed(path))] if len(path) > 1 else []
        assert not any(
            verify(tree.root, leaves[index], index, size, wrong) for wrong in longer + shorter + broken + cut + swapped
        )


@pytest.mark.parametrize("size", [4, 6, 9, 16])
def test_another_size_fails_where_the_shape_differs(size: int) -> None:
    leaves = items(size)
    tree = Tree(leaves)
    last = tree.path(size - 1)
    assert not verify(tree.root, leaves[-1], size - 1, size - 1, last)
    assert not verify(tree.root, leaves[-1], size - 1, size + 1, last)
    assert root_from_path(leaves[0], -1, size, tree.path(0)) is None


def test_a_node_is_no_leaf_at_any_level() -> None:
    tree = Tree(items(16))
    for height in range(1, 5):
        for at, node in enumerate(tree.levels[height]):
            path = [tree.levels[level][(at >> (level - height)) ^ 1] for level in range(height, 4)]
            assert not verify(tree.root, node, at, 16 >> height, path)


def test_an_odd_last_leaf_is_promoted_never_doubled() -> None:
    for size in range(1, 34):
        leaves = items(size)
        assert root_of(leaves) != root_of([*leaves, leaves[-1]])


def test_the_empty_tree_proves_nothing() -> None:
    tree = Tree([])
    assert tree.root == ZERO_WORD
    assert not verify(tree.root, ZERO_WORD, 0, 0, [])
    with pytest.raises(IndexError):
        tree.path(0)

"""The tree's vectors, which JavaScript and Solidity read too: what the definition says, and what our tree says."""

import json

from proofs.tree import Tree, verify
from tests.proofs.tree_vectors import SIZE_MAX, VECTORS, items, vectors

HELD = json.loads(VECTORS.read_text())


def test_the_vectors_are_the_definition() -> None:
    assert vectors() == HELD
    assert [held["size"] for held in HELD] == list(range(1, SIZE_MAX + 1))


def test_our_tree_has_the_vectors_roots_and_paths() -> None:
    for held in HELD:
        leaves = items(held["size"])
        tree = Tree(leaves)
        assert "0x" + tree.root.hex() == held["root"]
        for each in held["paths"]:
            path = [bytes.fromhex(one[2:]) for one in each["path"]]
            assert tree.path(each["index"]) == path
            assert verify(tree.root, leaves[each["index"]], each["index"], held["size"], path)

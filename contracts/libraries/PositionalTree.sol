// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Positional Merkle tree in the shape of RFC 9162, over keccak256
/// @notice Order matters: a proof shows WHICH place an item holds, so adjacency, gaps and counts are provable. Items are
/// 32-byte struct hashes; leaf(x) = keccak256(0x00 ‖ x), node(l, r) = keccak256(0x01 ‖ l ‖ r). A level's odd last node is
/// promoted unchanged, never duplicated.
/// @dev A proof either holds in full or the call reverts: an answer of "false" would let a caller forget to look, and
/// makes gas estimation of an outer call choose too little gas.
library PositionalTree {
    /// `index` is not a place of a tree of `size` items (no place exists in a tree of size 0).
    error IndexOutsideTree(uint256 index, uint256 size);
    /// The path has more or fewer hashes than the place and size call for.
    error PathLengthWrong(uint256 index, uint256 size, uint256 pathLength);
    /// The path leads to another root.
    error RootMismatch(bytes32 expected, bytes32 actual);

    /// @notice Reverts unless `item` is at `index` of the tree of `size` items with this `root`.
    /// @param item struct hash of the record, not yet hashed as a leaf
    /// @param path sibling hashes from the leaf upwards; all must be used, none may be missing (RFC 9162 §2.1.3.2)
    function requireIncluded(bytes32 root, uint256 size, uint256 index, bytes32 item, bytes32[] memory path)
        internal
        pure
    {
        bytes32 computed = rootOf(size, index, item, path);
        if (computed != root) revert RootMismatch(root, computed);
    }

    /// @notice Root that `path` leads to from `item` at `index` of `size`; reverts on a path of the wrong length.
    function rootOf(uint256 size, uint256 index, bytes32 item, bytes32[] memory path) internal pure returns (bytes32 r) {
        if (index >= size) revert IndexOutsideTree(index, size);
        uint256 fn = index;
        uint256 sn = size - 1;
        r = leaf(item);
        for (uint256 i = 0; i < path.length; ++i) {
            if (sn == 0) revert PathLengthWrong(index, size, path.length);
            if (fn & 1 == 1 || fn == sn) {
                r = node(path[i], r);
                // A promoted node has no sibling on the levels it skips.
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                r = node(r, path[i]);
            }
            fn >>= 1;
            sn >>= 1;
        }
        if (sn != 0) revert PathLengthWrong(index, size, path.length);
    }

    function leaf(bytes32 item) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", item));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }
}

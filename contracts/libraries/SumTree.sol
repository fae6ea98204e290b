// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PositionalTree} from "./PositionalTree.sol";

/// @title Sum tree: what is owed in total, and that one account is in the total (protocol §2.8)
/// @notice A node is a hash and a sum. leaf = (keccak256(0x10 ‖ x ‖ balance), balance); node = (keccak256(0x11 ‖ hL ‖ sumL
/// ‖ hR ‖ sumR), sumL + sumR). Both children's sums are hashed, so no part of a total can be hidden or made negative. Shape
/// and length of paths are those of `PositionalTree`.
/// @dev As there, a proof holds in full or the call reverts. Sums are words here, so that one out of range is told as such
/// and not lost in a narrower type.
library SumTree {
    /// A hash and what stands under it.
    struct Node {
        bytes32 hash;
        uint256 total;
    }

    uint256 internal constant SUM_MAX = (1 << 127) - 1;

    /// A balance or a sum is negative, as two's complement has it, or over `SUM_MAX`.
    error SumOutOfRange(uint256 sum);
    /// The path leads to another hash or another total.
    error SumMismatch(Node expected, Node actual);

    /// @notice Reverts unless `item` owes `balance` at `index` of `size` leaves under `root`, hash and total.
    /// @param item struct hash of the liability
    /// @param path sibling nodes from the leaf upwards; all must be used, none may be missing
    function requireIncluded(
        Node memory root,
        uint256 size,
        uint256 index,
        bytes32 item,
        uint256 balance,
        Node[] memory path
    ) internal pure {
        Node memory computed = rootOf(size, index, leaf(item, balance), path);
        if (computed.hash != root.hash || computed.total != root.total) revert SumMismatch(root, computed);
    }

    /// @notice Root that `path` leads to from the leaf `from` at `index` of `size`; reverts on a path of the wrong length.
    function rootOf(uint256 size, uint256 index, Node memory from, Node[] memory path)
        internal
        pure
        returns (Node memory r)
    {
        if (index >= size) revert PositionalTree.IndexOutsideTree(index, size);
        uint256 fn = index;
        uint256 sn = size - 1;
        r = from;
        for (uint256 i = 0; i < path.length; ++i) {
            if (sn == 0) revert PositionalTree.PathLengthWrong(index, size, path.length);
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
        if (sn != 0) revert PositionalTree.PathLengthWrong(index, size, path.length);
    }

    function leaf(bytes32 item, uint256 balance) internal pure returns (Node memory) {
        _requireInRange(balance);
        return Node(keccak256(bytes.concat(hex"10", item, bytes32(balance))), balance);
    }

    function node(Node memory left, Node memory right) internal pure returns (Node memory) {
        _requireInRange(left.total);
        _requireInRange(right.total);
        uint256 total = left.total + right.total;
        _requireInRange(total);
        bytes memory body = bytes.concat(left.hash, bytes32(left.total), right.hash, bytes32(right.total));
        return Node(keccak256(bytes.concat(hex"11", body)), total);
    }

    function _requireInRange(uint256 sum) private pure {
        if (sum > SUM_MAX) revert SumOutOfRange(sum);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PositionalTree} from "../../contracts/libraries/PositionalTree.sol";
import {VerifierHarness} from "../../contracts/mocks/VerifierHarness.sol";

/// @title The positional tree against a second way to build it, and every way to misuse a proof
/// @dev The reference splits at the largest power of two below n (RFC 9162 §2.1.1); the verifier walks levels upwards.
contract PositionalTreeTest {
    uint256 private constant SIZE_MAX = 33;

    VerifierHarness private _harness;

    function setUp() public {
        _harness = new VerifierHarness();
    }

    function test_EveryPlaceOfEverySizeIsProven() public view {
        for (uint256 n = 1; n <= SIZE_MAX; ++n) {
            (bytes32[] memory items, bytes32 root) = _tree(n);
            for (uint256 i = 0; i < n; ++i) {
                assert(PositionalTree.rootOf(n, i, items[i], _path(items, i)) == root);
                if (i % 8 == 0) _harness.requireIncluded(root, n, i, items[i], _path(items, i));
            }
        }
    }

    function test_APathMustHaveItsOwnLength() public view {
        for (uint256 n = 1; n <= SIZE_MAX; ++n) {
            (bytes32[] memory items, bytes32 root) = _tree(n);
            for (uint256 i = 0; i < n; i += 1 + n / 8) {
                bytes32[] memory path = _path(items, i);
                _assertFails(root, n, i, items[i], _resized(path, path.length + 1));
                for (uint256 shorter = 0; shorter < path.length; ++shorter) {
                    _assertFails(root, n, i, items[i], _resized(path, shorter));
                }
            }
        }
    }

    function test_EachHashOfAPathMatters() public pure {
        for (uint256 n = 2; n <= SIZE_MAX; ++n) {
            (bytes32[] memory items, bytes32 root) = _tree(n);
            for (uint256 i = 0; i < n; ++i) {
                bytes32[] memory path = _path(items, i);
                for (uint256 k = 0; k < path.length; ++k) {
                    path[k] = bytes32(uint256(path[k]) ^ 1);
                    assert(PositionalTree.rootOf(n, i, items[i], path) != root);
                    path[k] = bytes32(uint256(path[k]) ^ 1);
                }
            }
        }
    }

    /// A sorted-pair tree would take an item at its sibling's place; a positional one must not.
    function test_AnotherPlaceFails() public view {
        for (uint256 n = 2; n <= SIZE_MAX; ++n) {
            (bytes32[] memory items, bytes32 root) = _tree(n);
            for (uint256 i = 0; i < n; i += 1 + n / 8) {
                bytes32[] memory path = _path(items, i);
                _assertFails(root, n, i ^ 1, items[i], path);
                _assertFails(root, n, (i + n / 2) % n, items[(i + n / 2 + 1) % n], path);
                _assertFails(root, n, n + i, items[i], path);
            }
        }
    }

    /// A root alone does not fix a tree's size; the header's leafCount does. What a wrong size must never do is let the last
    /// place pass for another, or another item pass at all.
    function test_AWrongSizeFailsAtTheLastPlace() public view {
        for (uint256 n = 1; n <= SIZE_MAX; ++n) {
            (bytes32[] memory items, bytes32 root) = _tree(n);
            bytes32[] memory path = _path(items, n - 1);
            _assertFails(root, n + 1, n - 1, items[n - 1], path);
            _assertFails(root, n - 1, n - 1, items[n - 1], path);
        }
    }

    function test_AnInnerNodeIsNoItem() public view {
        for (uint256 n = 2; n <= SIZE_MAX; ++n) {
            (bytes32[] memory items, bytes32 root) = _tree(n);
            for (uint256 i = 0; i < n; i += 1 + n / 4) {
                _assertNoNodePasses(items, root, i);
            }
        }
    }

    function test_ADuplicatedTailGivesAnotherRoot() public pure {
        for (uint256 n = 1; n <= SIZE_MAX; ++n) {
            (bytes32[] memory items, bytes32 root) = _tree(n);
            bytes32[] memory longer = _resized(items, n + 1);
            longer[n] = items[n - 1];
            assert(root != _root(longer, 0, n + 1));
        }
    }

    function test_NothingIsProvenInAnEmptyTree() public view {
        _assertFails(bytes32(0), 0, 0, bytes32(0), new bytes32[](0));
    }

    function testFuzz_RandomTreesProveTheirItemsAndNoOthers(uint256 seed, uint16 size, uint256 index, bytes32 stranger)
        public
        view
    {
        uint256 n = 1 + size % 200;
        uint256 i = index % n;
        bytes32[] memory items = _items(n, seed);
        bytes32 root = _root(items, 0, n);
        bytes32[] memory path = _path(items, i);
        _harness.requireIncluded(root, n, i, items[i], path);
        if (stranger != items[i]) _assertFails(root, n, i, stranger, path);
    }

    /// On the way up from an item, offers each node in place of an item, with what is left of path and place.
    function _assertNoNodePasses(bytes32[] memory items, bytes32 root, uint256 index) private view {
        bytes32[] memory path = _path(items, index);
        (uint256 fn, uint256 sn) = (index, items.length - 1);
        bytes32 value = PositionalTree.leaf(items[index]);
        for (uint256 used = 0; used <= path.length; ++used) {
            bytes32[] memory rest = new bytes32[](path.length - used);
            for (uint256 k = 0; k < rest.length; ++k) {
                rest[k] = path[used + k];
            }
            _assertFails(root, sn + 1, fn, value, rest);
            if (used == path.length) break;
            while (fn & 1 == 0 && fn == sn && sn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
            value = fn & 1 == 1 ? PositionalTree.node(path[used], value) : PositionalTree.node(value, path[used]);
            fn >>= 1;
            sn >>= 1;
        }
    }

    function _assertFails(bytes32 root, uint256 size, uint256 index, bytes32 item, bytes32[] memory path) private view {
        try _harness.requireIncluded(root, size, index, item, path) {
            assert(false);
        } catch {}
    }

    function _tree(uint256 n) private pure returns (bytes32[] memory items, bytes32 root) {
        items = _items(n, n);
        root = _root(items, 0, n);
    }

    function _items(uint256 n, uint256 seed) private pure returns (bytes32[] memory items) {
        items = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            items[i] = keccak256(abi.encode(seed, i));
        }
    }

    function _root(bytes32[] memory items, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return keccak256(bytes.concat(hex"00", items[from]));
        uint256 middle = from + _split(to - from);
        return keccak256(bytes.concat(hex"01", _root(items, from, middle), _root(items, middle, to)));
    }

    function _path(bytes32[] memory items, uint256 index) private pure returns (bytes32[] memory path) {
        path = new bytes32[](32);
        uint256 length = 0;
        (uint256 from, uint256 to) = (0, items.length);
        while (to - from > 1) {
            uint256 middle = from + _split(to - from);
            bool left = index < middle;
            path[length++] = left ? _root(items, middle, to) : _root(items, from, middle);
            (from, to) = left ? (from, middle) : (middle, to);
        }
        path = _resized(path, length);
        for (uint256 k = 0; k < length / 2; ++k) {
            (path[k], path[length - 1 - k]) = (path[length - 1 - k], path[k]);
        }
    }

    function _split(uint256 n) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < n) k *= 2;
    }

    function _resized(bytes32[] memory a, uint256 length) private pure returns (bytes32[] memory b) {
        b = new bytes32[](length);
        for (uint256 i = 0; i < length && i < a.length; ++i) {
            b[i] = a[i];
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IForcedQueue} from "../../contracts/interfaces/IForcedQueue.sol";
import {IMerchantRegistry} from "../../contracts/interfaces/IMerchantRegistry.sol";
import {PositionalTree} from "../../contracts/libraries/PositionalTree.sol";
import {AccountRow, BatchHeader, Net, PointsEvent, SettlementLeaf, Words} from "../../contracts/libraries/Words.sol";
import {HubFixture} from "./HubFixture.sol";
import {VM} from "./Vm.sol";

/// @title Forced events of several lanes in any order: first in first out, and never a commit past an overdue one
contract ForcedOrderTest is HubFixture {
    uint32 private constant LANES = 4;
    uint256 private constant KEY = 0xA11CE;
    uint8 private constant VOID = 9;

    error TakenBack();

    PointsEvent[] private _waiting;
    AccountRow[] private _rows;
    BatchHeader private _last;
    uint64[LANES] private _seqs;

    function setUp() public {
        _found(LANES, NO_BOND);
        IMerchantRegistry.NewKey[] memory keys = new IMerchantRegistry.NewKey[](LANES);
        for (uint32 i = 0; i < LANES; ++i) {
            keys[i] = IMerchantRegistry.NewKey(i + 1, 1, VM.addr(KEY + i), uint16(1) << VOID);
        }
        _registry.addKeys(keys);
        _commitRows();
    }

    /// Forces some VOIDs, lets time pass, merges a prefix of them late, and checks at each step what the hub takes.
    function testFuzz_FirstInFirstOut(uint256 seed, uint8 count, uint8 merged, uint24 wait) public {
        uint256 forced = 1 + count % 10;
        for (uint256 i = 0; i < forced; ++i) {
            _force(uint32(uint256(keccak256(abi.encode(seed, i))) % LANES));
        }
        _pass(wait % 3 days);
        bool overdue = _now > _queue.entry(1).dueAt;
        assert(_takesLogBatch() == !overdue);
        uint256 part = merged % (forced + 1);
        _mergeFirst(part, overdue);
        (uint64 head, uint64 tail) = _queue.queue();
        assert(head == part + 1 && tail == forced + 1);
        assert(_takesLogBatch() == (part == forced || !overdue));
    }

    /// A batch with the first `part` events. Where they are overdue it is covered first, and only taken if all are in it.
    function _mergeFirst(uint256 part, bool overdue) private {
        if (part == 0) return;
        SettlementLeaf[] memory leaves = new SettlementLeaf[](part);
        for (uint256 i = 0; i < part; ++i) {
            leaves[i].leafNo = _hub.nextLeafNo() + uint64(i);
            leaves[i].eventHash = Words.hash(_waiting[i]);
        }
        if (overdue && part < _waiting.length) {
            // A batch that leaves one out is refused; within the deadline it would have been taken.
            BatchHeader memory partly = _headerOver(leaves);
            for (uint64 i = 0; i < leaves.length; ++i) {
                _queue.coverForced(i + 1, _proof(partly, leaves, i));
            }
            assert(!_takes(partly));
            _dischargeWithoutDeadline(leaves);
            return;
        }
        BatchHeader memory h = _headerOver(leaves);
        for (uint64 i = 0; overdue && i < part; ++i) {
            _queue.coverForced(i + 1, _proof(h, leaves, i));
        }
        _hub.commitBatch(h, new Net[](0), new bytes32[2][](0));
        for (uint64 i = 0; !overdue && i < part; ++i) {
            if (i + 1 < part) _refusesOutOfOrder(i + 2, h, leaves, i + 1);
            _queue.dischargeForced(i + 1, _proof(h, leaves, i));
        }
    }

    /// Goes back to before the deadline, where the same batch is taken and discharges its part in order.
    function _dischargeWithoutDeadline(SettlementLeaf[] memory leaves) private {
        VM.warp(_queue.entry(1).dueAt);
        BatchHeader memory h = _headerOver(leaves);
        (h.openedAt, h.sealedAt) = (_queue.entry(1).dueAt, _queue.entry(1).dueAt);
        _hub.commitBatch(h, new Net[](0), new bytes32[2][](0));
        for (uint64 i = 0; i < leaves.length; ++i) {
            _queue.dischargeForced(i + 1, _proof(h, leaves, i));
        }
        VM.warp(_now);
    }

    function _refusesOutOfOrder(uint64 id, BatchHeader memory h, SettlementLeaf[] memory leaves, uint256 index) private {
        try _queue.dischargeForced(id, _proof(h, leaves, index)) {
            assert(false);
        } catch (bytes memory reason) {
            assert(bytes4(reason) == IForcedQueue.NotHead.selector);
        }
    }

    function _takesLogBatch() private returns (bool) {
        return _takes(_header(new Net[](0)));
    }

    /// Whether the hub takes it now; takes it back if so, so that nothing has happened.
    function _takes(BatchHeader memory h) private returns (bool taken) {
        try this.tryCommit(h) {
            assert(false);
        } catch (bytes memory reason) {
            taken = bytes4(reason) == TakenBack.selector;
            assert(taken || bytes4(reason) == IForcedQueue.ForcedOverdue.selector);
        }
    }

    function tryCommit(BatchHeader calldata h) external {
        _hub.commitBatch(h, new Net[](0), new bytes32[2][](0));
        revert TakenBack();
    }

    function _force(uint32 lane) private {
        PointsEvent memory e;
        (e.kind, e.merchantId, e.keyId, e.nonce) = (VOID, lane + 1, 1, ++_seqs[lane]);
        bytes32 digest = keccak256(bytes.concat(hex"1901", _hub.domainSeparator(), Words.hash(e)));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY + lane, digest);
        bytes32 vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
        IForcedQueue.RowProof memory proof = IForcedQueue.RowProof(_last, _rows[lane], lane, _path(_rowHashes(), lane));
        assert(_queue.forceEvent(e, [r, vs], proof) == _waiting.length + 1);
        _waiting.push(e);
    }

    function _commitRows() private {
        for (uint32 i = 0; i < LANES; ++i) {
            AccountRow memory row;
            row.account = _queue.laneAccount(i + 1, 1);
            _rows.push(row);
        }
        BatchHeader memory h = _header(new Net[](0));
        (h.accountsCount, h.accountsRoot) = (LANES, _root(_rowHashes()));
        _hub.commitBatch(h, new Net[](0), new bytes32[2][](0));
        _last = h;
    }

    function _headerOver(SettlementLeaf[] memory leaves) private view returns (BatchHeader memory h) {
        h = _header(new Net[](0));
        (h.leafCount, h.leavesRoot) = (uint32(leaves.length), _root(_leafHashes(leaves)));
    }

    function _proof(BatchHeader memory h, SettlementLeaf[] memory leaves, uint256 index)
        private
        view
        returns (IForcedQueue.LeafProof memory)
    {
        return IForcedQueue.LeafProof(h, leaves[index], index, _path(_leafHashes(leaves), index), _waiting[index]);
    }

    function _rowHashes() private view returns (bytes32[] memory items) {
        items = new bytes32[](LANES);
        for (uint256 i = 0; i < LANES; ++i) {
            items[i] = Words.hash(_rows[i]);
        }
    }

    function _leafHashes(SettlementLeaf[] memory leaves) private pure returns (bytes32[] memory items) {
        items = new bytes32[](leaves.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            items[i] = Words.hash(leaves[i]);
        }
    }

    function _root(bytes32[] memory items) private pure returns (bytes32) {
        bytes32[] memory level = _leafLevel(items);
        while (level.length > 1) {
            level = _up(level);
        }
        return level[0];
    }

    function _path(bytes32[] memory items, uint256 index) private pure returns (bytes32[] memory path) {
        bytes32[] memory level = _leafLevel(items);
        path = new bytes32[](0);
        for (; level.length > 1; index >>= 1) {
            if (index ^ 1 < level.length) path = _with(path, level[index ^ 1]);
            level = _up(level);
        }
    }

    function _leafLevel(bytes32[] memory items) private pure returns (bytes32[] memory level) {
        level = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            level[i] = PositionalTree.leaf(items[i]);
        }
    }

    function _up(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i + 1 < level.length; i += 2) {
            above[i / 2] = PositionalTree.node(level[i], level[i + 1]);
        }
        if (level.length % 2 == 1) above[level.length / 2] = level[level.length - 1];
    }

    function _with(bytes32[] memory path, bytes32 hash) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
        longer[path.length] = hash;
    }
}

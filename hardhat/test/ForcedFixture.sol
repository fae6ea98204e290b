// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IForcedQueue} from "../../contracts/interfaces/IForcedQueue.sol";
import {IMerchantRegistry} from "../../contracts/interfaces/IMerchantRegistry.sol";
import {PositionalTree} from "../../contracts/libraries/PositionalTree.sol";
import {AccountRow, BatchHeader, Net, PointsEvent, SettlementLeaf, Words} from "../../contracts/libraries/Words.sol";
import {HubFixture} from "./HubFixture.sol";
import {VM} from "./Vm.sol";

/// @title Lanes of some merchants, events forced in them, and batches that hold such events and say how far each lane is
/// @dev Lane i is key 1 of merchant i + 1. Every batch is kept, so that its leaves can be shown later.
abstract contract ForcedFixture is HubFixture {
    uint32 internal constant LANES = 4;
    uint8 internal constant EARN = 1;
    uint8 internal constant VOID = 9;
    uint256 private constant KEY = 0xA11CE;
    uint16 private constant MASK = (1 << 1) | (1 << 9);

    struct Kept {
        BatchHeader header;
        SettlementLeaf[] leaves;
        PointsEvent[] events;
        uint64[LANES] seqs;
    }

    /// By batch number; a batch that was thrown out is overwritten by the one that takes its number.
    mapping(uint64 batchNo => Kept) private _kept;
    uint32[LANES] internal _termsOf;

    function _foundLanes() internal {
        _found(LANES, NO_BOND);
        IMerchantRegistry.NewKey[] memory keys = new IMerchantRegistry.NewKey[](LANES);
        for (uint32 lane = 0; lane < LANES; ++lane) {
            keys[lane] = IMerchantRegistry.NewKey(lane + 1, 1, VM.addr(KEY + lane), MASK);
            _newTerms(lane);
        }
        _registry.addKeys(keys);
        _take(_next(new PointsEvent[](0)));
    }

    function _newTerms(uint32 lane) internal {
        IMerchantRegistry.NewTerms[] memory terms = new IMerchantRegistry.NewTerms[](1);
        (terms[0].issuerId, terms[0].num, terms[0].den) = (lane + 1, 10_000, 1);
        _termsOf[lane] = _registry.addTerms(terms);
    }

    function _event(uint32 lane, uint64 nonce, uint8 kind) internal view returns (PointsEvent memory e) {
        (e.kind, e.merchantId, e.keyId, e.nonce) = (kind, lane + 1, 1, nonce);
        if (kind != EARN) return e;
        (e.issuerId, e.memberRef, e.points, e.termsId) = (lane + 1, bytes32(uint256(1)), 5, _termsOf[lane]);
    }

    /// Forces it, by the lane's row in this batch.
    function _force(PointsEvent memory e, uint64 basisNo) internal returns (uint64 id) {
        uint32 lane = e.merchantId - 1;
        AccountRow[] memory rows = _rows(_kept[basisNo].seqs);
        bytes32[] memory items = _hashes(rows);
        IForcedQueue.RowProof memory proof =
            IForcedQueue.RowProof(_kept[basisNo].header, rows[lane], lane, _path(items, lane));
        return _queue.forceEvent(e, _sign(e), proof);
    }

    /// The next batch, over these events. It is an honest one: each lane goes on where it stopped, without a gap.
    function _next(PointsEvent[] memory events) internal view returns (Kept memory k) {
        k.events = events;
        k.leaves = new SettlementLeaf[](events.length == 0 ? 1 : events.length);
        uint64 next = _hub.nextBatchNo();
        k.seqs = _kept[next - 1].seqs;
        for (uint256 i = 0; i < k.leaves.length; ++i) {
            k.leaves[i].leafNo = _hub.nextLeafNo() + uint64(i);
            if (events.length == 0) continue;
            k.leaves[i].eventHash = Words.hash(events[i]);
            assert(events[i].nonce == k.seqs[events[i].merchantId - 1] + 1);
            k.seqs[events[i].merchantId - 1] = events[i].nonce;
        }
        BatchHeader memory h = _header(new Net[](0));
        (h.leafCount, h.leavesRoot) = (uint32(k.leaves.length), _root(_hashes(k.leaves)));
        (h.accountsCount, h.accountsRoot) = (LANES, _root(_hashes(_rows(k.seqs))));
        k.header = h;
    }

    /// Commits it. What the hub does not take reverts.
    function _take(Kept memory k) internal {
        _hub.commitBatch(k.header, new Net[](0), new bytes32[2][](0));
        Kept storage kept = _kept[k.header.batchNo];
        (kept.header, kept.seqs) = (k.header, k.seqs);
        delete kept.leaves;
        delete kept.events;
        for (uint256 i = 0; i < k.events.length; ++i) {
            kept.leaves.push(k.leaves[i]);
            kept.events.push(k.events[i]);
        }
    }

    function _keptBatch(uint64 batchNo) internal view returns (Kept memory) {
        return _kept[batchNo];
    }

    function _seqsAt(uint64 batchNo) internal view returns (uint64[LANES] memory) {
        return _kept[batchNo].seqs;
    }

    function _proof(Kept memory k, uint256 index) internal pure returns (IForcedQueue.LeafProof memory) {
        return IForcedQueue.LeafProof(k.header, k.leaves[index], index, _path(_hashes(k.leaves), index), k.events[index]);
    }

    function _sign(PointsEvent memory e) private returns (bytes32[2] memory) {
        bytes32 digest = keccak256(bytes.concat(hex"1901", _hub.domainSeparator(), Words.hash(e)));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY + e.merchantId - 1, digest);
        return [r, bytes32(uint256(s) | (uint256(v - 27) << 255))];
    }

    function _rows(uint64[LANES] memory seqs) private view returns (AccountRow[] memory rows) {
        rows = new AccountRow[](LANES);
        for (uint32 lane = 0; lane < LANES; ++lane) {
            (rows[lane].account, rows[lane].seq) = (_queue.laneAccount(lane + 1, 1), seqs[lane]);
        }
    }

    function _hashes(AccountRow[] memory rows) private pure returns (bytes32[] memory items) {
        items = new bytes32[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            items[i] = Words.hash(rows[i]);
        }
    }

    function _hashes(SettlementLeaf[] memory leaves) private pure returns (bytes32[] memory items) {
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

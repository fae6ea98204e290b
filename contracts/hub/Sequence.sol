// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAlliancePolicy} from "../interfaces/IAlliancePolicy.sol";
import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IGuaranteeFund} from "../interfaces/IGuaranteeFund.sol";
import {IMerchantRegistry} from "../interfaces/IMerchantRegistry.sol";
import {ISettlementAsset} from "../interfaces/ISettlementAsset.sol";
import {BatchStatus, ISettlementHub} from "../interfaces/ISettlementHub.sol";
import {BatchHeader, Net} from "../libraries/Words.sol";
import {Collateral} from "./Collateral.sol";
import {Settling} from "./Settling.sol";

/// @title Sequence: which batch may come next, and what the hub knows of those that came
/// @dev Records at and beyond `nextBatchNo` are what a revert left behind: no view shows them as committed, and nothing may
/// act on them.
abstract contract Sequence is Settling, ISettlementHub {
    uint32 private constant LEAF_COUNT_MAX = 1 << 20;
    uint256 private constant NETS_COUNT_MAX = 512;
    uint256 private constant PENDING_BATCHES_MAX = 1024;
    uint256 private constant PENDING_SETTLING_MAX = 8;

    /// One slot, for a commit reads and writes all of it. `forcedDueAt` 0 means that nothing is forced.
    struct Counters {
        uint40 nextBatchNo;
        uint40 nextFinalNo;
        uint40 lastSettleBatch;
        uint56 nextLeafNo;
        uint8 pendingSettling;
        uint40 lastSealedAt;
        uint32 forcedDueAt;
    }

    /// What is left of a header that was thrown out.
    enum Remains {
        /// It was not; or only with one before it, and had locked nothing.
        None,
        /// It is refused for ever.
        Refused,
        /// The same, and its locks wait for releaseReverted.
        Locked
    }

    IForcedQueue internal immutable _queue;

    Counters internal _counters;
    mapping(uint64 batchNo => bytes32) internal _headerHash;
    mapping(uint64 batchNo => BatchRecord) internal _record;
    /// The first header of each revert, and the settling ones after it.
    mapping(bytes32 headerHash => Remains) internal _remains;

    constructor(IForcedQueue forced) {
        _queue = forced;
    }

    /// @inheritdoc ISettlementHub
    function headerHash(uint64 batchNo) public view returns (bytes32) {
        return batchNo < _counters.nextBatchNo ? _headerHash[batchNo] : bytes32(0);
    }

    /// @inheritdoc ISettlementHub
    function record(uint64 batchNo) external view returns (BatchRecord memory r) {
        r = _record[batchNo];
        if (batchNo >= _counters.nextBatchNo && r.status == BatchStatus.Committed) r.status = BatchStatus.Reverted;
    }

    /// @inheritdoc ISettlementHub
    function nextBatchNo() external view returns (uint64) {
        return _counters.nextBatchNo;
    }

    /// @inheritdoc ISettlementHub
    function nextFinalNo() external view returns (uint64) {
        return _counters.nextFinalNo;
    }

    /// @inheritdoc ISettlementHub
    function nextLeafNo() external view returns (uint64) {
        return _counters.nextLeafNo;
    }

    /// @inheritdoc ISettlementHub
    function lastSettleBatch() external view returns (uint64) {
        return _counters.lastSettleBatch;
    }

    /// @inheritdoc ISettlementHub
    function isFinal(uint64 batchNo, bytes32 hash) external view returns (bool) {
        return hash != 0 && _headerHash[batchNo] == hash && _record[batchNo].status == BatchStatus.Final;
    }

    /// @inheritdoc ISettlementHub
    function netPosition(uint32 merchantId) external view returns (int256) {
        Balance memory b = balanceOf(merchantId);
        return int256(uint256(b.free) + b.locked) - int256(_fund.owedBy(merchantId));
    }

    /// @inheritdoc ISettlementHub
    function asset() external view returns (ISettlementAsset) {
        return _asset;
    }

    /// @inheritdoc ISettlementHub
    function registry() external view returns (IMerchantRegistry) {
        return _registry;
    }

    /// @inheritdoc ISettlementHub
    function policy() external view returns (IAlliancePolicy) {
        return _policy;
    }

    /// @inheritdoc ISettlementHub
    function guaranteeFund() external view returns (IGuaranteeFund) {
        return _fund;
    }

    /// @inheritdoc ISettlementHub
    function forcedQueue() external view returns (IForcedQueue) {
        return _queue;
    }

    /// @inheritdoc ISettlementHub
    function windDownAt() external view returns (uint64) {
        return _windDownAt;
    }

    /// @inheritdoc ISettlementHub
    function nothingPendingSinceWindDown() external view returns (bool) {
        return _windDownAt != 0 && _nothingPending();
    }

    /// @inheritdoc Collateral
    function _forcedQueue() internal view override returns (address) {
        return address(_queue);
    }

    /// @inheritdoc Collateral
    function _nothingPending() internal view override returns (bool) {
        return _counters.nextFinalNo == _counters.nextBatchNo;
    }

    function _checkPlace(BatchHeader memory h, bytes32 hash, Counters memory c) internal view {
        if (h.batchNo != c.nextBatchNo) {
            if (headerHash(h.batchNo) == hash) revert AlreadyCommitted(h.batchNo);
            revert WrongSequence(c.nextBatchNo, h.batchNo);
        }
        // Under a number whose batch was the first of no revert, whatever was thrown out names a predecessor that is gone.
        // So the record, which is written below in any case, says whether it is worth a look.
        if (_record[h.batchNo].status == BatchStatus.Reverted && _remains[hash] != Remains.None) {
            revert AlreadyReverted(h.batchNo, hash);
        }
        bytes32 tip = _headerHash[h.batchNo - 1];
        if (h.prevHeaderHash != tip) revert WrongPrevHeader(tip, h.prevHeaderHash);
        if (h.firstLeafNo != c.nextLeafNo) revert WrongFirstLeaf(c.nextLeafNo, h.firstLeafNo);
        if (h.leafCount == 0 || h.leafCount > LEAF_COUNT_MAX) revert LeafCountOutOfRange(h.leafCount, LEAF_COUNT_MAX);
        uint256 pending = c.nextBatchNo - c.nextFinalNo;
        if (pending >= PENDING_BATCHES_MAX) revert TooManyPending(pending, PENDING_BATCHES_MAX);
    }

    function _checkTimes(BatchHeader memory h, Counters memory c, uint256 lagMax) internal view {
        if (h.openedAt > h.sealedAt) revert OpenedAfterSealed(h.openedAt, h.sealedAt);
        if (h.sealedAt > block.timestamp) revert SealedInFuture(h.sealedAt, block.timestamp);
        if (block.timestamp > h.sealedAt + lagMax) revert SealTooOld(h.sealedAt, block.timestamp, lagMax);
        if (h.sealedAt < c.lastSealedAt) revert SealedBeforePrevious(c.lastSealedAt, h.sealedAt);
    }

    function _checkNets(BatchHeader memory h, Net[] calldata nets, Counters memory c)
        internal
        pure
        returns (uint256 gross)
    {
        if (h.netsSinceBatch != c.lastSettleBatch) revert NetsSinceWrong(c.lastSettleBatch, h.netsSinceBatch);
        _checkNetsHash(h.netsHash, nets);
        if (h.netsHash == 0) return 0;
        if (nets.length > NETS_COUNT_MAX) revert TooManyNets(nets.length, NETS_COUNT_MAX);
        if (c.pendingSettling >= PENDING_SETTLING_MAX) revert TooManyPending(c.pendingSettling, PENDING_SETTLING_MAX);
        return _checkBalanced(nets);
    }

    /// A batch with netsHash 0 is a log batch and has no nets; any other must show exactly the nets it was sealed with.
    function _checkNetsHash(bytes32 expected, Net[] calldata nets) internal pure {
        bytes32 actual = expected == 0 && nets.length == 0 ? bytes32(0) : keccak256(abi.encode(nets));
        if (actual != expected) revert NetsHashWrong(expected, actual);
    }

    function _lockDebits(uint64 batchNo, Net[] calldata nets) internal {
        for (uint256 i = 0; i < nets.length; ++i) {
            int128 amount = nets[i].amount;
            if (amount > 0) continue;
            uint128 missing = _lock(nets[i].merchantId, uint128(-amount));
            if (missing != 0) emit Shortage(batchNo, nets[i].merchantId, missing);
        }
    }

    function _unlockDebits(Net[] calldata nets) internal {
        for (uint256 i = 0; i < nets.length; ++i) {
            int128 amount = nets[i].amount;
            if (amount < 0) _unlock(nets[i].merchantId, uint128(-amount));
        }
    }

    /// @dev Numbers and times fit their narrower types: a batch number is the counter's own, sealedAt is not in the future.
    function _store(BatchHeader memory h, bytes32 hash, Counters memory c, uint256 finalAfter) internal {
        bool settling = h.netsHash != 0;
        _headerHash[h.batchNo] = hash;
        _record[h.batchNo] = BatchRecord({
            committedAt: uint40(block.timestamp),
            finalAfter: uint40(finalAfter),
            sealedAt: uint40(h.sealedAt),
            openDemands: 0,
            status: BatchStatus.Committed,
            settling: settling,
            prevSettleBatch: c.lastSettleBatch
        });
        if (settling) {
            c.lastSettleBatch = c.nextBatchNo;
            c.pendingSettling += 1;
        }
        c.nextBatchNo += 1;
        c.lastSealedAt = uint40(h.sealedAt);
        c.nextLeafNo += h.leafCount;
        _counters = c;
    }

    function _requireFinalisable(uint64 batchNo) internal view {
        BatchRecord storage r = _record[batchNo];
        if (block.timestamp < r.finalAfter) revert WindowOpen(batchNo, r.finalAfter);
        if (r.openDemands != 0) revert DemandsOpen(batchNo, r.openDemands);
    }

    /// Whether this header waits under this number to become final.
    function _isPending(uint64 batchNo, bytes32 hash) internal view returns (bool) {
        return headerHash(batchNo) == hash && _record[batchNo].status == BatchStatus.Committed;
    }

    /// Takes the sequence back to before `batchNo`, and notes which locks are to be released. What followed it is dead by
    /// its predecessor, for the first header never comes again.
    function _takeBack(uint64 batchNo, uint64 firstLeafNo) internal {
        Counters memory c = _counters;
        _remains[_headerHash[batchNo]] = Remains.Refused;
        while (c.lastSettleBatch >= batchNo) {
            _remains[_headerHash[c.lastSettleBatch]] = Remains.Locked;
            c.pendingSettling -= 1;
            c.lastSettleBatch = uint40(_record[c.lastSettleBatch].prevSettleBatch);
        }
        c.nextBatchNo = uint40(batchNo);
        c.nextLeafNo = uint56(firstLeafNo);
        c.lastSealedAt = _record[batchNo - 1].sealedAt;
        _counters = c;
    }

    function _checkBalanced(Net[] calldata nets) private pure returns (uint256 gross) {
        int256 sum = 0;
        uint32 previous = 0;
        for (uint256 i = 0; i < nets.length; ++i) {
            (uint32 id, int128 amount) = (nets[i].merchantId, nets[i].amount);
            if (id <= previous) revert NetsNotAscending(previous, id);
            if (amount == 0) revert ZeroNet(id);
            if (amount > 0) gross += uint128(amount);
            sum += amount;
            previous = id;
        }
        if (sum != 0) revert NetsUnbalanced(sum);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAlliancePolicy} from "./interfaces/IAlliancePolicy.sol";
import {IMerchantRegistry} from "./interfaces/IMerchantRegistry.sol";
import {ISettlementAsset} from "./interfaces/ISettlementAsset.sol";
import {BatchStatus, ISettlementHub} from "./interfaces/ISettlementHub.sol";
import {Collateral} from "./hub/Collateral.sol";
import {Defaults} from "./hub/Defaults.sol";
import {BatchHeader, Net, Words} from "./libraries/Words.sol";

/// @title SettlementHub
/// @notice One gap-free sequence of batches, bound to this chain and contract, and the collateral their nets move.
/// Immutable: no proxy, and its asset, policy and registry are fixed for ever.
contract SettlementHub is Defaults, EIP712, ISettlementHub {
    /// May commit batches; cannot choose what is in them, for order and roots are checked.
    bytes32 public constant SUBMITTER_ROLE = keccak256("SUBMITTER_ROLE");

    uint8 private constant ASSET_DECIMALS = 6;
    uint32 private constant LEAF_COUNT_MAX = 1 << 20;
    uint256 private constant NETS_COUNT_MAX = 512;
    uint256 private constant PENDING_BATCHES_MAX = 1024;
    uint256 private constant PENDING_SETTLING_MAX = 8;
    bytes32 private constant EMPTY_HISTORY_ROOT = sha256("");

    struct Counters {
        uint48 nextBatchNo;
        uint48 nextFinalNo;
        uint64 nextLeafNo;
        uint48 lastSettleBatch;
        uint8 pendingSettling;
        uint40 lastSealedAt;
    }

    Counters private _counters;
    mapping(uint64 batchNo => bytes32) private _headerHash;
    mapping(uint64 batchNo => BatchRecord) private _record;

    /// @param admin holds every role at first, and hands them on
    /// @param genesis what header 0 says of the accounts registered so far; its hash opens the chain of headers
    constructor(
        ISettlementAsset settlementAsset,
        IAlliancePolicy alliancePolicy,
        address admin,
        Genesis memory genesis
    ) Collateral(settlementAsset, alliancePolicy) EIP712("PointsAlliance", "1") {
        if (settlementAsset.decimals() != ASSET_DECIMALS) revert AssetDecimalsWrong(settlementAsset.decimals());
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(RISK_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
        _grantRole(SUBMITTER_ROLE, admin);
        _counters = Counters({
            nextBatchNo: 1,
            nextFinalNo: 1,
            nextLeafNo: 1,
            lastSettleBatch: 0,
            pendingSettling: 0,
            lastSealedAt: SafeCast.toUint40(genesis.foundedAt)
        });
        _storeGenesis(genesis);
    }

    /// @inheritdoc ISettlementHub
    function commitBatch(BatchHeader memory header, Net[] calldata nets, bytes32[2][] calldata attestations)
        external
        nonReentrant
    {
        (uint256 bondMin, uint256 sealLagSecondsMax) = _policy.commitLimits();
        _checkRole(SUBMITTER_ROLE);
        _requireBond(bondMin);
        bytes32 hash = Words.hash(header);
        Counters memory c = _counters;
        _checkPlace(header, hash, c);
        _checkTimes(header, c, sealLagSecondsMax);
        _policy.requireConfig(header.configHash);
        uint256 gross = _checkNets(header, nets, c);
        if (header.blobHash != 0 && blobhash(0) != header.blobHash) revert BlobMissing(header.blobHash, blobhash(0));
        IAlliancePolicy.Verdict memory v = _policy.judge(_hashTypedDataV4(hash), attestations, gross);
        _lockDebits(header.batchNo, nets);
        uint256 finalAfter = block.timestamp + v.windowSeconds;
        _store(header, hash, c, finalAfter);
        emit BatchCommitted(header.batchNo, hash, header, uint64(finalAfter), v.weight, v.signers);
        if (header.netsHash != 0) emit NetsCommitted(header.batchNo, nets);
    }

    /// @inheritdoc ISettlementHub
    function finaliseBatch(BatchHeader memory header, Net[] calldata nets) external nonReentrant {
        _policy.requireNotPaused();
        uint64 batchNo = header.batchNo;
        Counters storage c = _counters;
        if (batchNo != c.nextFinalNo) revert NothingToFinalise(batchNo, c.nextFinalNo);
        bytes32 hash = Words.hash(header);
        if (hash != _headerHash[batchNo]) revert HeaderMismatch(batchNo, _headerHash[batchNo], hash);
        _requireFinalisable(batchNo);
        _checkNetsHash(header.netsHash, nets);
        _record[batchNo].status = BatchStatus.Final;
        if (!_settle(batchNo, nets)) return;
        c.nextFinalNo += 1;
        if (_record[batchNo].settling) c.pendingSettling -= 1;
        emit BatchFinalised(batchNo, hash);
    }

    /// @inheritdoc ISettlementHub
    function finaliseThrough(uint64 batchNo) external nonReentrant {
        _policy.requireNotPaused();
        Counters storage c = _counters;
        uint64 n = c.nextFinalNo;
        if (batchNo < n || batchNo >= c.nextBatchNo) revert NothingToFinalise(batchNo, n);
        for (; n <= batchNo; ++n) {
            _requireFinalisable(n);
            if (_record[n].settling) revert SettlingBatchInRange(n);
            _record[n].status = BatchStatus.Final;
            emit BatchFinalised(n, _headerHash[n]);
        }
        c.nextFinalNo = uint48(n);
    }

    /// @inheritdoc ISettlementHub
    function headerHash(uint64 batchNo) external view returns (bytes32) {
        return _headerHash[batchNo];
    }

    /// @inheritdoc ISettlementHub
    function record(uint64 batchNo) external view returns (BatchRecord memory) {
        return _record[batchNo];
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
        return int256(uint256(b.free) + b.locked) - int256(_debtOf(merchantId));
    }

    /// @inheritdoc ISettlementHub
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
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

    function _storeGenesis(Genesis memory genesis) private {
        BatchHeader memory h;
        h.prevHeaderHash = Words.genesisAnchor(block.chainid, address(this));
        h.firstLeafNo = 1;
        h.accountsCount = genesis.accountsCount;
        h.accountsRoot = genesis.accountsRoot;
        h.historyRoot = EMPTY_HISTORY_ROOT;
        h.dataHash = genesis.dataHash;
        h.openedAt = genesis.foundedAt;
        h.sealedAt = genesis.foundedAt;
        h.configHash = genesis.configHash;
        bytes32 hash = Words.hash(h);
        _headerHash[0] = hash;
        BatchRecord storage r = _record[0];
        (r.committedAt, r.finalAfter) = (uint40(block.timestamp), uint40(block.timestamp));
        (r.sealedAt, r.status) = (_counters.lastSealedAt, BatchStatus.Final);
        emit BatchCommitted(0, hash, h, uint64(block.timestamp), 0, new address[](0));
        emit BatchFinalised(0, hash);
    }

    function _checkPlace(BatchHeader memory h, bytes32 hash, Counters memory c) private view {
        if (h.batchNo != c.nextBatchNo) {
            if (_headerHash[h.batchNo] == hash) revert AlreadyCommitted(h.batchNo);
            revert WrongSequence(c.nextBatchNo, h.batchNo);
        }
        bytes32 tip = _headerHash[h.batchNo - 1];
        if (h.prevHeaderHash != tip) revert WrongPrevHeader(tip, h.prevHeaderHash);
        if (h.firstLeafNo != c.nextLeafNo) revert WrongFirstLeaf(c.nextLeafNo, h.firstLeafNo);
        if (h.leafCount == 0 || h.leafCount > LEAF_COUNT_MAX) revert LeafCountOutOfRange(h.leafCount, LEAF_COUNT_MAX);
        uint256 pending = c.nextBatchNo - c.nextFinalNo;
        if (pending >= PENDING_BATCHES_MAX) revert TooManyPending(pending, PENDING_BATCHES_MAX);
    }

    function _checkTimes(BatchHeader memory h, Counters memory c, uint256 lagMax) private view {
        if (h.openedAt > h.sealedAt) revert OpenedAfterSealed(h.openedAt, h.sealedAt);
        if (h.sealedAt > block.timestamp) revert SealedInFuture(h.sealedAt, block.timestamp);
        if (block.timestamp > h.sealedAt + lagMax) revert SealTooOld(h.sealedAt, block.timestamp, lagMax);
        if (h.sealedAt < c.lastSealedAt) revert SealedBeforePrevious(c.lastSealedAt, h.sealedAt);
    }

    function _checkNets(BatchHeader memory h, Net[] calldata nets, Counters memory c)
        private
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
    function _checkNetsHash(bytes32 expected, Net[] calldata nets) private pure {
        bytes32 actual = expected == 0 && nets.length == 0 ? bytes32(0) : keccak256(abi.encode(nets));
        if (actual != expected) revert NetsHashWrong(expected, actual);
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

    function _lockDebits(uint64 batchNo, Net[] calldata nets) private {
        for (uint256 i = 0; i < nets.length; ++i) {
            int128 amount = nets[i].amount;
            if (amount > 0) continue;
            uint128 missing = _lock(nets[i].merchantId, uint128(-amount));
            if (missing != 0) emit Shortage(batchNo, nets[i].merchantId, missing);
        }
    }

    /// @dev Numbers and times fit their narrower types: a batch number is the counter's own, sealedAt is not in the future.
    function _store(BatchHeader memory h, bytes32 hash, Counters memory c, uint256 finalAfter) private {
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

    function _requireFinalisable(uint64 batchNo) private view {
        BatchRecord storage r = _record[batchNo];
        if (block.timestamp < r.finalAfter) revert WindowOpen(batchNo, r.finalAfter);
        if (r.openDemands != 0) revert DemandsOpen(batchNo, r.openDemands);
    }
}

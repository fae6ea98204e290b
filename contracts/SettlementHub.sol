// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IAlliancePolicy} from "./interfaces/IAlliancePolicy.sol";
import {ICourtHooks} from "./interfaces/ICourtHooks.sol";
import {IForcedQueue} from "./interfaces/IForcedQueue.sol";
import {IGuaranteeFund} from "./interfaces/IGuaranteeFund.sol";
import {ISettlementAsset} from "./interfaces/ISettlementAsset.sol";
import {BatchStatus, ISettlementHub} from "./interfaces/ISettlementHub.sol";
import {Collateral} from "./hub/Collateral.sol";
import {Sequence} from "./hub/Sequence.sol";
import {BatchHeader, Net, Words} from "./libraries/Words.sol";

/// @title SettlementHub
/// @notice One gap-free sequence of batches, bound to this chain and contract, and the collateral their nets move.
/// Immutable: no proxy; its asset, policy, registry, guarantee fund and forced queue are fixed for ever, and the last
/// two are bound to this hub alone.
contract SettlementHub is Sequence, EIP712 {
    /// May commit batches; cannot choose what is in them, for order and roots are checked.
    bytes32 public constant SUBMITTER_ROLE = keccak256("SUBMITTER_ROLE");
    /// Decides fraud proofs and demands; nobody has it at first.
    bytes32 public constant COURT_ROLE = keccak256("COURT_ROLE");

    uint8 private constant ASSET_DECIMALS = 6;
    uint256 private constant SLOW_WINDOWS_HELD_MAX = 3;
    uint128 private constant SLASH_DIVISOR = 5;
    uint256 private constant IDLE_SECONDS_MAX = 30 days;
    uint256 private constant PAUSED_SECONDS_MAX = 14 days;
    bytes32 private constant EMPTY_HISTORY_ROOT = sha256("");

    /// @param admin holds every role at first, and hands them on
    /// @param genesis what the first header says of the accounts registered so far, and of the hub it goes on after, if
    /// any; its hash opens the chain of headers
    constructor(
        ISettlementAsset settlementAsset,
        IAlliancePolicy alliancePolicy,
        IGuaranteeFund fund,
        IForcedQueue forced,
        address admin,
        Genesis memory genesis
    ) Collateral(settlementAsset, alliancePolicy, fund) Sequence(forced) EIP712("PointsAlliance", "1") {
        if (settlementAsset.decimals() != ASSET_DECIMALS) revert AssetDecimalsWrong(settlementAsset.decimals());
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
        _grantRole(SUBMITTER_ROLE, admin);
        _storeGenesis(genesis);
        fund.bindHub();
        forced.bindHub();
    }

    /// @inheritdoc ISettlementHub
    function commitBatch(BatchHeader memory header, Net[] calldata nets, bytes32[2][] calldata attestations)
        external
        nonReentrant
    {
        if (_windDownAt != 0) revert WindingDown(_windDownAt);
        (uint256 bondMin, uint256 sealLagSecondsMax) = _policy.commitLimits();
        _checkRole(SUBMITTER_ROLE);
        _requireBond(bondMin);
        bytes32 hash = Words.hash(header);
        Counters memory c = _counters;
        _checkPlace(header, hash, c);
        _checkTimes(header, c, sealLagSecondsMax);
        _policy.requireConfig(header.configHash);
        if (c.forcedDueAt != 0 && block.timestamp > c.forcedDueAt) c.forcedDueAt = _queue.clearOverdue(hash);
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
        _requireNotHeld();
        uint64 batchNo = header.batchNo;
        Counters storage c = _counters;
        if (batchNo != c.nextFinalNo || batchNo >= c.nextBatchNo) revert NothingToFinalise(batchNo, c.nextFinalNo);
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
        _requireNotHeld();
        Counters storage c = _counters;
        uint64 n = c.nextFinalNo;
        if (batchNo < n || batchNo >= c.nextBatchNo) revert NothingToFinalise(batchNo, n);
        for (; n <= batchNo; ++n) {
            _requireFinalisable(n);
            if (_record[n].settling) revert SettlingBatchInRange(n);
            _record[n].status = BatchStatus.Final;
            emit BatchFinalised(n, _headerHash[n]);
        }
        c.nextFinalNo = uint40(n);
    }

    /// @inheritdoc ICourtHooks
    function revertFrom(BatchHeader memory header, address challenger, uint16 code)
        external
        nonReentrant
        onlyRole(COURT_ROLE)
    {
        uint64 batchNo = header.batchNo;
        if (!_isPending(batchNo, Words.hash(header))) revert BatchNotPending(batchNo);
        BatchRecord storage r = _record[batchNo];
        (r.status, r.finalAfter) = (BatchStatus.Reverted, uint40(block.timestamp));
        _takeBack(batchNo, header.firstLeafNo);
        uint128 slashed = _takeBond(_bond() / SLASH_DIVISOR);
        emit BatchReverted(batchNo, code, challenger, slashed);
        _fund.putSlash(challenger, slashed);
    }

    /// @inheritdoc ICourtHooks
    function releaseReverted(BatchHeader memory header, Net[] calldata nets) external nonReentrant {
        bytes32 hash = Words.hash(header);
        if (_remains[hash] != Remains.Locked) revert NothingToRelease(hash);
        _checkNetsHash(header.netsHash, nets);
        _remains[hash] = Remains.Refused;
        _unlockDebits(nets);
        emit LocksReleased(header.batchNo, hash);
    }

    /// @inheritdoc ICourtHooks
    function addDemand(uint64 batchNo, bytes32 hash) external onlyRole(COURT_ROLE) {
        if (!_isPending(batchNo, hash)) revert BatchNotPending(batchNo);
        BatchRecord storage r = _record[batchNo];
        uint256 answerBy = block.timestamp + _policy.disputeParams().answerWindowSeconds;
        uint256 heldMax = SLOW_WINDOWS_HELD_MAX * _params().slowWindowSeconds;
        if (answerBy > r.committedAt + heldMax) revert DemandsExhausted(batchNo, r.committedAt);
        if (answerBy > r.finalAfter) r.finalAfter = uint40(answerBy);
        r.openDemands += 1;
        emit DemandAdded(batchNo, r.openDemands, r.finalAfter);
    }

    /// @inheritdoc ICourtHooks
    function closeDemand(uint64 batchNo, bytes32 hash) external onlyRole(COURT_ROLE) {
        if (!_isPending(batchNo, hash)) return;
        BatchRecord storage r = _record[batchNo];
        r.openDemands -= 1;
        emit DemandClosed(batchNo, r.openDemands);
    }

    /// @inheritdoc ISettlementHub
    function beginWindDown() external {
        if (_windDownAt != 0) revert WindingDown(_windDownAt);
        uint64 next = _counters.nextBatchNo;
        uint256 lastCommitAt = _record[next - 1].committedAt;
        // Whoever was thrown out has as long to come again as after a batch. The record may be of a revert long ago.
        BatchRecord storage r = _record[next];
        if (r.status == BatchStatus.Reverted && r.finalAfter > lastCommitAt) lastCommitAt = r.finalAfter;
        uint256 paused = _policy.pausedForSeconds();
        bool due = block.timestamp > lastCommitAt + IDLE_SECONDS_MAX || paused > PAUSED_SECONDS_MAX;
        if (!due && !hasRole(DEFAULT_ADMIN_ROLE, msg.sender)) revert WindDownTooEarly(lastCommitAt, paused);
        _windDownAt = uint64(block.timestamp);
        emit WindDownBegun(msg.sender, _windDownAt);
    }

    /// @inheritdoc ISettlementHub
    function setForcedDue(uint32 dueAt) external onlyPartner(address(_queue)) {
        _counters.forcedDueAt = dueAt;
    }

    /// @inheritdoc ISettlementHub
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// What is pending when a wind-down begins becomes final, whoever pauses.
    function _requireNotHeld() private view {
        if (_windDownAt == 0) _policy.requireNotPaused();
    }

    function _storeGenesis(Genesis memory genesis) private {
        BatchHeader memory h = _opening(genesis.carried);
        h.accountsCount = genesis.accountsCount;
        h.accountsRoot = genesis.accountsRoot;
        h.historyRoot = EMPTY_HISTORY_ROOT;
        h.dataHash = genesis.dataHash;
        h.openedAt = genesis.foundedAt;
        h.sealedAt = genesis.foundedAt;
        h.configHash = genesis.configHash;
        _counters = Counters({
            nextBatchNo: SafeCast.toUint40(h.batchNo + 1),
            nextFinalNo: SafeCast.toUint40(h.batchNo + 1),
            lastSettleBatch: SafeCast.toUint40(h.netsSinceBatch),
            nextLeafNo: SafeCast.toUint56(h.firstLeafNo),
            pendingSettling: 0,
            lastSealedAt: SafeCast.toUint40(genesis.foundedAt),
            forcedDueAt: 0
        });
        bytes32 hash = Words.hash(h);
        _headerHash[h.batchNo] = hash;
        BatchRecord storage r = _record[h.batchNo];
        (r.committedAt, r.finalAfter) = (uint40(block.timestamp), uint40(block.timestamp));
        (r.sealedAt, r.status) = (_counters.lastSealedAt, BatchStatus.Final);
        emit BatchCommitted(h.batchNo, hash, h, uint64(block.timestamp), 0, new address[](0));
        emit BatchFinalised(h.batchNo, hash);
    }

    /// Header 0 of a hub that begins with nothing; or the header after the last one of the hub before, with nets counted on
    /// from what settled last there. Named too late that would be beyond any revert.
    function _opening(Carried memory c) private returns (BatchHeader memory h) {
        if ((c.batchNo == 0) != (c.headerHash == 0)) revert CarriedHalfway(c.batchNo, c.headerHash);
        if (c.batchNo == 0) {
            (h.prevHeaderHash, h.firstLeafNo) = (Words.genesisAnchor(block.chainid, address(this)), 1);
            return h;
        }
        if (c.netsSinceBatch >= c.batchNo) revert CarriedUnsettled(c.batchNo, c.netsSinceBatch);
        h.prevHeaderHash = Words.carriedAnchor(block.chainid, address(this), c.chainId, c.hub, c.headerHash);
        (h.batchNo, h.netsSinceBatch, h.firstLeafNo) = (c.batchNo, c.netsSinceBatch, c.firstLeafNo);
        (h.totalPoints, h.journalHead) = (c.totalPoints, c.journalHead);
        emit CarriedOver(c.chainId, c.hub, c.headerHash);
    }
}

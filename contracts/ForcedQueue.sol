// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IAlliancePolicy} from "./interfaces/IAlliancePolicy.sol";
import {ICampaignRules} from "./interfaces/ICampaignRules.sol";
import {ForcedFault, IForcedQueue} from "./interfaces/IForcedQueue.sol";
import {IMerchantRegistry, MerchantStatus} from "./interfaces/IMerchantRegistry.sol";
import {Forceable} from "./libraries/Forceable.sol";
import {PositionalTree} from "./libraries/PositionalTree.sol";
import {AcceptanceReceipt, BatchHeader, PointsEvent, Words} from "./libraries/Words.sol";

/// @dev What the queue asks its hub.
interface IQueueHub {
    function headerHash(uint64 batchNo) external view returns (bytes32);
    function nextBatchNo() external view returns (uint64);
    function domainSeparator() external view returns (bytes32);
    function setForcedDue(uint32 dueAt) external;
    function payPenalty(uint32 merchantId, uint128 amount) external returns (uint128 paid);
}

/// @title ForcedQueue
/// @notice Events that the operator must take, and promises it did not keep. See IForcedQueue for the rules.
contract ForcedQueue is IForcedQueue {
    uint256 private constant QUEUED_PER_LANE_MAX = 16;
    uint256 private constant CLEARED_PER_COMMIT_MAX = 64;
    uint128 private constant LATE_PENALTY = 100e6;
    uint128 private constant LATE_PENALTY_MAX = 1_000e6;
    uint64 private constant LAST_BATCH_SECONDS = 30 minutes;
    bytes1 private constant LANE_TAG = 0x01;

    /// `lastNonce` and `queued` of what waits now; entries of the lane below `brokenBelow` follow one that was dropped.
    struct Lane {
        uint64 lastNonce;
        uint64 brokenBelow;
        uint16 queued;
    }

    IAlliancePolicy private immutable _policy;
    IMerchantRegistry private immutable _registry;

    IQueueHub private _hub;
    uint64 private _head = 1;
    uint64 private _tail = 1;
    mapping(uint64 id => Entry) private _entries;
    mapping(bytes32 account => Lane) private _lanes;
    mapping(bytes32 account => mapping(uint64 nonce => uint128)) private _penalties;
    mapping(uint32 merchantId => uint256) private _equivocations;

    modifier onlyHub() {
        if (msg.sender != address(_hub)) revert NotHub(msg.sender);
        _;
    }

    constructor(IAlliancePolicy alliancePolicy) {
        _policy = alliancePolicy;
        _registry = alliancePolicy.registry();
    }

    /// @inheritdoc IForcedQueue
    function bindHub() external {
        if (address(_hub) != address(0)) revert HubBoundAlready(address(_hub));
        _hub = IQueueHub(msg.sender);
        emit HubBound(msg.sender);
    }

    /// @inheritdoc IForcedQueue
    function forceEvent(PointsEvent calldata pointsEvent, bytes32[2] calldata signature, RowProof calldata proof)
        external
        returns (uint64 id)
    {
        uint64 next = _hub.nextBatchNo();
        bytes32 basis = _requireLast(proof.header, next - 1);
        bytes32 account = _requireRow(proof, pointsEvent.merchantId, pointsEvent.keyId);
        _takePlace(account, proof.row.seq, pointsEvent);
        bytes32 eventHash = Words.hash(pointsEvent);
        ForcedFault fault = faultOf(pointsEvent, next);
        if (fault != ForcedFault.None) revert NotForceable(fault);
        _requireSigner(pointsEvent, eventHash, signature, next);
        id = _append(pointsEvent, eventHash, basis, next - 1);
        _announce(id, pointsEvent, signature);
    }

    /// @inheritdoc IForcedQueue
    function dischargeForced(uint64 id, LeafProof calldata proof) external {
        _requireHead(id);
        _requireCommitted(proof.header);
        _requireHolds(_entries[id], proof);
        emit ForcedDischarged(id, proof.header.batchNo, block.timestamp > _entries[id].dueAt);
        _pop();
        _hub.setForcedDue(_entries[_head].dueAt);
    }

    /// @inheritdoc IForcedQueue
    function coverForced(uint64 id, LeafProof calldata proof) external {
        Entry storage e = _entries[id];
        if (e.eventHash == 0) revert NotQueued(id);
        uint64 next = _hub.nextBatchNo();
        if (proof.header.batchNo != next) revert NotNextBatch(next, proof.header.batchNo);
        _requireHolds(e, proof);
        e.coveredBy = Words.hash(proof.header);
        emit ForcedCovered(id, e.coveredBy);
    }

    /// @inheritdoc IForcedQueue
    function dropForced(uint64 id, PointsEvent calldata pointsEvent) external {
        _requireHead(id);
        Entry memory e = _entries[id];
        bytes32 eventHash = Words.hash(pointsEvent);
        if (eventHash != e.eventHash) revert WrongEvent(e.eventHash, eventHash);
        ForcedFault fault = _faultNow(id, e, pointsEvent);
        if (fault == ForcedFault.None) revert StillDue(id);
        Lane storage lane = _lanes[laneAccount(e.merchantId, e.keyId)];
        (lane.lastNonce, lane.brokenBelow) = (0, _tail);
        emit ForcedDropped(id, fault);
        _pop();
        _hub.setForcedDue(_entries[_head].dueAt);
    }

    /// @inheritdoc IForcedQueue
    function clearOverdue(bytes32 headerHash) external onlyHub returns (uint32 dueAt) {
        uint64 batchNo = _hub.nextBatchNo();
        for (uint256 i = 0; i < CLEARED_PER_COMMIT_MAX; ++i) {
            dueAt = _entries[_head].dueAt;
            if (dueAt == 0 || block.timestamp <= dueAt) return dueAt;
            if (_entries[_head].coveredBy != headerHash) revert ForcedOverdue(_head, dueAt);
            emit ForcedDischarged(_head, batchNo, true);
            _pop();
        }
        // More than that many were overdue: the rest are discharged one by one, or cleared with the next batch.
        return _entries[_head].dueAt;
    }

    /// @inheritdoc IForcedQueue
    function proveLateReceipt(
        AcceptanceReceipt calldata receipt,
        bytes32[2] calldata signature,
        RowProof calldata proof
    ) external returns (uint256 paid) {
        _requireLate(receipt, signature, proof);
        return _payLate(receipt, proof.header.batchNo, LATE_PENALTY);
    }

    /// @inheritdoc IForcedQueue
    function proveLateEvent(
        AcceptanceReceipt calldata receipt,
        bytes32[2] calldata signature,
        RowProof calldata proof,
        PointsEvent calldata pointsEvent
    ) external returns (uint256 paid) {
        _requireLate(receipt, signature, proof);
        bytes32 eventHash = Words.hash(pointsEvent);
        if (eventHash != receipt.eventHash) revert WrongEvent(receipt.eventHash, eventHash);
        uint128 amount = pointsEvent.settleAmount < LATE_PENALTY ? LATE_PENALTY : pointsEvent.settleAmount;
        return _payLate(receipt, proof.header.batchNo, amount < LATE_PENALTY_MAX ? amount : LATE_PENALTY_MAX);
    }

    /// @inheritdoc IForcedQueue
    function queue() external view returns (uint64 head, uint64 tail) {
        return (_head, _tail);
    }

    /// @inheritdoc IForcedQueue
    function entry(uint64 id) external view returns (Entry memory) {
        return _entries[id];
    }

    /// @inheritdoc IForcedQueue
    function equivocations(uint32 merchantId) external view returns (uint256) {
        return _equivocations[merchantId];
    }

    /// @inheritdoc IForcedQueue
    function penaltyPaid(uint32 merchantId, uint32 keyId, uint64 nonce) external view returns (uint256) {
        return _penalties[laneAccount(merchantId, keyId)][nonce];
    }

    /// @inheritdoc IForcedQueue
    function hub() external view returns (address) {
        return address(_hub);
    }

    /// @inheritdoc IForcedQueue
    function faultOf(PointsEvent calldata pointsEvent, uint64 batchNo) public view returns (ForcedFault fault) {
        fault = Forceable.shapeFault(pointsEvent, block.timestamp);
        if (fault == ForcedFault.None && Forceable.needsTerms(pointsEvent.kind)) {
            fault = Forceable.termsFault(pointsEvent, _registry.terms(pointsEvent.termsId), batchNo);
        }
        if (fault == ForcedFault.None && pointsEvent.campaignId != 0 && !_campaignAdmits(pointsEvent, batchNo)) {
            fault = ForcedFault.Campaign;
        }
    }

    /// @notice The account of one lane: 01 ‖ merchantId ‖ keyId ‖ zeroes.
    function laneAccount(uint32 merchantId, uint32 keyId) public pure returns (bytes32) {
        return bytes32(LANE_TAG) | bytes32(uint256(merchantId) << 216) | bytes32(uint256(keyId) << 184);
    }

    function _takePlace(bytes32 account, uint64 seq, PointsEvent calldata e) private {
        Lane storage lane = _lanes[account];
        uint64 expected = (lane.lastNonce > seq ? lane.lastNonce : seq) + 1;
        if (e.nonce != expected) revert WrongNonce(expected, e.nonce);
        if (lane.queued == QUEUED_PER_LANE_MAX) revert LaneQueueFull(e.merchantId, e.keyId, QUEUED_PER_LANE_MAX);
        lane.lastNonce = e.nonce;
        lane.queued += 1;
    }

    function _append(PointsEvent calldata e, bytes32 eventHash, bytes32 basis, uint64 basisNo)
        private
        returns (uint64 id)
    {
        id = _tail;
        _tail = id + 1;
        uint32 dueAt = uint32(block.timestamp) + _policy.disputeParams().forceDeadlineSeconds;
        // A deadline that was shortened in between must not put a later entry before an earlier one.
        uint32 dueBefore = _entries[id - 1].dueAt;
        if (dueAt < dueBefore) dueAt = dueBefore;
        _entries[id] = Entry(eventHash, basis, 0, basisNo, e.nonce, e.merchantId, e.keyId, dueAt);
        if (id == _head) _hub.setForcedDue(dueAt);
    }

    function _pop() private {
        Entry storage e = _entries[_head];
        _lanes[laneAccount(e.merchantId, e.keyId)].queued -= 1;
        delete _entries[_head];
        _head += 1;
    }

    function _payLate(AcceptanceReceipt calldata receipt, uint64 batchNo, uint128 amount) private returns (uint128 paid) {
        bytes32 account = laneAccount(receipt.merchantId, receipt.keyId);
        uint128 before = _penalties[account][receipt.nonce];
        if (before >= amount) revert PenaltyAlreadyPaid(receipt.merchantId, receipt.keyId, receipt.nonce);
        paid = _hub.payPenalty(receipt.merchantId, amount - before);
        if (paid == 0) revert BondEmpty();
        // What an exhausted bond could not pay can be asked for again.
        _penalties[account][receipt.nonce] = before + paid;
        emit LateReceipt(receipt.merchantId, receipt.keyId, receipt.nonce, receipt.eventHash, batchNo, paid);
    }

    /// Notes a double signature where the leaf holds another event than the queued one.
    function _requireHolds(Entry storage e, LeafProof calldata proof) private {
        _requireLeaf(proof);
        PointsEvent calldata merged = proof.pointsEvent;
        bytes32 mergedHash = Words.hash(merged);
        if (proof.leaf.eventHash != mergedHash) revert WrongEvent(proof.leaf.eventHash, mergedHash);
        bytes32 account = laneAccount(merged.merchantId, merged.keyId);
        bytes32 expected = laneAccount(e.merchantId, e.keyId);
        if (account != expected) revert WrongLane(expected, account);
        if (merged.nonce != e.nonce) revert WrongNonce(e.nonce, merged.nonce);
        if (mergedHash == e.eventHash) return;
        _requireSigner(merged, mergedHash, [proof.leaf.sigR, proof.leaf.sigVS], proof.header.batchNo);
        _equivocations[e.merchantId] += 1;
        emit Equivocation(e.merchantId, e.keyId, e.nonce, e.eventHash, mergedHash);
    }

    function _announce(uint64 id, PointsEvent calldata e, bytes32[2] calldata signature) private {
        Entry storage held = _entries[id];
        emit ForcedQueued(id, e.merchantId, e.keyId, held.dueAt, held.eventHash, e, signature);
    }

    function _requireSigner(PointsEvent calldata e, bytes32 eventHash, bytes32[2] memory signature, uint64 batchNo)
        private
        view
    {
        address expected = _registry.keyAt(e.merchantId, e.keyId, batchNo, e.kind);
        if (expected == address(0)) revert NotForceable(ForcedFault.Key);
        address actual = _signer(eventHash, signature);
        if (actual != expected) revert WrongSigner(expected, actual);
    }

    /// Why the next batch could not hold this entry any more.
    function _faultNow(uint64 id, Entry memory e, PointsEvent calldata pointsEvent) private view returns (ForcedFault) {
        if (id < _lanes[laneAccount(e.merchantId, e.keyId)].brokenBelow) return ForcedFault.Gap;
        if (_hub.headerHash(e.basisBatchNo) != e.basisHash) return ForcedFault.Basis;
        uint64 next = _hub.nextBatchNo();
        if (_registry.keyAt(e.merchantId, e.keyId, next, pointsEvent.kind) == address(0)) return ForcedFault.Key;
        return faultOf(pointsEvent, next);
    }

    function _campaignAdmits(PointsEvent calldata e, uint64 batchNo) private view returns (bool) {
        ICampaignRules rules = _policy.campaignRules();
        return address(rules) != address(0) && rules.admits(e, batchNo);
    }

    function _requireHead(uint64 id) private view {
        if (id != _head || id == _tail) revert NotHead(_head, id);
    }

    function _requireLast(BatchHeader calldata header, uint64 lastNo) private view returns (bytes32 hash) {
        hash = Words.hash(header);
        bytes32 last = _hub.headerHash(lastNo);
        if (hash != last) revert NotLastBatch(lastNo, last, hash);
    }

    function _requireCommitted(BatchHeader calldata header) private view {
        bytes32 hash = Words.hash(header);
        bytes32 committed = _hub.headerHash(header.batchNo);
        if (hash != committed) revert NotCommitted(header.batchNo, committed, hash);
    }

    /// Returns the lane's account, which is the row's.
    function _requireRow(RowProof calldata proof, uint32 merchantId, uint32 keyId) private pure returns (bytes32 account) {
        BatchHeader calldata h = proof.header;
        PositionalTree.requireIncluded(
            h.accountsRoot, h.accountsCount, proof.index, Words.hash(proof.row), proof.path
        );
        account = laneAccount(merchantId, keyId);
        if (proof.row.account != account) revert WrongLane(account, proof.row.account);
    }

    function _requireLeaf(LeafProof calldata proof) private pure {
        BatchHeader calldata h = proof.header;
        PositionalTree.requireIncluded(h.leavesRoot, h.leafCount, proof.index, Words.hash(proof.leaf), proof.path);
    }

    function _requireLate(
        AcceptanceReceipt calldata receipt,
        bytes32[2] calldata signature,
        RowProof calldata proof
    ) private view {
        _requireCommitted(proof.header);
        _requireRow(proof, receipt.merchantId, receipt.keyId);
        uint64 dueBy = _dueBy(receipt, proof.header.batchNo);
        if (proof.header.sealedAt <= dueBy) revert ReceiptNotLate(dueBy, proof.header.sealedAt);
        if (proof.row.seq >= receipt.nonce) revert ReceiptKept(receipt.nonce, proof.row.seq);
        address signer = _signer(Words.hash(receipt), signature);
        if (block.timestamp > _policy.receiptSignerUntil(signer)) revert UnknownReceiptSigner(signer);
    }

    /// When a batch had to hold what was promised. In the lane's last batch that is soon: no later one could.
    function _dueBy(AcceptanceReceipt calldata receipt, uint64 batchNo) private view returns (uint64) {
        if (!_laneAnswers(receipt, batchNo)) revert LaneEnded(receipt.merchantId, receipt.keyId, batchNo);
        if (_laneAnswers(receipt, batchNo + 1)) return receipt.mergeBy;
        uint64 dueBy = receipt.acceptedAt + LAST_BATCH_SECONDS;
        return dueBy < receipt.mergeBy ? dueBy : receipt.mergeBy;
    }

    function _laneAnswers(AcceptanceReceipt calldata receipt, uint64 batchNo) private view returns (bool) {
        IMerchantRegistry.Key memory k = _registry.key(receipt.merchantId, receipt.keyId);
        bool open = batchNo >= k.fromBatch && (k.toBatch == 0 || batchNo < k.toBatch);
        return open && _registry.statusAt(receipt.merchantId, batchNo) == MerchantStatus.Active;
    }

    function _signer(bytes32 structHash, bytes32[2] memory signature) private view returns (address) {
        bytes32 digest = MessageHashUtils.toTypedDataHash(_hub.domainSeparator(), structHash);
        return ECDSA.recover(digest, signature[0], signature[1]);
    }
}

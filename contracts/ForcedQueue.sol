// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAlliancePolicy} from "./interfaces/IAlliancePolicy.sol";
import {ICampaignRules} from "./interfaces/ICampaignRules.sol";
import {ForcedFault, IForcedQueue} from "./interfaces/IForcedQueue.sol";
import {Evidence} from "./forced/Evidence.sol";
import {Promises} from "./forced/Promises.sol";
import {Waiting} from "./forced/Waiting.sol";
import {Forceable} from "./libraries/Forceable.sol";
import {PointsEvent, Words} from "./libraries/Words.sol";

/// @title ForcedQueue
/// @notice Events that the operator must take, and promises it did not keep. See IForcedQueue for the rules.
contract ForcedQueue is Waiting, Promises {
    uint256 private constant CLEARED_PER_COMMIT_MAX = 64;

    /// Header by header, so that nobody's showing undoes another's.
    mapping(uint64 id => mapping(bytes32 headerHash => bool)) private _covered;
    mapping(bytes32 eventHash => bool) private _contradicted;
    mapping(uint32 merchantId => uint256) private _equivocations;

    constructor(IAlliancePolicy alliancePolicy) Evidence(alliancePolicy) {}

    /// @inheritdoc IForcedQueue
    function forceEvent(PointsEvent calldata pointsEvent, bytes32[2] calldata signature, RowProof calldata proof)
        external
        returns (uint64 id)
    {
        bytes32 basis = _requireCommitted(proof.header);
        bytes32 account = _requireRow(proof, pointsEvent.merchantId, pointsEvent.keyId);
        _takePlace(account, proof.row.seq, pointsEvent);
        bytes32 eventHash = Words.hash(pointsEvent);
        uint64 next = _hub.nextBatchNo();
        ForcedFault fault = faultOf(pointsEvent, next);
        if (fault != ForcedFault.None) revert NotForceable(fault);
        _requireSigner(pointsEvent, eventHash, signature, next);
        id = _append(pointsEvent, eventHash, basis, proof.header.batchNo, _deadline());
        _announce(id, pointsEvent, signature);
        emit ForcedBasis(id, proof.header.batchNo, basis);
        _tellHead(id == _head);
    }

    /// @inheritdoc IForcedQueue
    function dischargeForced(uint64 id, LeafProof calldata proof) external {
        Entry memory e = _requireQueued(id);
        bytes32 headerHash = _requireCommitted(proof.header);
        _requireHolds(e, proof);
        emit ForcedDischarged(id, proof.header.batchNo, block.timestamp > e.dueAt);
        _answer(id, e, proof.header.batchNo, headerHash);
        _tellHead(e.previous == 0);
    }

    /// @inheritdoc IForcedQueue
    function reopenForced(uint64 id, Entry calldata was, uint64 batchNo, bytes32 headerHash, uint64 previous) external {
        Entry memory e = was;
        if (_isQueued(id) || _entries[id].eventHash != _traceOf(e, batchNo, headerHash)) revert NotDischarged(id);
        if (_hub.headerHash(batchNo) == headerHash) revert BatchStands(batchNo);
        _putBack(id, e, previous);
        emit ForcedReopened(id, _entries[id].dueAt);
        _tellHead(previous == 0);
    }

    /// @inheritdoc IForcedQueue
    function coverForced(uint64 id, LeafProof calldata proof) external {
        Entry memory e = _requireQueued(id);
        uint64 next = _hub.nextBatchNo();
        if (proof.header.batchNo != next) revert NotNextBatch(next, proof.header.batchNo);
        _requireHolds(e, proof);
        bytes32 headerHash = Words.hash(proof.header);
        _covered[id][headerHash] = true;
        emit ForcedCovered(id, headerHash);
    }

    /// @inheritdoc IForcedQueue
    function dropForced(uint64 id, PointsEvent calldata pointsEvent) external {
        Entry memory e = _requireQueued(id);
        bytes32 eventHash = Words.hash(pointsEvent);
        if (eventHash != e.eventHash) revert WrongEvent(e.eventHash, eventHash);
        ForcedFault fault = _faultNow(e, pointsEvent);
        if (fault == ForcedFault.None) revert StillDue(id);
        _break(e);
        emit ForcedDropped(id, fault);
        _takeOut(id, e);
        _tellHead(e.previous == 0);
    }

    /// @inheritdoc IForcedQueue
    function clearOverdue(bytes32 headerHash) external onlyHub returns (uint32 dueAt) {
        uint64 batchNo = _hub.nextBatchNo();
        for (uint256 i = 0; i < CLEARED_PER_COMMIT_MAX; ++i) {
            uint32 id = _head;
            dueAt = _entries[id].dueAt;
            if (dueAt == 0 || block.timestamp <= dueAt) return dueAt;
            if (!_covered[id][headerHash]) revert ForcedOverdue(id, dueAt);
            emit ForcedDischarged(id, batchNo, true);
            _answer(id, _entries[id], batchNo, headerHash);
        }
        // More than that many were overdue: the rest are discharged one by one, or cleared with the next batch.
        return _entries[_head].dueAt;
    }

    /// @inheritdoc IForcedQueue
    function isCovered(uint64 id, bytes32 headerHash) external view returns (bool) {
        return _isQueued(id) && _covered[id][headerHash];
    }

    /// @inheritdoc IForcedQueue
    function equivocations(uint32 merchantId) external view returns (uint256) {
        return _equivocations[merchantId];
    }

    /// @inheritdoc IForcedQueue
    function faultOf(PointsEvent calldata pointsEvent, uint64 batchNo) public view returns (ForcedFault fault) {
        fault = Forceable.shapeFault(pointsEvent, block.timestamp);
        if (fault == ForcedFault.None) fault = _termsFault(pointsEvent, batchNo);
        if (fault == ForcedFault.None && pointsEvent.campaignId != 0 && !_campaignAdmits(pointsEvent, batchNo)) {
            fault = ForcedFault.Campaign;
        }
    }

    /// Tells the hub when the first is due, if that is another than before.
    function _tellHead(bool changed) private {
        if (changed) _hub.setForcedDue(_entries[_head].dueAt);
    }

    /// Notes a double signature, once, where the leaf holds another event than the queued one.
    function _requireHolds(Entry memory e, LeafProof calldata proof) private {
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
        if (_contradicted[e.eventHash]) return;
        _contradicted[e.eventHash] = true;
        _equivocations[e.merchantId] += 1;
        emit Equivocation(e.merchantId, e.keyId, e.nonce, e.eventHash, mergedHash);
    }

    function _announce(uint64 id, PointsEvent calldata e, bytes32[2] calldata signature) private {
        Entry storage held = _entries[id];
        emit ForcedQueued(id, e.merchantId, e.keyId, held.dueAt, held.eventHash, e, signature);
    }

    function _deadline() private view returns (uint256) {
        return block.timestamp + _policy.disputeParams().forceDeadlineSeconds;
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

    /// Why no batch that the hub would take could hold this entry. An end of key, terms or right begins a batch later, and
    /// past an overdue event there is only one more batch: so from then on what ends with the next one counts as ended.
    function _faultNow(Entry memory e, PointsEvent calldata pointsEvent) private view returns (ForcedFault fault) {
        if (_isBroken(e)) return ForcedFault.Gap;
        if (_hub.headerHash(e.basisBatchNo) != e.basisHash) return ForcedFault.Basis;
        uint64 next = _hub.nextBatchNo();
        uint64 last = block.timestamp > e.dueAt ? next + 1 : next;
        if (_keyEnds(pointsEvent, next) || _keyEnds(pointsEvent, last)) return ForcedFault.Key;
        if (_termsFault(pointsEvent, last) != ForcedFault.None) return ForcedFault.Terms;
        return faultOf(pointsEvent, next);
    }

    function _keyEnds(PointsEvent calldata e, uint64 batchNo) private view returns (bool) {
        return _registry.keyAt(e.merchantId, e.keyId, batchNo, e.kind) == address(0);
    }

    function _termsFault(PointsEvent calldata e, uint64 batchNo) private view returns (ForcedFault) {
        if (!Forceable.needsTerms(e.kind)) return ForcedFault.None;
        return Forceable.termsFault(e, _registry.terms(e.termsId), batchNo);
    }

    function _campaignAdmits(PointsEvent calldata e, uint64 batchNo) private view returns (bool) {
        ICampaignRules rules = _policy.campaignRules();
        return address(rules) != address(0) && rules.admits(e, batchNo);
    }
}

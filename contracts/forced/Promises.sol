// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IMerchantRegistry, MerchantStatus} from "../interfaces/IMerchantRegistry.sol";
import {AcceptanceReceipt, PointsEvent, Words} from "../libraries/Words.sol";
import {Evidence} from "./Evidence.sol";

/// @title Promises: receipts that the operator signed and did not keep, paid from its bond
abstract contract Promises is Evidence {
    uint128 private constant LATE_PENALTY = 100e6;
    uint128 private constant LATE_PENALTY_MAX = 1_000e6;
    uint64 private constant LAST_BATCH_SECONDS = 30 minutes;

    mapping(bytes32 account => mapping(uint64 nonce => uint128)) private _penalties;

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
    function penaltyPaid(uint32 merchantId, uint32 keyId, uint64 nonce) external view returns (uint256) {
        return _penalties[laneAccount(merchantId, keyId)][nonce];
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
}

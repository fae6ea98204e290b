// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IAlliancePolicy} from "../interfaces/IAlliancePolicy.sol";
import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {IMerchantRegistry} from "../interfaces/IMerchantRegistry.sol";
import {PositionalTree} from "../libraries/PositionalTree.sol";
import {BatchHeader, Words} from "../libraries/Words.sol";

/// @dev What the queue asks its hub.
interface IQueueHub {
    function headerHash(uint64 batchNo) external view returns (bytes32);
    function nextBatchNo() external view returns (uint64);
    function domainSeparator() external view returns (bytes32);
    function setForcedDue(uint32 dueAt) external;
    function payPenalty(uint32 merchantId, uint128 amount) external returns (uint128 paid);
}

/// @title Evidence: what can be shown to the queue about batches, their rows and leaves, and who signed what
abstract contract Evidence is IForcedQueue {
    bytes1 private constant LANE_TAG = 0x01;

    IAlliancePolicy internal immutable _policy;
    IMerchantRegistry internal immutable _registry;

    IQueueHub internal _hub;

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
    function hub() external view returns (address) {
        return address(_hub);
    }

    /// @notice The account of one lane: 01 ‖ merchantId ‖ keyId ‖ zeroes.
    function laneAccount(uint32 merchantId, uint32 keyId) public pure returns (bytes32) {
        return bytes32(LANE_TAG) | bytes32(uint256(merchantId) << 216) | bytes32(uint256(keyId) << 184);
    }

    /// Returns the header's hash, which is the one that was committed.
    function _requireCommitted(BatchHeader calldata header) internal view returns (bytes32 hash) {
        hash = Words.hash(header);
        bytes32 committed = _hub.headerHash(header.batchNo);
        if (hash != committed) revert NotCommitted(header.batchNo, committed, hash);
    }

    /// Returns the lane's account, which is the row's.
    function _requireRow(RowProof calldata proof, uint32 merchantId, uint32 keyId)
        internal
        pure
        returns (bytes32 account)
    {
        BatchHeader calldata h = proof.header;
        PositionalTree.requireIncluded(
            h.accountsRoot, h.accountsCount, proof.index, Words.hash(proof.row), proof.path
        );
        account = laneAccount(merchantId, keyId);
        if (proof.row.account != account) revert WrongLane(account, proof.row.account);
    }

    function _requireLeaf(LeafProof calldata proof) internal pure {
        BatchHeader calldata h = proof.header;
        PositionalTree.requireIncluded(h.leavesRoot, h.leafCount, proof.index, Words.hash(proof.leaf), proof.path);
    }

    function _signer(bytes32 structHash, bytes32[2] memory signature) internal view returns (address) {
        bytes32 digest = MessageHashUtils.toTypedDataHash(_hub.domainSeparator(), structHash);
        return ECDSA.recover(digest, signature[0], signature[1]);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ITierRegistry} from "../interfaces/ITierRegistry.sol";
import {Circuits} from "./Circuits.sol";
import {TierEpoch, TierWords} from "./TierWords.sol";

/// @title Epochs: one root for everybody, published once, in a chain of headers, taken back for ever
abstract contract Epochs is Circuits, EIP712 {
    using TierWords for TierEpoch;

    /// Says which key signs headers.
    bytes32 public constant GOVERNOR_ROLE = keccak256("GOVERNOR_ROLE");
    /// Hands in what the epoch key has signed; can sign nothing itself.
    bytes32 public constant PUBLISHER_ROLE = keccak256("PUBLISHER_ROLE");

    uint64 private constant GRACE_SECONDS_MAX = 7 days;

    uint64 private immutable _graceSeconds;

    address private _epochKey;
    uint32 private _lastEpoch;
    mapping(uint32 epoch => Epoch) private _epochs;

    constructor(address firstEpochKey, uint64 grace) {
        if (grace > GRACE_SECONDS_MAX) revert GraceTooLong(grace, GRACE_SECONDS_MAX);
        _graceSeconds = grace;
        _storeEpochKey(firstEpochKey);
    }

    /// @inheritdoc ITierRegistry
    function setEpochKey(address newEpochKey) external onlyRole(GOVERNOR_ROLE) {
        _storeEpochKey(newEpochKey);
    }

    /// @inheritdoc ITierRegistry
    function publishEpoch(TierEpoch calldata header, bytes calldata signature) external onlyRole(PUBLISHER_ROLE) {
        bytes32 headerHash = header.hash();
        _requireNext(header, headerHash);
        if (!TierWords.inField(header.root)) revert RootOutOfField(header.root);
        if (header.depth != TierWords.TREE_DEPTH) revert DepthMismatch(TierWords.TREE_DEPTH, header.depth);
        if (header.notBefore >= header.notAfter) revert EpochTimesInvalid(header.notBefore, header.notAfter);
        if (header.notAfter <= block.timestamp) revert EpochOver(header.notAfter, block.timestamp);
        uint32 circuitNo = _currentCircuit(header.circuitId, header.vkHash);
        address signer = ECDSA.recover(_hashTypedDataV4(headerHash), signature);
        if (signer != _epochKey) revert EpochSignerMismatch(_epochKey, signer);
        _lastEpoch = header.epoch;
        _epochs[header.epoch] =
            Epoch(header.root, headerHash, header.notBefore, header.notAfter, circuitNo, false);
        emit EpochPublished(header.epoch, headerHash, signer, header);
    }

    /// @inheritdoc ITierRegistry
    function revokeEpoch(uint32 epoch) external onlyRole(GUARDIAN_ROLE) {
        Epoch storage e = _epochs[epoch];
        if (e.headerHash == 0) revert EpochUnknown(epoch);
        if (e.revoked) revert EpochRevoked(epoch);
        e.revoked = true;
        emit EpochWithdrawn(epoch, msg.sender);
    }

    /// @inheritdoc ITierRegistry
    function epochOf(uint32 epoch) external view returns (Epoch memory) {
        return _epochs[epoch];
    }

    /// @inheritdoc ITierRegistry
    function isActive(uint32 epoch, uint64 timestamp) external view returns (bool) {
        Epoch storage e = _epochs[epoch];
        bool within = e.notBefore <= timestamp && timestamp <= uint256(e.notAfter) + _graceSeconds;
        return e.headerHash != 0 && !e.revoked && within && !_isRetired(e.circuitNo);
    }

    /// @inheritdoc ITierRegistry
    function lastEpoch() external view returns (uint32 epoch, bytes32 headerHash) {
        return (_lastEpoch, _epochs[_lastEpoch].headerHash);
    }

    /// @inheritdoc ITierRegistry
    function epochDigest(TierEpoch calldata header) external view returns (bytes32) {
        return _hashTypedDataV4(header.hash());
    }

    /// @inheritdoc ITierRegistry
    function epochKey() external view returns (address) {
        return _epochKey;
    }

    /// @inheritdoc ITierRegistry
    function graceSeconds() external view returns (uint64) {
        return _graceSeconds;
    }

    /// @inheritdoc ITierRegistry
    function allianceId() external view returns (uint32) {
        return TierWords.allianceId();
    }

    /// The root of an epoch that takes proofs now, and its circuit; reverts if it takes none.
    function _requireActive(uint32 epoch) internal view returns (uint256 root, uint32 circuitNo) {
        Epoch storage e = _epochs[epoch];
        root = e.root;
        if (root == 0) revert EpochUnknown(epoch);
        if (e.revoked) revert EpochRevoked(epoch);
        if (block.timestamp < e.notBefore) revert EpochEarly(epoch, e.notBefore);
        uint256 graceUntil = uint256(e.notAfter) + _graceSeconds;
        if (block.timestamp > graceUntil) revert EpochEnded(epoch, graceUntil);
        circuitNo = e.circuitNo;
    }

    function _requireNext(TierEpoch calldata header, bytes32 headerHash) private view {
        uint32 ours = TierWords.allianceId();
        if (header.allianceId != ours) revert AllianceMismatch(ours, header.allianceId);
        if (_epochs[header.epoch].headerHash == headerHash) revert EpochAlreadyPublished(header.epoch);
        if (header.epoch <= _lastEpoch) revert EpochNotRising(_lastEpoch, header.epoch);
        bytes32 previous = _epochs[_lastEpoch].headerHash;
        if (header.previous != previous) revert PreviousMismatch(previous, header.previous);
    }

    function _storeEpochKey(address newEpochKey) private {
        if (newEpochKey == address(0)) revert ZeroEpochKey();
        _epochKey = newEpochKey;
        emit EpochKeySet(newEpochKey);
    }
}

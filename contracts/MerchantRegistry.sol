// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IMerchantRegistry, MerchantStatus} from "./interfaces/IMerchantRegistry.sol";

/// @dev What the registry asks its hub, and by which it knows one.
interface IBatchCounter {
    function nextBatchNo() external view returns (uint64);
    function registry() external view returns (IMerchantRegistry);
}

/// @title MerchantRegistry
/// @notice Merchants, their keys (lanes) and their terms. See IMerchantRegistry for the rules.
contract MerchantRegistry is IMerchantRegistry, AccessControl {
    using Checkpoints for Checkpoints.Trace224;

    /// Adds merchants and suspends them; can never set a key or a rate.
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    uint8 private constant KIND_MAX = 15;
    uint8 private constant SETTLEMENT_MODE_MAX = 1;
    uint16 private constant VOID_MASK = uint16(1 << 9);
    uint16 private constant RESTRICTED_MASK = uint16((1 << 3) | (1 << 4) | (1 << 9) | (1 << 13));

    IBatchCounter private _hub;
    uint32 private _termsCount;
    mapping(uint32 merchantId => Merchant) private _merchants;
    mapping(uint32 merchantId => Checkpoints.Trace224) private _statusFrom;
    /// Whether a delinquent merchant was suspended when it defaulted, and will be so again.
    mapping(uint32 merchantId => bool) private _suspendedBefore;
    mapping(address admin => uint256) private _administeredBy;
    mapping(uint32 merchantId => mapping(uint32 keyId => Key)) private _keys;
    mapping(uint32 termsId => Terms) private _terms;

    modifier onlyMerchantAdmin(uint32 merchantId) {
        _checkMerchantAdmin(merchantId);
        _;
    }

    modifier onlyHub() {
        if (msg.sender != address(_hub)) revert NotHub(msg.sender);
        _;
    }

    /// @param admin holds the roles at first, and may hand them on
    constructor(address admin) {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(REGISTRAR_ROLE, admin);
    }

    /// @inheritdoc IMerchantRegistry
    function bindHub(address newHub) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (address(_hub) != address(0)) revert HubAlreadyBound(address(_hub));
        if (address(IBatchCounter(newHub).registry()) != address(this)) revert HubForeign(newHub);
        _hub = IBatchCounter(newHub);
        emit HubBound(newHub);
    }

    /// @inheritdoc IMerchantRegistry
    function addMerchants(NewMerchant[] calldata merchants) external onlyRole(REGISTRAR_ROLE) {
        for (uint256 i = 0; i < merchants.length; ++i) {
            NewMerchant calldata m = merchants[i];
            if (m.merchantId == 0) revert ZeroMerchantId();
            if (_merchants[m.merchantId].status != MerchantStatus.None) revert MerchantExists(m.merchantId);
            _merchants[m.merchantId].status = MerchantStatus.Active;
            _storeAddresses(m.merchantId, m.admin, m.payoutAddress);
        }
    }

    /// @inheritdoc IMerchantRegistry
    function setAddresses(uint32 merchantId, address admin, address payoutAddress)
        external
        onlyMerchantAdmin(merchantId)
    {
        _administeredBy[msg.sender] -= 1;
        _storeAddresses(merchantId, admin, payoutAddress);
    }

    /// @inheritdoc IMerchantRegistry
    function setStatus(uint32 merchantId, MerchantStatus status) external onlyRole(REGISTRAR_ROLE) {
        MerchantStatus from = _merchants[merchantId].status;
        if (from == MerchantStatus.None) revert UnknownMerchant(merchantId);
        bool fromOpen = from == MerchantStatus.Active || from == MerchantStatus.Suspended;
        bool toOpen = status == MerchantStatus.Active || status == MerchantStatus.Suspended;
        if (!fromOpen || !(toOpen || status == MerchantStatus.Left)) {
            revert StatusNotAllowed(merchantId, from, status);
        }
        _storeStatus(merchantId, status);
    }

    /// @inheritdoc IMerchantRegistry
    function addKeys(NewKey[] calldata keys) external {
        uint32 fromBatch = _nextBatch();
        for (uint256 i = 0; i < keys.length; ++i) {
            NewKey calldata k = keys[i];
            _checkMerchantAdmin(k.merchantId);
            if (k.keyId == 0) revert ZeroKeyId(k.merchantId);
            if (k.signer == address(0)) revert ZeroAddress();
            if (k.kindMask & 1 != 0) revert KindMaskInvalid(k.kindMask);
            if (_keys[k.merchantId][k.keyId].signer != address(0)) revert KeyExists(k.merchantId, k.keyId);
            uint16 mask = k.kindMask | VOID_MASK;
            _keys[k.merchantId][k.keyId] = Key(k.signer, fromBatch, 0, mask);
            emit KeySet(k.merchantId, k.keyId, k.signer, fromBatch, mask);
        }
    }

    /// @inheritdoc IMerchantRegistry
    function revokeKey(uint32 merchantId, uint32 keyId) external onlyMerchantAdmin(merchantId) {
        Key storage k = _keys[merchantId][keyId];
        if (k.signer == address(0)) revert UnknownKey(merchantId, keyId);
        uint32 toBatch = _nextBatch() + 1;
        if (k.toBatch != 0 && k.toBatch <= toBatch) revert KeyAlreadyRevoked(merchantId, keyId);
        k.toBatch = toBatch;
        emit KeyRevoked(merchantId, keyId, k.toBatch);
    }

    /// @inheritdoc IMerchantRegistry
    function addTerms(NewTerms[] calldata newTerms) external returns (uint32 firstTermsId) {
        uint32 fromBatch = _nextBatch();
        uint32 termsId = _termsCount;
        firstTermsId = termsId + 1;
        for (uint256 i = 0; i < newTerms.length; ++i) {
            NewTerms calldata t = newTerms[i];
            _checkMerchantAdmin(t.issuerId);
            if (t.num == 0 || t.den == 0) revert TermsRateInvalid(t.num, t.den);
            if (t.mode > SETTLEMENT_MODE_MAX) revert TermsModeInvalid(t.mode);
            termsId += 1;
            _terms[termsId] = Terms(t.issuerId, t.acceptorId, fromBatch, 0, t.mode, t.num, t.den);
            emit TermsAdded(termsId, t.issuerId, t.acceptorId, t.num, t.den, t.mode, fromBatch);
        }
        _termsCount = termsId;
    }

    /// @inheritdoc IMerchantRegistry
    function endTerms(uint32 termsId) external {
        Terms storage t = _terms[termsId];
        if (t.den == 0) revert UnknownTerms(termsId);
        _checkMerchantAdmin(t.issuerId);
        uint32 toBatch = _nextBatch() + 1;
        if (t.toBatch != 0 && t.toBatch <= toBatch) revert TermsAlreadyEnded(termsId);
        t.toBatch = toBatch;
        emit TermsEnded(termsId, t.toBatch);
    }

    /// @inheritdoc IMerchantRegistry
    function renewStatus(uint32 merchantId) external {
        (bool some, uint32 from,) = _statusFrom[merchantId].latestCheckpoint();
        if (!some || from <= _nextBatch() + 1) revert StatusInForce(merchantId, from);
        _storeStatus(merchantId, _merchants[merchantId].status);
    }

    /// @inheritdoc IMerchantRegistry
    /// @dev Never reverts on a merchant's state: a default must not be able to hold up everybody's settlement.
    function markDelinquent(uint32 merchantId) external onlyHub {
        MerchantStatus status = _merchants[merchantId].status;
        if (status == MerchantStatus.Suspended) _suspendedBefore[merchantId] = true;
        else if (status != MerchantStatus.Active) return;
        _storeStatus(merchantId, MerchantStatus.Delinquent);
    }

    /// @inheritdoc IMerchantRegistry
    function clearDelinquent(uint32 merchantId) external onlyHub {
        if (_merchants[merchantId].status != MerchantStatus.Delinquent) return;
        bool suspended = _suspendedBefore[merchantId];
        if (suspended) delete _suspendedBefore[merchantId];
        _storeStatus(merchantId, suspended ? MerchantStatus.Suspended : MerchantStatus.Active);
    }

    /// @inheritdoc IMerchantRegistry
    function keyAt(uint32 merchantId, uint32 keyId, uint64 batchNo, uint8 kind) external view returns (address) {
        Key storage k = _keys[merchantId][keyId];
        bool ended = k.toBatch != 0 && batchNo >= k.toBatch;
        if (kind > KIND_MAX || batchNo < k.fromBatch || ended) return address(0);
        uint16 mask = k.kindMask;
        if (statusAt(merchantId, batchNo) != MerchantStatus.Active) mask &= RESTRICTED_MASK;
        return mask & (uint16(1) << kind) == 0 ? address(0) : k.signer;
    }

    /// @inheritdoc IMerchantRegistry
    function key(uint32 merchantId, uint32 keyId) external view returns (Key memory) {
        return _keys[merchantId][keyId];
    }

    /// @inheritdoc IMerchantRegistry
    function terms(uint32 termsId) external view returns (Terms memory) {
        return _terms[termsId];
    }

    /// @inheritdoc IMerchantRegistry
    function merchant(uint32 merchantId) external view returns (Merchant memory) {
        return _merchants[merchantId];
    }

    /// @inheritdoc IMerchantRegistry
    function administeredBy(address admin) external view returns (uint256) {
        return _administeredBy[admin];
    }

    /// @inheritdoc IMerchantRegistry
    function termsCount() external view returns (uint32) {
        return _termsCount;
    }

    /// @notice The hub bound to this registry; 0 before.
    function hub() external view returns (address) {
        return address(_hub);
    }

    /// @inheritdoc IMerchantRegistry
    function statusAt(uint32 merchantId, uint64 batchNo) public view returns (MerchantStatus) {
        if (_merchants[merchantId].status == MerchantStatus.None) return MerchantStatus.None;
        uint224 status = _statusFrom[merchantId].upperLookupRecent(SafeCast.toUint32(batchNo));
        // A merchant starts active and writes history only when that changes.
        return status == 0 ? MerchantStatus.Active : MerchantStatus(uint8(status));
    }

    function _storeAddresses(uint32 merchantId, address admin, address payoutAddress) private {
        if (admin == address(0) || payoutAddress == address(0)) revert ZeroAddress();
        Merchant storage m = _merchants[merchantId];
        m.admin = admin;
        m.payoutAddress = payoutAddress;
        _administeredBy[admin] += 1;
        emit MerchantSet(merchantId, admin, payoutAddress, m.status);
    }

    function _storeStatus(uint32 merchantId, MerchantStatus status) private {
        uint32 fromBatch = _nextBatch() + 1;
        Checkpoints.Checkpoint224[] storage history = _statusFrom[merchantId]._checkpoints;
        // A revert takes the counter back. What was to begin in a batch that has not come is no history.
        while (history.length != 0 && history[history.length - 1]._key > fromBatch) history.pop();
        _merchants[merchantId].status = status;
        _statusFrom[merchantId].push(fromBatch, uint224(uint8(status)));
        emit StatusSet(merchantId, status, fromBatch);
    }

    function _checkMerchantAdmin(uint32 merchantId) private view {
        if (_merchants[merchantId].status == MerchantStatus.None) revert UnknownMerchant(merchantId);
        if (_merchants[merchantId].admin != msg.sender) revert NotMerchantAdmin(merchantId, msg.sender);
    }

    function _nextBatch() private view returns (uint32) {
        return address(_hub) == address(0) ? 1 : SafeCast.toUint32(_hub.nextBatchNo());
    }
}

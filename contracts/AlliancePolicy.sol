// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {AttesterRole, IAlliancePolicy} from "./interfaces/IAlliancePolicy.sol";
import {ICampaignRules} from "./interfaces/ICampaignRules.sol";
import {IMerchantRegistry} from "./interfaces/IMerchantRegistry.sol";
import {Floors} from "./policy/Floors.sol";

/// @title AlliancePolicy
/// @notice Parameters within hard bounds, the attesters and their quorum, the versions that make up configHash, and the
/// pause. See IAlliancePolicy for the rules.
contract AlliancePolicy is IAlliancePolicy, Floors {
    /// Says who attests and how much a quorum takes, and which contract knows the campaigns.
    bytes32 public constant CHARTER_ROLE = keccak256("CHARTER_ROLE");
    /// Sets all other parameters, the rules version and the keys for receipts, and ends a pause.
    bytes32 public constant GOVERNOR_ROLE = keccak256("GOVERNOR_ROLE");
    /// May pause, and nothing else.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    uint256 private constant FAST_WINDOW_SECONDS_MIN = 2 hours;
    uint256 private constant SLOW_WINDOW_SECONDS_MIN = 3 days;
    /// So that nobody's money is out of reach for longer, whatever a governor sets.
    uint256 private constant SLOW_WINDOW_SECONDS_BOUND = 30 days;
    uint256 private constant WITHDRAW_DELAY_SECONDS_BOUND = 30 days;
    uint256 private constant SEAL_LAG_SECONDS_BOUND = 24 hours;
    uint64 private constant CONFIG_GRACE_SECONDS = 24 hours;
    uint64 private constant PAUSE_SECONDS = 14 days;
    uint64 private constant PAUSE_REST_SECONDS = 7 days;
    uint32 private constant ANSWER_WINDOW_SECONDS_DEFAULT = 24 hours;
    uint256 private constant ANSWER_WINDOW_SECONDS_MIN = 6 hours;
    uint32 private constant FORCE_DEADLINE_SECONDS_DEFAULT = 24 hours;
    uint256 private constant FORCE_DEADLINE_SECONDS_MIN = 1 hours;
    uint256 private constant FORCE_DEADLINE_SECONDS_BOUND = 72 hours;
    uint96 private constant DEMAND_BOND_DEFAULT = 50e6;
    uint64 private constant RECEIPT_SIGNER_GRACE_SECONDS = 7 days;
    uint256 private constant ATTESTATIONS_COUNT_MAX = 64;
    /// Fewer than two would make one compromised attester a quorum.
    uint256 private constant QUORUM_WEIGHT_MIN = 2;

    struct State {
        uint32 rulesVersion;
        uint32 attesterSetVersion;
        uint32 paramsVersion;
        uint32 attesterWeight;
        uint64 previousUntil;
        uint64 pausedUntil;
    }

    IMerchantRegistry private immutable _registry;

    State private _state;
    Params private _params;
    DisputeParams private _disputeParams;
    ICampaignRules private _campaignRules;
    /// When the present run of pauses began.
    uint64 private _pausedSince;
    bytes32 private _previousConfigHash;
    mapping(address account => Attester) private _attesters;
    mapping(address guardian => uint64) private _restsUntil;
    mapping(address signer => uint64) private _receiptSignerUntil;

    /// @param admin holds every role at first, and hands them on
    /// @param attesters the founding set, version 1
    /// @param genesisConfigHash what header 0 carries; batch 1 may carry it too, within 24 hours
    constructor(
        IMerchantRegistry merchants,
        address admin,
        Params memory initial,
        AttesterEntry[] memory attesters,
        bytes32 genesisConfigHash
    ) {
        _registry = merchants;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(CHARTER_ROLE, admin);
        _grantRole(GOVERNOR_ROLE, admin);
        _grantRole(GUARDIAN_ROLE, admin);
        _grantRole(RISK_ROLE, admin);
        _state = State(1, 1, 1, 0, uint64(block.timestamp) + CONFIG_GRACE_SECONDS, 0);
        _storeAttesters(attesters);
        _storeParams(initial);
        _storeDisputeParams(
            DisputeParams(ANSWER_WINDOW_SECONDS_DEFAULT, FORCE_DEADLINE_SECONDS_DEFAULT, DEMAND_BOND_DEFAULT)
        );
        _previousConfigHash = genesisConfigHash;
    }

    /// @inheritdoc IAlliancePolicy
    function setParams(Params calldata newParams) external onlyRole(GOVERNOR_ROLE) {
        if (newParams.honestWeight != _params.honestWeight) {
            revert ParamOutOfBounds("honestWeight", newParams.honestWeight, _params.honestWeight);
        }
        _keepPreviousConfig();
        _state.paramsVersion += 1;
        _storeParams(newParams);
    }

    /// @inheritdoc IAlliancePolicy
    function setHonestWeight(uint32 honestWeight) external onlyRole(CHARTER_ROLE) {
        _keepPreviousConfig();
        _state.paramsVersion += 1;
        Params memory p = _params;
        p.honestWeight = honestWeight;
        _storeParams(p);
    }

    /// @inheritdoc IAlliancePolicy
    function setDisputeParams(DisputeParams calldata newParams) external onlyRole(GOVERNOR_ROLE) {
        _keepPreviousConfig();
        _state.paramsVersion += 1;
        _storeDisputeParams(newParams);
    }

    /// @inheritdoc IAlliancePolicy
    function setCampaignRules(ICampaignRules newRules) external onlyRole(CHARTER_ROLE) {
        _campaignRules = newRules;
        emit CampaignRulesSet(address(newRules));
    }

    /// @inheritdoc IAlliancePolicy
    function addReceiptSigner(address signer) external onlyRole(GOVERNOR_ROLE) {
        if (signer == address(0)) revert ZeroReceiptSigner();
        // A retired key stays retired: it may have been stolen.
        if (_receiptSignerUntil[signer] != 0) revert ReceiptSignerKnown(signer, _receiptSignerUntil[signer]);
        _storeReceiptSigner(signer, type(uint64).max);
    }

    /// @inheritdoc IAlliancePolicy
    function retireReceiptSigner(address signer) external onlyRole(GOVERNOR_ROLE) {
        if (_receiptSignerUntil[signer] != type(uint64).max) revert ReceiptSignerUnknown(signer);
        _storeReceiptSigner(signer, uint64(block.timestamp) + RECEIPT_SIGNER_GRACE_SECONDS);
    }

    /// @inheritdoc IAlliancePolicy
    function advanceRulesVersion() external onlyRole(GOVERNOR_ROLE) {
        _keepPreviousConfig();
        _state.rulesVersion += 1;
        emit RulesVersionChanged(_state.rulesVersion, configHash());
    }

    /// @inheritdoc IAlliancePolicy
    function setAttesters(AttesterEntry[] calldata entries) external onlyRole(CHARTER_ROLE) {
        _keepPreviousConfig();
        _state.attesterSetVersion += 1;
        _storeAttesters(entries);
        emit AttesterSetChanged(_state.attesterSetVersion, _state.attesterWeight, configHash());
    }

    /// @inheritdoc IAlliancePolicy
    function pause() external onlyRole(GUARDIAN_ROLE) {
        requireNotPaused();
        uint64 rest = _restsUntil[msg.sender];
        if (block.timestamp < rest) revert PauseNotRenewable(msg.sender, rest);
        // Guardians that take turns make one long pause, which counts towards a wind-down.
        if (block.timestamp >= _state.pausedUntil + PAUSE_REST_SECONDS) _pausedSince = uint64(block.timestamp);
        uint64 until = uint64(block.timestamp) + PAUSE_SECONDS;
        _state.pausedUntil = until;
        _restsUntil[msg.sender] = until + PAUSE_REST_SECONDS;
        emit Paused(msg.sender, until);
    }

    /// @inheritdoc IAlliancePolicy
    function unpause() external onlyRole(GOVERNOR_ROLE) {
        if (block.timestamp >= _state.pausedUntil) revert PolicyNotPaused();
        _state.pausedUntil = uint64(block.timestamp);
        emit Unpaused(msg.sender);
    }

    /// @inheritdoc IAlliancePolicy
    /// @dev Whether an attester administers ANY merchant is stricter than whether it is the admin of a debtor of this batch,
    /// and costs one look per attester instead of one per debtor.
    function judge(bytes32 digest, bytes32[2][] calldata attestations, uint256 gross)
        external
        view
        returns (Verdict memory v)
    {
        uint256 count = attestations.length;
        if (count > ATTESTATIONS_COUNT_MAX) revert TooManyAttestations(count, ATTESTATIONS_COUNT_MAX);
        v.signers = new address[](count);
        bool auditor;
        bool merchantWatcher;
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            address signer = ECDSA.recover(digest, attestations[i][0], attestations[i][1]);
            if (signer <= previous) revert AttestersNotAscending(previous, signer);
            Attester memory a = _attesters[signer];
            if (a.role == AttesterRole.None) revert UnknownAttester(signer);
            bool watches = a.role == AttesterRole.MerchantWatcher || (gross != 0 && _registry.administeredBy(signer) != 0);
            if (watches) merchantWatcher = true;
            else auditor = true;
            v.signers[i] = signer;
            v.weight += a.weight;
            previous = signer;
        }
        bool fast = auditor && merchantWatcher && v.weight >= _quorumWeight();
        v.windowSeconds = fast ? _params.fastWindowSeconds : _params.slowWindowSeconds;
        if (gross != 0) _checkGross(gross, fast);
    }

    /// @inheritdoc IAlliancePolicy
    function requireConfig(bytes32 claimed) external view {
        if (claimed == configHash()) return;
        bool graced = claimed == _previousConfigHash && block.timestamp <= _state.previousUntil;
        if (!graced) revert UnknownConfig(configHash(), claimed);
    }

    /// @inheritdoc IAlliancePolicy
    function commitLimits() external view returns (uint256 operatorBondMin, uint256 sealLagSecondsMax) {
        requireNotPaused();
        return (_params.operatorBondMin, _params.sealLagSecondsMax);
    }

    /// @inheritdoc IAlliancePolicy
    function previousConfigHash() external view returns (bytes32 previous, uint64 until) {
        return (_previousConfigHash, _state.previousUntil);
    }

    /// @inheritdoc IAlliancePolicy
    function params() external view returns (Params memory) {
        return _params;
    }

    /// @inheritdoc IAlliancePolicy
    function disputeParams() external view returns (DisputeParams memory) {
        return _disputeParams;
    }

    /// @inheritdoc IAlliancePolicy
    function campaignRules() external view returns (ICampaignRules) {
        return _campaignRules;
    }

    /// @inheritdoc IAlliancePolicy
    function receiptSignerUntil(address signer) external view returns (uint64) {
        return _receiptSignerUntil[signer];
    }

    /// @inheritdoc IAlliancePolicy
    function pausedForSeconds() external view returns (uint256) {
        return block.timestamp < _state.pausedUntil ? block.timestamp - _pausedSince : 0;
    }

    /// @inheritdoc IAlliancePolicy
    function versions() external view returns (uint32 rules, uint32 attesterSet, uint32 paramsVersion) {
        return (_state.rulesVersion, _state.attesterSetVersion, _state.paramsVersion);
    }

    /// @inheritdoc IAlliancePolicy
    function attesterOf(address account) external view returns (Attester memory) {
        return _attesters[account];
    }

    /// @inheritdoc IAlliancePolicy
    function quorum() external view returns (uint256 quorumWeight, uint256 totalWeight) {
        return (_quorumWeight(), _state.attesterWeight);
    }

    /// @inheritdoc IAlliancePolicy
    function pausedUntil() external view returns (uint64) {
        return _state.pausedUntil;
    }

    /// @inheritdoc IAlliancePolicy
    function registry() external view returns (IMerchantRegistry) {
        return _registry;
    }

    /// @inheritdoc IAlliancePolicy
    function configHash() public view returns (bytes32) {
        State memory s = _state;
        return keccak256(abi.encode(s.rulesVersion, s.attesterSetVersion, s.paramsVersion));
    }

    /// @inheritdoc IAlliancePolicy
    function requireNotPaused() public view {
        uint64 until = _state.pausedUntil;
        if (block.timestamp < until) revert PolicyPaused(until);
    }

    function _storeAttesters(AttesterEntry[] memory entries) private {
        for (uint256 i = 0; i < entries.length; ++i) {
            AttesterEntry memory e = entries[i];
            if (e.account == address(0)) revert ZeroAttester();
            if ((e.role == AttesterRole.None) != (e.weight == 0)) {
                revert AttesterWeightInvalid(e.account, e.role, e.weight);
            }
            _state.attesterWeight = _state.attesterWeight + e.weight - _attesters[e.account].weight;
            _attesters[e.account] = Attester(e.role, e.weight);
            emit AttesterSet(e.account, e.role, e.weight);
        }
    }

    function _storeParams(Params memory p) private {
        _requireAtLeast("fastWindowSeconds", p.fastWindowSeconds, FAST_WINDOW_SECONDS_MIN);
        _requireAtLeast("slowWindowSeconds", p.slowWindowSeconds, SLOW_WINDOW_SECONDS_MIN);
        _requireAtLeast("slowWindowSeconds", p.slowWindowSeconds, p.fastWindowSeconds);
        _requireAtMost("slowWindowSeconds", p.slowWindowSeconds, SLOW_WINDOW_SECONDS_BOUND);
        _requireAtLeast("sealLagSecondsMax", p.sealLagSecondsMax, 1);
        _requireAtMost("sealLagSecondsMax", p.sealLagSecondsMax, SEAL_LAG_SECONDS_BOUND);
        _requireAtLeast("withdrawDelaySeconds", p.withdrawDelaySeconds, p.slowWindowSeconds);
        _requireAtMost("withdrawDelaySeconds", p.withdrawDelaySeconds, WITHDRAW_DELAY_SECONDS_BOUND);
        _requireAtLeast("honestWeight", p.honestWeight, 1);
        _requireAtLeast("grossCapFast", p.grossCapFast, p.grossCapSlow);
        _params = p;
        emit ParamsChanged(_state.paramsVersion, p, configHash());
    }

    function _storeDisputeParams(DisputeParams memory p) private {
        _requireAtLeast("answerWindowSeconds", p.answerWindowSeconds, ANSWER_WINDOW_SECONDS_MIN);
        _requireAtLeast("forceDeadlineSeconds", p.forceDeadlineSeconds, FORCE_DEADLINE_SECONDS_MIN);
        _requireAtMost("forceDeadlineSeconds", p.forceDeadlineSeconds, FORCE_DEADLINE_SECONDS_BOUND);
        _disputeParams = p;
        emit DisputeParamsChanged(_state.paramsVersion, p, configHash());
    }

    function _storeReceiptSigner(address signer, uint64 until) private {
        _receiptSignerUntil[signer] = until;
        emit ReceiptSignerSet(signer, until);
    }

    function _keepPreviousConfig() private {
        _previousConfigHash = configHash();
        _state.previousUntil = uint64(block.timestamp) + CONFIG_GRACE_SECONDS;
    }

    function _checkGross(uint256 gross, bool fast) private view {
        uint256 cap = fast ? _params.grossCapFast : _params.grossCapSlow;
        if (gross > cap) revert GrossCapExceeded(gross, cap);
    }

    function _quorumWeight() private view returns (uint256) {
        uint256 total = uint256(_state.attesterWeight) + 1;
        uint256 honest = _params.honestWeight;
        return total < honest + QUORUM_WEIGHT_MIN ? QUORUM_WEIGHT_MIN : total - honest;
    }

    function _requireAtMost(string memory field, uint256 value, uint256 bound) private pure {
        if (value > bound) revert ParamOutOfBounds(field, value, bound);
    }

    function _requireAtLeast(string memory field, uint256 value, uint256 bound) private pure {
        if (value < bound) revert ParamOutOfBounds(field, value, bound);
    }
}

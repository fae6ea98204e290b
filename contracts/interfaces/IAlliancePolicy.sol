// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICampaignRules} from "./ICampaignRules.sol";
import {IFloors} from "./IFloors.sol";
import {IMerchantRegistry} from "./IMerchantRegistry.sol";

/// @notice In whose interest an attester verifies.
enum AttesterRole {
    /// Not in the set.
    None,
    /// Works for nobody in the alliance.
    Auditor,
    /// Watches for a merchant.
    MerchantWatcher
}

/// @title What the alliance has agreed on: parameters, attesters, rules version, and the pause
/// @notice The hub asks it and holds the money; it can move none. Every parameter has bounds in the code that no role can
/// pass. A change of parameters, attesters or rules gives a new configHash; the one before it is accepted for 24 hours, so
/// that a change cannot catch a batch between its sealing and its commit.
///
/// An attestation is a signature over the EIP-712 digest of a header. Weights add up to a quorum of total + 1 − H (at
/// least 2) which must hold an auditor and a merchant watcher. A quorum shortens the window, nothing else.
interface IAlliancePolicy is IFloors {
    /// @param fastWindowSeconds challenge window of a batch with quorum; at least 2 hours
    /// @param slowWindowSeconds challenge window without; 3 to 30 days and no less than the fast one
    /// @param sealLagSecondsMax longest time from sealing to commit; 1 second to 24 hours
    /// @param withdrawDelaySeconds from request to payment of a withdrawal; at least slowWindowSeconds, at most 30 days
    /// @param honestWeight H: attester weight taken to be honest; at least 1
    /// @param operatorBondMin base units the operator must have at stake for a commit
    /// @param grossCapSlow most base units one settling batch may move without quorum
    /// @param grossCapFast the same with quorum; no less than grossCapSlow
    struct Params {
        uint32 fastWindowSeconds;
        uint32 slowWindowSeconds;
        uint32 sealLagSecondsMax;
        uint32 withdrawDelaySeconds;
        uint32 honestWeight;
        uint96 operatorBondMin;
        uint128 grossCapSlow;
        uint128 grossCapFast;
    }

    /// What courts and forced events go by.
    /// @param answerWindowSeconds a demand for data must be answered within; at least 6 hours
    /// @param forceDeadlineSeconds a forced event must be merged within; 1 hour to 72 hours
    /// @param demandBond base units that a demand costs who makes it without cause
    struct DisputeParams {
        uint32 answerWindowSeconds;
        uint32 forceDeadlineSeconds;
        uint96 demandBond;
    }

    struct Attester {
        AttesterRole role;
        uint16 weight;
    }

    struct AttesterEntry {
        address account;
        AttesterRole role;
        uint16 weight;
    }

    /// `weight` of all `signers`, who are in ascending order, and the challenge window that it earns.
    struct Verdict {
        uint256 weight;
        uint256 windowSeconds;
        address[] signers;
    }

    /// `field` is outside its bounds.
    error ParamOutOfBounds(string field, uint256 value, uint256 bound);
    error PolicyPaused(uint64 until);
    error PolicyNotPaused();
    /// The same guardian may pause again only some days after its last pause ended.
    error PauseNotRenewable(address guardian, uint64 notBefore);
    error UnknownConfig(bytes32 current, bytes32 actual);
    error ZeroAttester();
    error ZeroReceiptSigner();
    error ReceiptSignerKnown(address signer, uint64 until);
    error ReceiptSignerUnknown(address signer);
    /// A member of the set has a weight, one that leaves has none.
    error AttesterWeightInvalid(address attester, AttesterRole role, uint16 weight);
    error TooManyAttestations(uint256 count, uint256 countMax);
    /// Signers must be strictly ascending by address, so none counts twice.
    error AttestersNotAscending(address previous, address current);
    error UnknownAttester(address signer);
    /// More than one settling batch may move: `cap` is the fast or the slow one, by whether there is a quorum.
    error GrossCapExceeded(uint256 gross, uint256 cap);

    event ParamsChanged(uint32 paramsVersion, Params params, bytes32 configHash);
    event DisputeParamsChanged(uint32 paramsVersion, DisputeParams params, bytes32 configHash);
    event CampaignRulesSet(address indexed campaignRules);
    /// Receipts by this key are good for a penalty until this time; the largest number means no end.
    event ReceiptSignerSet(address indexed signer, uint64 until);
    event RulesVersionChanged(uint32 rulesVersion, bytes32 configHash);
    event AttesterSet(address indexed attester, AttesterRole role, uint16 weight);
    event AttesterSetChanged(uint32 attesterSetVersion, uint256 totalWeight, bytes32 configHash);
    event Paused(address indexed guardian, uint64 until);
    event Unpaused(address indexed account);

    /// @notice Replaces all parameters but honestWeight, which must stay. GOVERNOR only.
    function setParams(Params calldata newParams) external;

    /// @notice Changes how much attester weight a quorum takes. CHARTER only.
    function setHonestWeight(uint32 honestWeight) external;

    /// @notice Replaces the parameters of disputes. GOVERNOR only.
    function setDisputeParams(DisputeParams calldata newParams) external;

    /// @notice Names the contract that knows the campaigns; without one no referral event can be forced. CHARTER only.
    function setCampaignRules(ICampaignRules newRules) external;

    /// @notice Admits a key of the operator's that signs acceptance receipts. GOVERNOR only.
    function addReceiptSigner(address signer) external;

    /// @notice Retires one: its receipts can be shown for 7 days more, for a merchant must not lose its claim to a rotation.
    /// GOVERNOR only.
    function retireReceiptSigner(address signer) external;

    /// @notice Moves to the next version of the rule book by which leaves are judged. GOVERNOR only.
    function advanceRulesVersion() external;

    /// @notice Adds, changes or removes (role None, weight 0) attesters as one new version of the set. CHARTER only.
    function setAttesters(AttesterEntry[] calldata entries) external;

    /// @notice Stops commit and finalise for 14 days at most. GUARDIAN only; the same guardian not again until 7 days after
    /// that. Deposits, withdrawals and claims go on.
    function pause() external;

    /// @notice Ends a pause early. GOVERNOR only.
    function unpause() external;

    /// @notice Weighs the attestations of one header digest; reverts on the first that is malformed, out of order or not of
    /// the set, then if the batch moves more than its window allows.
    /// @param attestations EIP-2098 signatures (r, vs), ascending by signer
    /// @param gross sum of the positive nets that hang on the batch. If it is not 0, an auditor that administers a merchant
    /// counts as a merchant watcher, because a net may be its own.
    function judge(bytes32 digest, bytes32[2][] calldata attestations, uint256 gross)
        external
        view
        returns (Verdict memory);

    /// @notice Reverts while paused.
    function requireNotPaused() external view;

    /// @notice What a commit must meet; reverts while paused.
    function commitLimits() external view returns (uint256 operatorBondMin, uint256 sealLagSecondsMax);

    /// @notice Reverts unless a header may carry this configHash now.
    function requireConfig(bytes32 claimed) external view;

    /// @notice The value that headers sealed now carry:
    /// keccak256(abi.encode(rulesVersion, attesterSetVersion, paramsVersion)).
    function configHash() external view returns (bytes32);

    /// @notice The value before the last change, accepted while block.timestamp <= until. After deployment it is the
    /// configHash of the genesis header.
    function previousConfigHash() external view returns (bytes32 previous, uint64 until);

    function params() external view returns (Params memory);

    function disputeParams() external view returns (DisputeParams memory);

    function campaignRules() external view returns (ICampaignRules);

    /// @notice Until when receipts by this key are good for a penalty; 0 if it never was one.
    function receiptSignerUntil(address signer) external view returns (uint64);

    /// @notice For how many seconds commits have now been paused, pauses less than 7 days apart taken as one; 0 if they are
    /// not paused now.
    function pausedForSeconds() external view returns (uint256);

    function versions() external view returns (uint32 rules, uint32 attesterSet, uint32 paramsVersion);

    function attesterOf(address account) external view returns (Attester memory);

    /// @notice Weight that a quorum takes at present, and the weight of the whole set.
    function quorum() external view returns (uint256 quorumWeight, uint256 totalWeight);

    /// @notice End of the pause in unix seconds; a time that has passed means not paused.
    function pausedUntil() external view returns (uint64);

    function registry() external view returns (IMerchantRegistry);
}

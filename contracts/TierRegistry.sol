// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ITierProofVerifier, ITierRegistry} from "./interfaces/ITierRegistry.sol";
import {Epochs} from "./tiers/Epochs.sol";
import {ProofRequest, TierWords} from "./tiers/TierWords.sol";

/// @title TierRegistry
/// @notice Epochs of tiers, partners who may ask, and proofs taken on chain. See ITierRegistry for the rules.
contract TierRegistry is Epochs {
    using TierWords for ProofRequest;

    /// Says who may ask, and by which key.
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    mapping(uint32 partnerId => address) private _partnerKeys;
    mapping(bytes32 digest => bool) private _verified;
    mapping(uint256 scope => mapping(uint256 nullifier => bool)) private _used;

    /// @param admin holds every role at first, and hands them on
    /// @param grace how long after its end proofs of an epoch are taken; 7 days at most
    constructor(address admin, address firstEpochKey, uint64 grace)
        EIP712("Tongdui Tier", "1")
        Epochs(firstEpochKey, grace)
    {
        if (admin == address(0)) revert ZeroAdmin();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(CHARTER_ROLE, admin);
        _grantRole(GOVERNOR_ROLE, admin);
        _grantRole(REGISTRAR_ROLE, admin);
        _grantRole(GUARDIAN_ROLE, admin);
        _grantRole(PUBLISHER_ROLE, admin);
    }

    /// @inheritdoc ITierRegistry
    function setPartner(uint32 partnerId, address key) external onlyRole(REGISTRAR_ROLE) {
        if (partnerId == 0) revert ZeroPartnerId();
        _partnerKeys[partnerId] = key;
        emit PartnerSet(partnerId, key);
    }

    /// @inheritdoc ITierRegistry
    function verifyTier(
        ProofRequest calldata request,
        bytes calldata signature,
        uint256 nullifier,
        uint256[8] calldata proof
    ) external {
        bytes32 digest = _requireAnswered(request, signature, nullifier, proof);
        _verified[digest] = true;
        _used[request.scope][nullifier] = true;
        emit TierVerified(
            digest, request.partnerId, request.recipient, request.scope, nullifier, request.policy, request.epoch
        );
    }

    /// @inheritdoc ITierRegistry
    function checkTier(
        ProofRequest calldata request,
        bytes calldata signature,
        uint256 nullifier,
        uint256[8] calldata proof
    ) external view {
        _requireAnswered(request, signature, nullifier, proof);
    }

    /// @inheritdoc ITierRegistry
    function isVerified(bytes32 digest) external view returns (bool) {
        return _verified[digest];
    }

    /// @inheritdoc ITierRegistry
    function isUsed(uint256 scope, uint256 nullifier) external view returns (bool) {
        return _used[scope][nullifier];
    }

    /// @inheritdoc ITierRegistry
    function partnerKey(uint32 partnerId) external view returns (address) {
        return _partnerKeys[partnerId];
    }

    /// @inheritdoc ITierRegistry
    function scopeOf(uint32 partnerId, string calldata purpose, uint32 windowId) external view returns (uint256) {
        return TierWords.scope(partnerId, purpose, windowId);
    }

    /// @inheritdoc ITierRegistry
    function requestDigest(ProofRequest calldata request) public view returns (bytes32) {
        return _hashTypedDataV4(request.hash());
    }

    /// Everything that makes a proof good, cheap to dear. Verifiers are asked with a static call, so nothing can come
    /// back in between.
    function _requireAnswered(
        ProofRequest calldata request,
        bytes calldata signature,
        uint256 nullifier,
        uint256[8] calldata proof
    ) private view returns (bytes32 digest) {
        _requireConsistent(request);
        digest = requestDigest(request);
        _requireSigned(request.partnerId, digest, signature);
        (uint256 root, uint32 circuitNo) = _requireActive(request.epoch);
        ITierProofVerifier verifier = _verifierOf(circuitNo, request.circuitId);
        if (!TierWords.inField(nullifier)) revert NullifierOutOfField(nullifier);
        if (_verified[digest]) revert RequestUsed(digest);
        if (_used[request.scope][nullifier]) revert NullifierUsed(request.scope, nullifier);
        uint256[6] memory signals = _signals(request, digest, root, nullifier);
        if (!_holds(verifier, proof, signals)) revert ProofInvalid(digest, nullifier);
    }

    /// The public signals in the circuit's order: nullifier, root, epochTag, scope, challenge, policy.
    function _signals(ProofRequest calldata request, bytes32 digest, uint256 root, uint256 nullifier)
        private
        view
        returns (uint256[6] memory signals)
    {
        signals[0] = nullifier;
        signals[1] = root;
        signals[2] = TierWords.epochTag(request.epoch);
        signals[3] = request.scope;
        signals[4] = TierWords.challenge(digest);
        signals[5] = request.policy;
    }

    function _requireSigned(uint32 partnerId, bytes32 digest, bytes calldata signature) private view {
        address key = _partnerKeys[partnerId];
        if (key == address(0)) revert PartnerUnknown(partnerId);
        address signer = ECDSA.recover(digest, signature);
        if (signer != key) revert PartnerSignatureMismatch(key, signer);
    }

    function _requireConsistent(ProofRequest calldata request) private view {
        if (block.timestamp >= request.expiresAt) revert RequestExpired(request.expiresAt, block.timestamp);
        if (request.recipient == address(0)) revert RecipientMissing();
        uint256 scope = TierWords.scope(request.partnerId, request.purpose, request.windowId);
        if (request.scope != scope) revert ScopeMismatch(scope, request.scope);
        uint256 policy = request.policy;
        if (!TierWords.policyFits(policy)) revert PolicyOutOfRange(policy);
        if (!TierWords.satisfiable(policy)) revert PolicyUnsatisfiable(policy);
        uint8 uses = TierWords.maxUses(policy);
        if (uses != request.maxUses) revert MaxUsesMismatch(uses, request.maxUses);
    }
}

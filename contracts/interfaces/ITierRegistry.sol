// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ProofRequest, TierEpoch} from "../tiers/TierWords.sol";

/// @notice Where the keys of a circuit come from.
enum Setup {
    /// Made by one machine for development: whoever made it can forge proofs.
    Development,
    /// Made by many, of whom one honest one is enough.
    Ceremony
}

/// @notice What a verifier contract exported by snarkjs offers for six public signals.
interface ITierProofVerifier {
    /// @dev Answers false for a proof that does not hold, and also when it runs out of gas: never trust a bare call.
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[6] calldata signals
    ) external view returns (bool);
}

/// @title Whose tiers are published, who may ask for proofs of them, and the proofs that were shown on chain
/// @notice An epoch is one root over all members' tiers, the same for everybody, signed by the operator's epoch key and
/// published here once. A partner signs a request; a member answers with a proof and a nullifier, and nothing else. The
/// registry rebuilds every public signal from the request and the epoch; only the nullifier comes from the prover.
///
/// Who is paid stands inside the signed request and so inside the proof: a copy that overtakes the original pays the same
/// recipient. A request is answered once, and a nullifier is used once in a scope. What depends on a proof should ask
/// `isVerified(digest)` and not call `verifyTier` itself: somebody else may have handed it in already.
///
/// A revoked epoch and a retired circuit stay so for ever: nobody, the council included, can make roots or proofs good
/// again that were said to be bad. The remedy is the next epoch.
interface ITierRegistry {
    /// @param circuitId what is proven: keccak256 of the circuit's name with its depth
    /// @param vkHash keccak256 of the verification key's 32-byte words: alpha, beta, gamma, delta, IC[0..6]; in G2 the
    /// imaginary part first
    /// @param retired nothing is published or proven with it any more
    struct Circuit {
        bytes32 circuitId;
        bytes32 vkHash;
        address verifier;
        Setup setup;
        bool retired;
    }

    /// @param headerHash EIP-712 struct hash of the header that was published; 0 if none was
    /// @param notAfter last second of the epoch; proofs are taken for `graceSeconds` more
    /// @param circuitNo the circuit that was current when it was published, for ever
    struct Epoch {
        uint256 root;
        bytes32 headerHash;
        uint64 notBefore;
        uint64 notAfter;
        uint32 circuitNo;
        bool revoked;
    }

    error ZeroAdmin();
    error GraceTooLong(uint64 grace, uint64 graceMax);

    /// There is no code at this address.
    error VerifierMissing(address verifier);
    error VkHashMissing();
    /// This key was registered before, perhaps retired.
    error CircuitKnown(uint32 circuitNo, bytes32 vkHash);
    error CircuitUnknown(bytes32 circuitId);
    error CircuitNoUnknown(uint32 circuitNo);
    error CircuitRetired(uint32 circuitNo);

    error ZeroPartnerId();
    error PartnerUnknown(uint32 partnerId);
    error ZeroEpochKey();

    error AllianceMismatch(uint32 expected, uint32 actual);
    /// The very same header stands under this number.
    error EpochAlreadyPublished(uint32 epoch);
    error EpochNotRising(uint32 lastEpoch, uint32 actual);
    /// 0, or not below the order of the scalar field.
    error RootOutOfField(uint256 root);
    error DepthMismatch(uint8 expected, uint8 actual);
    error EpochTimesInvalid(uint64 notBefore, uint64 notAfter);
    error EpochOver(uint64 notAfter, uint256 nowSeconds);
    error PreviousMismatch(bytes32 expected, bytes32 actual);
    /// The header names another key than the one that is current for its circuit.
    error VkHashMismatch(bytes32 expected, bytes32 actual);
    error EpochSignerMismatch(address expected, address actual);
    error EpochUnknown(uint32 epoch);
    error EpochRevoked(uint32 epoch);
    error EpochEarly(uint32 epoch, uint64 notBefore);
    /// Its grace has run out too.
    error EpochEnded(uint32 epoch, uint256 graceUntil);

    error RequestExpired(uint64 expiresAt, uint256 nowSeconds);
    /// A request without a recipient is one for answers off chain.
    error RecipientMissing();
    /// The scope is not that of this partner, purpose and window, on this chain and registry.
    error ScopeMismatch(uint256 expected, uint256 actual);
    /// Longer than 249 bits.
    error PolicyOutOfRange(uint256 policy);
    /// No tier, no amount or no use satisfies it.
    error PolicyUnsatisfiable(uint256 policy);
    error MaxUsesMismatch(uint8 inPolicy, uint8 inRequest);
    error PartnerSignatureMismatch(address expected, address actual);
    error CircuitMismatch(bytes32 expected, bytes32 actual);
    /// 0, or not below the order of the scalar field: n and n + r would be one nullifier twice.
    error NullifierOutOfField(uint256 nullifier);
    error NullifierUsed(uint256 scope, uint256 nullifier);
    error RequestUsed(bytes32 digest);
    /// With less gas than this the verifier would answer false to any proof.
    error GasTooLow(uint256 available, uint256 needed);
    error ProofInvalid(bytes32 digest, uint256 nullifier);

    event CircuitRegistered(
        uint32 indexed circuitNo, bytes32 indexed circuitId, bytes32 vkHash, address verifier, Setup setup
    );
    event CircuitWithdrawn(uint32 indexed circuitNo, address indexed by);
    /// Key 0: no partner any more.
    event PartnerSet(uint32 indexed partnerId, address key);
    event EpochKeySet(address key);
    event EpochPublished(uint32 indexed epoch, bytes32 indexed headerHash, address signer, TierEpoch header);
    event EpochWithdrawn(uint32 indexed epoch, address indexed by);
    event TierVerified(
        bytes32 indexed digest,
        uint32 indexed partnerId,
        address indexed recipient,
        uint256 scope,
        uint256 nullifier,
        uint256 policy,
        uint32 epoch
    );

    /// @notice Makes a verifier the current one of its circuit: the next epochs must name its key. Epochs that are
    /// published keep theirs. CHARTER only.
    function registerCircuit(bytes32 circuitId, address verifier, bytes32 vkHash, Setup setup)
        external
        returns (uint32 circuitNo);

    /// @notice Ends a circuit at once and for ever, with all epochs that use it. GUARDIAN only.
    function retireCircuit(uint32 circuitNo) external;

    /// @notice Says by which key a partner signs its requests; 0 ends it. REGISTRAR only.
    function setPartner(uint32 partnerId, address key) external;

    /// @notice Says which key signs headers from now on. GOVERNOR only.
    function setEpochKey(address key) external;

    /// @notice Publishes an epoch, once. PUBLISHER only.
    /// @param header EIP-712 struct of the domain ("Tongdui Tier", "1", chain, this contract); `previous` is the struct
    /// hash of the header published before it, 0 for the first
    /// @param signature 65 bytes over its digest by the epoch key
    function publishEpoch(TierEpoch calldata header, bytes calldata signature) external;

    /// @notice Takes an epoch back at once and for ever. GUARDIAN only.
    function revokeEpoch(uint32 epoch) external;

    /// @notice Takes a proof and uses up its nullifier and its request. Anybody may hand it in. Reverts with the first
    /// finding, in the order of docs/contracts.md; there is no answer of false.
    /// @param signature the partner's, 65 bytes over the request's digest
    /// @param nullifier the only public signal that is the prover's
    /// @param proof a.x, a.y, b.x, b.x, b.y, b.y, c.x, c.y; of b's the imaginary part first, as precompiles want it
    function verifyTier(
        ProofRequest calldata request,
        bytes calldata signature,
        uint256 nullifier,
        uint256[8] calldata proof
    ) external;

    /// @notice Reverts where `verifyTier` would, and uses up nothing.
    function checkTier(
        ProofRequest calldata request,
        bytes calldata signature,
        uint256 nullifier,
        uint256[8] calldata proof
    ) external view;

    /// @notice Whether the request with this digest was answered on chain.
    function isVerified(bytes32 digest) external view returns (bool);

    /// @notice Whether a nullifier was used in a scope.
    function isUsed(uint256 scope, uint256 nullifier) external view returns (bool);

    /// @notice The epoch's record; all zero if it was never published.
    function epochOf(uint32 epoch) external view returns (Epoch memory);

    /// @notice Whether proofs of the epoch are taken at a time (Unix seconds), by what is known now.
    function isActive(uint32 epoch, uint64 timestamp) external view returns (bool);

    /// @notice The newest epoch and its header's struct hash; both 0 before the first.
    function lastEpoch() external view returns (uint32 epoch, bytes32 headerHash);

    /// @notice The circuit's record; all zero if there is none. Numbers run from 1.
    function circuit(uint32 circuitNo) external view returns (Circuit memory);

    /// @notice Number of the circuit that new epochs of this id must use; 0 if there is none.
    function circuitNoOf(bytes32 circuitId) external view returns (uint32);

    /// @notice Key by which a partner signs; 0 if it is none.
    function partnerKey(uint32 partnerId) external view returns (address);

    function epochKey() external view returns (address);

    /// @notice How long after `notAfter` proofs are still taken; fixed for ever.
    function graceSeconds() external view returns (uint64);

    /// @notice First four bytes of keccak256(abi.encode(chainId, this contract)).
    function allianceId() external view returns (uint32);

    /// @notice Scope in which nullifiers of a partner's purpose and window meet.
    function scopeOf(uint32 partnerId, string calldata purpose, uint32 windowId) external view returns (uint256);

    /// @notice What a partner signs; the proof's challenge is keccak256 of it, shifted right by 8.
    function requestDigest(ProofRequest calldata request) external view returns (bytes32);

    /// @notice What the epoch key signs.
    function epochDigest(TierEpoch calldata header) external view returns (bytes32);
}

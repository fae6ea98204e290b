// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// What is published of an epoch. `cohorts` and `policyGrid` are keccak256 of their canonical JSON.
struct TierEpoch {
    uint32 allianceId;
    uint32 epoch;
    uint256 root;
    uint8 depth;
    bytes32 cohorts;
    bytes32 policyGrid;
    bytes32 circuitId;
    bytes32 vkHash;
    uint64 notBefore;
    uint64 notAfter;
    bytes32 previous;
}

/// What a partner asks. `recipient` 0 is a request that is answered off chain.
struct ProofRequest {
    uint32 partnerId;
    string audience;
    string purpose;
    uint32 windowId;
    uint256 scope;
    uint256 policy;
    uint32 epoch;
    bytes32 circuitId;
    bytes32 nonce;
    uint64 expiresAt;
    uint8 maxUses;
    address recipient;
}

/// @title Typed words of tier proofs: struct hashes, and the numbers that become public signals
/// @notice proofs/tier computes the same; `proofs/vectors/tier.json` holds both to it. All packing is lowest field first.
library TierWords {
    /// Order of BN254's scalar field.
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint8 internal constant TREE_DEPTH = 24;

    bytes32 internal constant TIER_EPOCH_TYPEHASH = keccak256(
        "TierEpoch(uint32 allianceId,uint32 epoch,uint256 root,uint8 depth,bytes32 cohorts,bytes32 policyGrid,bytes32 circuitId,bytes32 vkHash,uint64 notBefore,uint64 notAfter,bytes32 previous)"
    );
    bytes32 internal constant PROOF_REQUEST_TYPEHASH = keccak256(
        "ProofRequest(uint32 partnerId,string audience,string purpose,uint32 windowId,uint256 scope,uint256 policy,uint32 epoch,bytes32 circuitId,bytes32 nonce,uint64 expiresAt,uint8 maxUses,address recipient)"
    );
    bytes32 private constant SCOPE_TAG = keccak256("LAZK-scope-v1");

    // A policy is lo:64 | hi:64 | sinceMax:32 | validOn:32 | keyEpochMax:32 | tierMask:16 | metric:1 | maxUses:8.
    uint256 private constant POLICY_BITS = 249;
    uint256 private constant HI_SHIFT = 64;
    uint256 private constant TIER_MASK_SHIFT = 224;
    uint256 private constant MAX_USES_SHIFT = 241;

    function hash(TierEpoch calldata x) internal pure returns (bytes32) {
        return keccak256(abi.encode(TIER_EPOCH_TYPEHASH, x));
    }

    /// @dev In two parts because the stack has room for no more; both are whole words, so it is one run of them.
    function hash(ProofRequest calldata x) internal pure returns (bytes32) {
        bytes memory asked = abi.encode(
            PROOF_REQUEST_TYPEHASH,
            x.partnerId,
            keccak256(bytes(x.audience)),
            keccak256(bytes(x.purpose)),
            x.windowId,
            x.scope,
            x.policy
        );
        return keccak256(
            bytes.concat(asked, abi.encode(x.epoch, x.circuitId, x.nonce, x.expiresAt, x.maxUses, x.recipient))
        );
    }

    /// First four bytes of what names chain and registry.
    function allianceId() internal view returns (uint32) {
        return uint32(bytes4(keccak256(abi.encode(block.chainid, address(this)))));
    }

    function epochTag(uint32 epoch) internal view returns (uint256) {
        return (uint256(allianceId()) << 32) | epoch;
    }

    function scope(uint32 partnerId, string calldata purpose, uint32 windowId) internal view returns (uint256) {
        bytes32 purposeHash = keccak256(bytes(purpose));
        bytes memory words =
            abi.encode(SCOPE_TAG, block.chainid, address(this), partnerId, purposeHash, windowId);
        return uint256(keccak256(words)) >> 8;
    }

    function challenge(bytes32 digest) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(digest))) >> 8;
    }

    function inField(uint256 x) internal pure returns (bool) {
        return x != 0 && x < R;
    }

    function policyFits(uint256 policy) internal pure returns (bool) {
        return policy >> POLICY_BITS == 0;
    }

    function maxUses(uint256 policy) internal pure returns (uint8) {
        return uint8(policy >> MAX_USES_SHIFT);
    }

    /// Whether any tier, amount and use could satisfy it.
    function satisfiable(uint256 policy) internal pure returns (bool) {
        return uint64(policy) <= uint64(policy >> HI_SHIFT) && uint16(policy >> TIER_MASK_SHIFT) != 0
            && maxUses(policy) != 0;
    }
}

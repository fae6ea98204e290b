// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITierProofVerifier} from "../interfaces/ITierRegistry.sol";

/// @title Stands in for a verifier in tests: a proof holds if its first word names the very signals that were asked
/// @notice So a test sees which six signals the registry rebuilt, and can run by the thousand. Proves nothing.
contract SignalsVerifier is ITierProofVerifier {
    /// @inheritdoc ITierProofVerifier
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[6] calldata signals
    ) external pure returns (bool) {
        return a[0] == uint256(keccak256(abi.encode(signals)));
    }
}

/// @title A verifier that uses all the gas it is given, as a precompile does at a malformed point
contract GreedyVerifier is ITierProofVerifier {
    /// @inheritdoc ITierProofVerifier
    function verifyProof(
        uint256[2] calldata,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[6] calldata
    ) external view returns (bool) {
        while (gasleft() > 1_000) {}
        return false;
    }
}

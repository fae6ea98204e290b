// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ITierProofVerifier, ITierRegistry, Setup} from "../interfaces/ITierRegistry.sol";

/// @title Circuits: which verifier stands for which circuit and key, and the one way to ask it
abstract contract Circuits is ITierRegistry, AccessControl {
    /// Says which verifier is the current one of a circuit.
    bytes32 public constant CHARTER_ROLE = keccak256("CHARTER_ROLE");
    /// Takes epochs and circuits back, and nothing else.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    /// A check of six signals takes about 230,000; the rest is room. More than this no verifier is given, because a
    /// malformed point makes a precompile swallow all it has.
    uint256 private constant VERIFIER_GAS = 400_000;
    /// What a call may hand on is 63/64 of what is left; the rest pays for the call itself.
    uint256 private constant VERIFIER_GAS_NEEDED = VERIFIER_GAS + VERIFIER_GAS / 32;

    uint32 private _circuitsCount;
    mapping(uint32 circuitNo => Circuit) private _circuits;
    mapping(bytes32 circuitId => uint32 circuitNo) private _circuitNoOf;
    mapping(bytes32 vkHash => uint32 circuitNo) private _circuitNoOfKey;

    /// @inheritdoc ITierRegistry
    function registerCircuit(bytes32 circuitId, address verifier, bytes32 vkHash, Setup setup)
        external
        onlyRole(CHARTER_ROLE)
        returns (uint32 circuitNo)
    {
        if (circuitId == 0) revert CircuitUnknown(circuitId);
        if (vkHash == 0) revert VkHashMissing();
        if (verifier.code.length == 0) revert VerifierMissing(verifier);
        if (_circuitNoOfKey[vkHash] != 0) revert CircuitKnown(_circuitNoOfKey[vkHash], vkHash);
        circuitNo = _circuitsCount + 1;
        _circuitsCount = circuitNo;
        _circuits[circuitNo] = Circuit(circuitId, vkHash, verifier, setup, false);
        _circuitNoOf[circuitId] = circuitNo;
        _circuitNoOfKey[vkHash] = circuitNo;
        emit CircuitRegistered(circuitNo, circuitId, vkHash, verifier, setup);
    }

    /// @inheritdoc ITierRegistry
    function retireCircuit(uint32 circuitNo) external onlyRole(GUARDIAN_ROLE) {
        Circuit storage c = _circuits[circuitNo];
        if (c.verifier == address(0)) revert CircuitNoUnknown(circuitNo);
        if (c.retired) revert CircuitRetired(circuitNo);
        c.retired = true;
        emit CircuitWithdrawn(circuitNo, msg.sender);
    }

    /// @inheritdoc ITierRegistry
    function circuit(uint32 circuitNo) external view returns (Circuit memory) {
        return _circuits[circuitNo];
    }

    /// @inheritdoc ITierRegistry
    function circuitNoOf(bytes32 circuitId) external view returns (uint32) {
        return _circuitNoOf[circuitId];
    }

    /// Number of the circuit that an epoch with this id and key is bound to; reverts unless it is the current one.
    function _currentCircuit(bytes32 circuitId, bytes32 vkHash) internal view returns (uint32 circuitNo) {
        circuitNo = _circuitNoOf[circuitId];
        if (circuitNo == 0) revert CircuitUnknown(circuitId);
        Circuit storage c = _circuits[circuitNo];
        if (c.retired) revert CircuitRetired(circuitNo);
        if (c.vkHash != vkHash) revert VkHashMismatch(c.vkHash, vkHash);
    }

    function _isRetired(uint32 circuitNo) internal view returns (bool) {
        return _circuits[circuitNo].retired;
    }

    /// The verifier of a circuit in use; reverts if it is retired or proves something else than was asked.
    function _verifierOf(uint32 circuitNo, bytes32 asked) internal view returns (ITierProofVerifier) {
        Circuit storage c = _circuits[circuitNo];
        if (c.circuitId != asked) revert CircuitMismatch(c.circuitId, asked);
        if (c.retired) revert CircuitRetired(circuitNo);
        return ITierProofVerifier(c.verifier);
    }

    /// Whether the pairing holds. Reverts with `GasTooLow` where the answer would be false for want of gas, so that who
    /// calls with little gas can pass no good proof off as a bad one.
    function _holds(ITierProofVerifier verifier, uint256[8] calldata proof, uint256[6] memory signals)
        internal
        view
        returns (bool)
    {
        uint256[2] memory a = [proof[0], proof[1]];
        uint256[2][2] memory b = [[proof[2], proof[3]], [proof[4], proof[5]]];
        uint256[2] memory c = [proof[6], proof[7]];
        if (gasleft() < VERIFIER_GAS_NEEDED) revert GasTooLow(gasleft(), VERIFIER_GAS_NEEDED);
        return verifier.verifyProof{gas: VERIFIER_GAS}(a, b, c, signals);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MultiSignerERC7913} from "@openzeppelin/contracts/utils/cryptography/signers/MultiSignerERC7913.sol";
import {ICouncil} from "../interfaces/ICouncil.sol";

/// @title Council
/// @notice m of n signers; the parts are OpenZeppelin's, and so is the way signatures are ordered. See ICouncil for the
/// rules.
contract Council is ICouncil, MultiSignerERC7913, EIP712 {
    bytes32 private constant CALL_TYPEHASH =
        keccak256("CouncilCall(address target,bytes data,uint256 nonce,uint256 deadline)");

    uint256 private _nonce;

    modifier onlyCouncil() {
        if (msg.sender != address(this)) revert NotCouncil(msg.sender);
        _;
    }

    constructor(bytes[] memory signers, uint64 firstThreshold)
        MultiSignerERC7913(signers, firstThreshold)
        EIP712("TongduiCouncil", "1")
    {}

    /// @inheritdoc ICouncil
    function execute(address target, bytes calldata data, uint256 deadline, bytes calldata signatures)
        external
        returns (bytes memory result)
    {
        if (block.timestamp > deadline) revert CallExpired(deadline);
        bytes32 digest = digestOf(target, data, deadline);
        if (!_rawSignatureValidation(digest, signatures)) revert SignaturesInvalid(_nonce, digest);
        emit CallMade(_nonce, target, data);
        _nonce += 1;
        return Address.functionCall(target, data);
    }

    /// @inheritdoc ICouncil
    function addSigners(bytes[] calldata signers) external onlyCouncil {
        _addSigners(signers);
    }

    /// @inheritdoc ICouncil
    function removeSigners(bytes[] calldata signers) external onlyCouncil {
        _removeSigners(signers);
    }

    /// @inheritdoc ICouncil
    function setThreshold(uint64 newThreshold) external onlyCouncil {
        _setThreshold(newThreshold);
    }

    /// @inheritdoc ICouncil
    function nonce() external view returns (uint256) {
        return _nonce;
    }

    /// @inheritdoc ICouncil
    function digestOf(address target, bytes calldata data, uint256 deadline) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(CALL_TYPEHASH, target, keccak256(data), _nonce, deadline)));
    }
}

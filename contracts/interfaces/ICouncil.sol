// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The alliance's signers, so many of whom act together
/// @notice A call is made when `threshold` of the signers have signed it: EIP-712 domain ("TongduiCouncil", "1", chain,
/// this contract), type CouncilCall(address target,bytes data,uint256 nonce,uint256 deadline). Numbers are used in
/// order, so a signed call is made at most once and none overtakes another. Anyone may hand it in. Signers and threshold
/// change by a call of the council to itself.
interface ICouncil {
    error NotCouncil(address caller);
    error CallExpired(uint256 deadline);
    /// Too few signatures, one by a stranger, one that does not fit, or signers not ascending by the hash of their bytes.
    error SignaturesInvalid(uint256 nonce, bytes32 digest);

    event CallMade(uint256 indexed nonce, address indexed target, bytes data);

    /// @notice Makes a call that the council has signed.
    /// @param deadline last second at which it may be made
    /// @param signatures abi.encode(bytes[] signers, bytes[] signatures), ascending by keccak256 of the signer's bytes
    function execute(address target, bytes calldata data, uint256 deadline, bytes calldata signatures)
        external
        returns (bytes memory result);

    /// @notice Adds signers. The council itself only.
    function addSigners(bytes[] calldata signers) external;

    /// @notice Removes signers; enough must stay for the threshold. The council itself only.
    function removeSigners(bytes[] calldata signers) external;

    /// @notice Changes how many must sign. The council itself only.
    function setThreshold(uint64 newThreshold) external;

    /// @notice Number that the next call has.
    function nonce() external view returns (uint256);

    /// @notice What the signers of the next such call sign.
    function digestOf(address target, bytes calldata data, uint256 deadline) external view returns (bytes32);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// The few powers over the test chain that these tests use; Hardhat answers at this well-known address.
interface Vm {
    function warp(uint256 timestampSeconds) external;
    function chainId(uint256 id) external;
    function prank(address sender) external;
    function addr(uint256 privateKey) external returns (address);
    function sign(uint256 privateKey, bytes32 digest) external returns (uint8 v, bytes32 r, bytes32 s);
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// The few powers over the test chain that these tests use; Hardhat answers at this well-known address.
interface Vm {
    function warp(uint256 timestampSeconds) external;
    function chainId(uint256 id) external;
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

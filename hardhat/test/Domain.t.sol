// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HubFixture} from "./HubFixture.sol";
import {VM} from "./Vm.sol";

/// @title The signing domain follows the chain it is on
contract DomainTest is HubFixture {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    function setUp() public {
        _found(1, BOND);
    }

    /// After a chain splits, a signature for one side is none for the other.
    function testFuzz_TheSeparatorIsRecomputedWhenTheChainIdChanges(uint32 id) public {
        VM.chainId(uint256(id) + 1);
        bytes32 expected = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("PointsAlliance"), keccak256("1"), block.chainid, address(_hub))
        );
        assert(_hub.domainSeparator() == expected);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TierWords} from "../../contracts/tiers/TierWords.sol";
import {TierHandler} from "./TierHandler.t.sol";

/// @title Invariants of the tier registry under the handler's actions
contract TiersTest {
    TierHandler private _handler;

    function setUp() public {
        _handler = new TierHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_WhatWasPublishedStands() public view {
        _handler.requireHistory();
    }

    function invariant_ANullifierIsUsedOnceInAScope() public view {
        assert(_handler.takenTwice() == 0);
    }

    /// Neither taken outside its epoch's life nor refused within it.
    function invariant_ProofsAreTakenExactlyWhileTheirEpochIsActive() public view {
        assert(_handler.takenInactive() == 0 && _handler.refusedActive() == 0);
    }

    /// A life by hand, so that the invariants are known to have seen proofs taken and refused.
    function testFuzz_TheHandlerTakesProofs(uint256 seed) public {
        for (uint8 round = 0; round < 8; ++round) {
            uint8 luck = uint8(uint256(keccak256(abi.encode(seed, round))));
            _handler.registerCircuit();
            _handler.publish(1 + (seed >> 8), 1, 2 days);
            _handler.pass(1 + uint32(luck) * 60);
            _handler.verify(round, luck, luck >> 4);
            if (luck % 5 == 0) _handler.revoke(luck);
            if (luck % 7 == 0) _handler.retireCircuit(luck);
            _handler.verify(round, luck, luck >> 4);
            _handler.requireHistory();
        }
        invariant_ANullifierIsUsedOnceInAScope();
        invariant_ProofsAreTakenExactlyWhileTheirEpochIsActive();
        assert(_handler.taken() > 0);
    }

    /// Any policy with a field too many is seen to be one, and the fields are where the circuit has them.
    function testFuzz_APolicysFieldsAreWhereTheyAre(uint64 lo, uint64 hi, uint16 mask, uint8 uses, uint256 rest)
        public
        pure
    {
        uint256 others = (rest << 128) & ~((uint256(type(uint16).max) << 224) | (uint256(type(uint16).max) << 241));
        uint256 policy = others & ((uint256(1) << 249) - 1);
        policy |= lo | (uint256(hi) << 64) | (uint256(mask) << 224) | (uint256(uses) << 241);
        assert(TierWords.policyFits(policy));
        assert(TierWords.maxUses(policy) == uses);
        assert(TierWords.satisfiable(policy) == (lo <= hi && mask != 0 && uses != 0));
        assert(!TierWords.policyFits(policy | (uint256(1) << (249 + uses % 7))));
    }

    function testFuzz_OnlyNumbersOfTheFieldAreInIt(uint256 x) public pure {
        assert(TierWords.inField(x) == (x > 0 && x < TierWords.R));
        assert(!TierWords.inField(0) && !TierWords.inField(TierWords.R) && TierWords.inField(TierWords.R - 1));
    }
}

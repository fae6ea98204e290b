// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HubHandler} from "./HubHandler.t.sol";

/// @title Invariants of the hub under the handler's actions
contract SolvencyTest {
    HubHandler private _handler;

    function setUp() public {
        _handler = new HubHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// Collateral, bond, fund, bounties and what claims have recovered: to the unit.
    function invariant_TheHubHoldsExactlyWhatItOwes() public view {
        (uint256 held, uint256 owed) = _handler.solvency();
        assert(held == owed);
        assert(owed == _handler.owedInDetail());
    }

    /// Nor after it but by its nets; and no batch comes that does not add up, or that was thrown out. The handler tries.
    function invariant_NothingMovesBeforeItsWindow() public view {
        assert(_handler.strayMoves() == 0);
    }

    function invariant_ClaimsNeverExceedWhatWasBorne() public view {
        _handler.requireClaimsInBounds();
    }

    function invariant_LocksAreWhatPendingBatchesTake() public view {
        _handler.requireLocksExact();
    }

    function invariant_OneHeaderANumber() public view {
        _handler.requireOneSequence();
    }

    function invariant_SharesAreCovered() public view {
        _handler.requireSharesCovered();
    }

    /// Long lives by hand, so that the invariants are known to have seen batches settle, default and be thrown out.
    function testFuzz_TheHandlerReachesSettlementAndRevert(uint256 seed) public {
        for (uint256 round = 0; round < 12; ++round) {
            uint8 luck = uint8(uint256(keccak256(abi.encode(seed, round))));
            _handler.deposit(luck, 400e6);
            _handler.joinGuarantee(luck, 150e6);
            _handler.commit(_luck(seed, round, 1));
            if (luck % 4 == 0) {
                _handler.commit(_luck(seed, round, 2));
                _handler.revertFrom(uint8(_handler.settled()));
                if (luck % 8 == 0) _handler.releaseReverted(luck);
                _handler.commit(_luck(seed, round, 3));
            }
            _handler.commitUnbalanced(_luck(seed, round, 4));
            _handler.pass(4 days);
            _handler.finalise();
            if (luck % 3 == 0) _handler.addDemand(0);
            _handler.pass(3 days);
            _handler.finalise();
            _handler.closeDemand(0);
            _handler.finaliseWrongly(luck);
            if (luck % 3 == 0) _handler.finalise();
            _handler.collect(luck, luck / 6);
            _handler.restore(luck);
            if (luck % 2 == 0) _handler.repayFromFree(luck);
            if (luck % 5 == 0) _handler.leaveGuarantee(luck, luck);
            if (luck % 7 == 0) _handler.executeLeave(luck);
            _requireAll();
        }
        assert(_handler.settled() == 12);
        assert(_handler.refusedEarly() >= 12);
    }

    function _luck(uint256 seed, uint256 round, uint256 turn) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, round, turn)));
    }

    function _requireAll() private view {
        invariant_TheHubHoldsExactlyWhatItOwes();
        invariant_NothingMovesBeforeItsWindow();
        invariant_ClaimsNeverExceedWhatWasBorne();
        invariant_LocksAreWhatPendingBatchesTake();
        invariant_OneHeaderANumber();
        invariant_SharesAreCovered();
    }
}

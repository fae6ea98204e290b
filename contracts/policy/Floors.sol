// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IFloors} from "../interfaces/IFloors.sol";

/// @title Floors: what must stay free of a merchant's collateral
abstract contract Floors is IFloors, AccessControl {
    /// Sets merchants' floors within bounds.
    bytes32 public constant RISK_ROLE = keccak256("RISK_ROLE");

    uint256 private constant FLOOR_RAISE_FACTOR_MAX = 10;
    uint256 private constant FLOOR_FIRST_MAX = 100_000e6;
    uint64 private constant FLOOR_CUT_DELAY_SECONDS = 7 days;

    struct Floor {
        uint96 before;
        uint96 value;
        uint64 fromTime;
    }

    mapping(uint32 merchantId => Floor) private _floors;

    /// @inheritdoc IFloors
    function setFloor(uint32 merchantId, uint96 floor) external onlyRole(RISK_ROLE) {
        uint256 last = floorOf(merchantId);
        uint256 floorMax = last == 0 ? FLOOR_FIRST_MAX : last * FLOOR_RAISE_FACTOR_MAX;
        if (floor > floorMax) revert FloorTooHigh(merchantId, floor, floorMax);
        uint64 fromTime = uint64(block.timestamp) + (floor < last ? FLOOR_CUT_DELAY_SECONDS : 0);
        // `last` came out of a uint96.
        _floors[merchantId] = Floor(uint96(last), floor, fromTime);
        emit FloorSet(merchantId, floor, fromTime);
    }

    /// @inheritdoc IFloors
    function floorOf(uint32 merchantId) public view returns (uint256) {
        Floor storage f = _floors[merchantId];
        return block.timestamp < f.fromTime ? f.before : f.value;
    }
}

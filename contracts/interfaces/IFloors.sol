// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a merchant must leave in the hub
interface IFloors {
    error FloorTooHigh(uint32 merchantId, uint256 floor, uint256 floorMax);

    /// The floor is `floor` from this time on.
    event FloorSet(uint32 indexed merchantId, uint256 floor, uint64 fromTime);

    /// @notice Sets what must stay free after a withdrawal. RISK only. At most ten times the last value (a first one at most
    /// 100,000 units). A raise holds at once, a cut after 7 days.
    function setFloor(uint32 merchantId, uint96 floor) external;

    /// @notice Floor that a withdrawal must respect now.
    function floorOf(uint32 merchantId) external view returns (uint256);
}

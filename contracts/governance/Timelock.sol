// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title Timelock: OpenZeppelin's as it is; here so that the deployment has its code
/// @notice An alliance has two: one of 14 days for what could take a merchant's exit away (roles, courts, attesters), one of
/// 48 hours for parameters within their bounds. Both answer to themselves alone.
contract Timelock is TimelockController {
    constructor(uint256 delaySeconds, address[] memory proposers, address[] memory executors)
        TimelockController(delaySeconds, proposers, executors, address(0))
    {}
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PointsEvent} from "../libraries/Words.sol";

/// @title What the forced queue asks of a rewards contract
interface ICampaignRules {
    /// @notice Whether a referral event's campaign, level, basis and points are right for a batch.
    function admits(PointsEvent calldata pointsEvent, uint64 batchNo) external view returns (bool);
}

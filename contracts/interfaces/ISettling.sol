// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What is said while nets move
interface ISettling {
    /// `shortfall` is what a debtor lacked beyond its own shares of the guarantee fund, or what was cut from a creditor.
    event NetSettled(uint64 indexed batchNo, uint32 indexed merchantId, int256 net, uint256 shortfall);
    /// This batch has so many defaults that finaliseBatch must be called again; `place` of twice its nets are done.
    event SettlementContinues(uint64 indexed batchNo, uint256 place);
}

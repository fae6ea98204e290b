// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What happens when a debtor cannot pay its net
/// @notice A default is known by its batch. What is missing is cut from that batch's creditors in proportion to their
/// nets, exactly to the unit, and each cut becomes a claim. What defaulters pay in later repays the claims pro rata.
interface IDefaults {
    /// Claims of one batch's creditors and what its defaulters have since paid in.
    struct DefaultPool {
        uint128 claims;
        uint128 recovered;
    }

    struct Claim {
        uint128 amount;
        uint128 paid;
    }

    error NothingToCollect(uint64 defaultId, uint32 creditorId);
    /// Pay the oldest debts first, in a smaller deposit: one deposit repays a bounded number of them.
    error TooManyDebts(uint32 merchantId, uint256 countMax);

    /// `shortfall` is what a debtor lacked, or what was cut from a creditor.
    event NetSettled(uint64 indexed batchNo, uint32 indexed merchantId, int256 net, uint256 shortfall);
    /// `defaultId` is the batch number.
    event Defaulted(uint64 indexed defaultId, uint32 indexed merchantId, uint256 missing);
    /// This batch has so many defaults that finaliseBatch must be called again; `place` of twice its nets are done.
    event SettlementContinues(uint64 indexed batchNo, uint256 place);
    event LossAllocated(uint64 indexed batchNo, uint32 indexed creditorId, uint256 cut);
    event DebtRepaid(uint64 indexed defaultId, uint32 indexed merchantId, uint256 amount, uint256 stillOwed);
    event ClaimCollected(uint64 indexed defaultId, uint32 indexed creditorId, uint256 amount);

    /// @notice Moves what a claim has recovered into its creditor's free collateral; anyone may call it.
    /// Entitled = floor(claim · recovered / claims) − paid before.
    function collectClaim(uint64 defaultId, uint32 creditorId) external;

    function defaultPool(uint64 defaultId) external view returns (DefaultPool memory);

    function claimOf(uint64 defaultId, uint32 creditorId) external view returns (Claim memory);

    /// @notice All that a merchant still owes to claims.
    function owedBy(uint32 merchantId) external view returns (uint256);
}
